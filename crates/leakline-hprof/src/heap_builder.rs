//! Builds small heaps from a few lines, for tests of whatever reads dumps.
//!
//! A heap is described as a program would see it: classes with fields, instances with values,
//! strings, arrays, threads with local variables. Addresses are given out as a JVM does (see
//! [`Layout`]), names become string records, arrays get their classes, and
//! `java.lang.Object`, `Class`, `String` and `Thread` come by themselves when needed. The same
//! heap can be written in every order and form that dumps come in (see [`Form`]), and again
//! after it has grown.
//!
//! ```
//! use leakline_hprof::heap_builder::HeapBuilder;
//! use leakline_hprof::{GcRootKind, IdentifierSize, ValueType};
//!
//! let mut heap = HeapBuilder::new(IdentifierSize::Eight);
//! let order = heap
//!     .class("com.acme.Order")
//!     .field("id", ValueType::Long)
//!     .field("customer", ValueType::Object)
//!     .id();
//! let customer = heap.string("Ada");
//! let orders: Vec<_> = (0..3_i64)
//!     .map(|id| heap.instance(order).set("id", id).set("customer", customer).id())
//!     .collect();
//! let cache = heap.object_array(order, &orders);
//! let controller = heap.class("com.acme.Controller").static_field("cache", cache).id();
//! heap.root(controller, GcRootKind::StickyClass);
//! heap.thread("main").frame("com.acme.Main", "run", 12).local(orders[0]).id();
//! let bytes = heap.build();
//! # assert!(leakline_hprof::Hprof::parse(&bytes).is_ok());
//! ```
//!
//! Methods panic when the heap described makes no sense: a field that its class does not have, a
//! value of another type. A test that does so is wrong.

mod form;
mod stages;

use std::collections::BTreeMap;
use std::ops::Range;

pub use form::{Form, Place};
pub use stages::{ClassBuilder, InstanceBuilder, ThreadBuilder};

use crate::{
    FieldDescriptor, GcRoot, GcRootKind, IdentifierSize, Line, PrimitiveType, StaticField, Value,
    ValueType,
};

/// An object of the heap: its address. Classes are objects too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u64);

/// A class of the heap: the address of the class object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u64);

/// A thread: its serial and its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadId {
    /// By which roots refer to it.
    pub serial: u32,
    /// The `java.lang.Thread`.
    pub object: ObjectId,
}

/// How the JVM that the dump pretends to come from lays out objects. Only addresses depend on
/// it: each object starts where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes before the first field.
    pub object_header: u64,
    /// Bytes before the first element.
    pub array_header: u64,
    /// Bytes of a reference.
    pub reference: u64,
    /// What addresses are multiples of.
    pub alignment: u64,
}

/// A heap under construction.
#[derive(Clone, Debug)]
pub struct HeapBuilder {
    identifier_size: IdentifierSize,
    layout: Layout,
    next_address: u64,
    /// String records by text; the identifier is the rank of first use.
    names: BTreeMap<String, u64>,
    names_in_order: Vec<String>,
    classes: Vec<Class>,
    class_indices: BTreeMap<ClassId, usize>,
    class_ids: BTreeMap<(String, ObjectId), ClassId>,
    objects: Vec<Object>,
    object_indices: BTreeMap<ObjectId, usize>,
    roots: Vec<GcRoot>,
    frames: Vec<Frame>,
    /// Per thread, from serial 1: its frames.
    threads: Vec<Range<usize>>,
}

#[derive(Clone, Debug)]
struct Class {
    id: ClassId,
    /// As in the dump: `com/acme/Order`, `[I`.
    name: u64,
    super_id: Option<ClassId>,
    loader: ObjectId,
    static_fields: Vec<StaticField>,
    instance_fields: Vec<FieldDescriptor>,
    has_instances: bool,
    is_described: bool,
}

#[derive(Clone, Debug)]
struct Object {
    id: ObjectId,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Instance(ClassId, Vec<Value>),
    ObjectArray(ClassId, Vec<ObjectId>),
    PrimitiveArray(PrimitiveType, Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    class: ClassId,
    method: u64,
    signature: u64,
    source_file: u64,
    line: Line,
}

impl ObjectId {
    /// No object.
    pub const NULL: ObjectId = ObjectId(0);
}

impl Layout {
    /// HotSpot with 64 bits and compressed references, as it comes for heaps below 32 GiB.
    pub const COMPRESSED: Layout = Layout {
        object_header: 12,
        array_header: 16,
        reference: 4,
        alignment: 8,
    };
    /// HotSpot with 64 bits and full references.
    pub const UNCOMPRESSED: Layout = Layout {
        object_header: 16,
        array_header: 24,
        reference: 8,
        alignment: 8,
    };
    /// HotSpot with compressed references and compact object headers (JDK 24 and later).
    pub const COMPACT_HEADERS: Layout = Layout {
        object_header: 8,
        array_header: 12,
        reference: 4,
        alignment: 8,
    };
    /// HotSpot with 32 bits.
    pub const NARROW: Layout = Layout {
        object_header: 8,
        array_header: 12,
        reference: 4,
        alignment: 8,
    };

    fn value_bytes(&self, value_type: ValueType) -> u64 {
        match value_type.primitive() {
            None => self.reference,
            Some(primitive) => primitive.bytes() as u64,
        }
    }
}

impl HeapBuilder {
    /// An empty heap, laid out as HotSpot does by default for such identifiers.
    pub fn new(identifier_size: IdentifierSize) -> Self {
        Self::with_layout(
            identifier_size,
            match identifier_size {
                IdentifierSize::Four => Layout::NARROW,
                IdentifierSize::Eight => Layout::COMPRESSED,
            },
        )
    }

    /// An empty heap with a layout of its own.
    pub fn with_layout(identifier_size: IdentifierSize, layout: Layout) -> Self {
        HeapBuilder {
            identifier_size,
            layout,
            next_address: match identifier_size {
                IdentifierSize::Four => 0x7000_0000,
                IdentifierSize::Eight => 0x7_0000_0000,
            },
            names: BTreeMap::new(),
            names_in_order: Vec::new(),
            classes: Vec::new(),
            class_indices: BTreeMap::new(),
            class_ids: BTreeMap::new(),
            objects: Vec::new(),
            object_indices: BTreeMap::new(),
            roots: Vec::new(),
            frames: Vec::new(),
            threads: Vec::new(),
        }
    }

    /// The class with this name (`com.acme.Order`) and the boot loader, to be described further.
    /// It extends `java.lang.Object` unless told otherwise.
    pub fn class(&mut self, name: &str) -> ClassBuilder<'_> {
        self.class_of_loader(name, ObjectId::NULL)
    }

    /// As [`class`](Self::class), loaded by `loader`.
    pub fn class_of_loader(&mut self, name: &str, loader: ObjectId) -> ClassBuilder<'_> {
        let id = self.class_named(&name.replace('.', "/"), loader);
        ClassBuilder { heap: self, id }
    }

    /// A new instance of `class`, all its fields 0 or null, to be filled.
    pub fn instance(&mut self, class: ClassId) -> InstanceBuilder<'_> {
        let fields = self.all_fields(class);
        let bytes: u64 = fields
            .iter()
            .map(|field| self.layout.value_bytes(field.value_type))
            .sum();
        let id = self.allocate(self.layout.object_header + bytes);
        self.close(class);
        let values = fields
            .iter()
            .map(|field| Value::zero(field.value_type))
            .collect();
        self.add(id, Content::Instance(class, values));
        InstanceBuilder { heap: self, id }
    }

    /// A new `java.lang.String` with a `byte[]` of its own, as since JDK 9: Latin-1 when that
    /// suffices, else UTF-16 in the order of bytes of common processors.
    pub fn string(&mut self, text: &str) -> ObjectId {
        let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        let coder = i8::from(latin.is_none());
        let bytes =
            latin.unwrap_or_else(|| text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        let value = self.bytes(&bytes);
        let class = self.named_once("java.lang.String", |class| {
            class
                .field("value", ValueType::Object)
                .field("hash", ValueType::Int)
                .field("coder", ValueType::Byte)
        });
        self.instance(class)
            .set("value", value)
            .set("coder", coder)
            .id()
    }

    /// A new array of references whose elements are declared as `element`.
    pub fn object_array(&mut self, element: ClassId, elements: &[ObjectId]) -> ObjectId {
        let element_class = self.class_ref(element);
        let loader = element_class.loader;
        let element_name = self.name_text(element_class.name);
        let name = if element_name.starts_with('[') {
            format!("[{element_name}")
        } else {
            format!("[L{element_name};")
        };
        let class = self.class_named(&name, loader);
        let bytes = self.layout.reference * elements.len() as u64;
        let id = self.allocate(self.layout.array_header + bytes);
        self.add(id, Content::ObjectArray(class, elements.to_vec()));
        id
    }

    /// A new array of primitive values, given big-endian and side by side.
    pub fn primitive_array(&mut self, element_type: PrimitiveType, elements: Vec<u8>) -> ObjectId {
        assert!(
            elements.len().is_multiple_of(element_type.bytes()),
            "part of an element"
        );
        self.class_named(primitive_array_name(element_type), ObjectId::NULL);
        let id = self.allocate(self.layout.array_header + elements.len() as u64);
        self.add(id, Content::PrimitiveArray(element_type, elements));
        id
    }

    /// A new `byte[]`.
    pub fn bytes(&mut self, elements: &[u8]) -> ObjectId {
        self.primitive_array(PrimitiveType::Byte, elements.to_vec())
    }

    /// A new `int[]`.
    pub fn ints(&mut self, elements: &[i32]) -> ObjectId {
        let bytes = elements.iter().flat_map(|e| e.to_be_bytes()).collect();
        self.primitive_array(PrimitiveType::Int, bytes)
    }

    /// A new `long[]`.
    pub fn longs(&mut self, elements: &[i64]) -> ObjectId {
        let bytes = elements.iter().flat_map(|e| e.to_be_bytes()).collect();
        self.primitive_array(PrimitiveType::Long, bytes)
    }

    /// A new thread that runs: a `java.lang.Thread` with its name, a root, and a stack trace, to
    /// be filled with frames.
    pub fn thread(&mut self, name: &str) -> ThreadBuilder<'_> {
        let class = self.named_once("java.lang.Thread", |class| {
            class
                .field("name", ValueType::Object)
                .field("tid", ValueType::Long)
        });
        self.thread_of_class(class, name)
    }

    /// As [`thread`](Self::thread), of a class of its own that has or inherits the field `name`.
    pub fn thread_of_class(&mut self, class: ClassId, name: &str) -> ThreadBuilder<'_> {
        let name = self.string(name);
        let object = self.instance(class).set("name", name).id();
        let end = self.frames.len();
        self.threads.push(end..end);
        let serial = self.threads.len() as u32;
        self.root(
            object,
            GcRootKind::ThreadObject {
                thread_serial: serial,
                trace_serial: serial,
            },
        );
        ThreadBuilder {
            heap: self,
            thread: ThreadId { serial, object },
        }
    }

    /// Makes an object or a class a root.
    pub fn root(&mut self, object: impl Into<ObjectId>, kind: GcRootKind) {
        self.roots.push(GcRoot {
            object_id: object.into().0,
            kind,
        });
    }

    /// Sets a field of an instance, perhaps to something that was made after it.
    pub fn set(&mut self, object: ObjectId, field: &str, value: impl Into<Value>) {
        let value = value.into();
        let index = *self
            .object_indices
            .get(&object)
            .expect("an object of this heap");
        let Content::Instance(class, _) = self.objects[index].content else {
            unreachable!("an array has no fields")
        };
        let name = self.name(field);
        let position = self
            .all_fields(class)
            .iter()
            .position(|descriptor| descriptor.name_id == name);
        let position = position.expect("a field of its class");
        if let Content::Instance(_, values) = &mut self.objects[index].content {
            put(&mut values[position], value, field);
        }
    }

    /// Sets a static field of a class.
    pub fn set_static(&mut self, class: ClassId, field: &str, value: impl Into<Value>) {
        let name = self.name(field);
        let mut fields = self.class_mut(class).static_fields.iter_mut();
        let declared = fields.find(|declared| declared.name_id == name);
        let declared = declared.expect("a static field of the class");
        put(&mut declared.value, value.into(), field);
    }

    /// Sets an element of an array of references.
    pub fn set_element(&mut self, array: ObjectId, index: usize, element: impl Into<ObjectId>) {
        let position = *self
            .object_indices
            .get(&array)
            .expect("an object of this heap");
        let Content::ObjectArray(_, elements) = &mut self.objects[position].content else {
            unreachable!("not an array of references")
        };
        elements[index] = element.into();
    }

    /// Leaves a hole behind the last object, as a dead object does, or what the JVM keeps there
    /// and does not write into the dump.
    pub fn leave_hole(&mut self, bytes: u64) {
        self.allocate(bytes);
    }

    /// The dump, in the default form.
    pub fn build(&self) -> Vec<u8> {
        self.build_as(&Form::default())
    }

    /// The dump.
    pub fn build_as(&self, form: &Form) -> Vec<u8> {
        self.write(form).expect("the heap fits into the format")
    }

    // ---- names and identity

    fn class_named(&mut self, name: &str, loader: ObjectId) -> ClassId {
        if let Some(id) = self.class_ids.get(&(name.to_owned(), loader)) {
            return *id;
        }
        let super_id = (name != "java/lang/Object")
            .then(|| self.class_named("java/lang/Object", ObjectId::NULL));
        // what class objects take in HotSpot, static fields aside
        let id = ClassId(self.allocate(112).0);
        let name_id = self.name(name);
        self.class_ids.insert((name.to_owned(), loader), id);
        self.class_indices.insert(id, self.classes.len());
        self.classes.push(Class {
            id,
            name: name_id,
            super_id,
            loader,
            static_fields: Vec::new(),
            instance_fields: Vec::new(),
            has_instances: false,
            is_described: true,
        });
        // every class object is an instance of it
        self.class_named("java/lang/Class", ObjectId::NULL);
        id
    }

    /// The class with this name; `describe` is called when it is new or has no fields yet.
    fn named_once(
        &mut self,
        name: &str,
        describe: impl FnOnce(ClassBuilder<'_>) -> ClassBuilder<'_>,
    ) -> ClassId {
        let class = self.class(name);
        let id = class.id;
        let is_bare = class.heap.class_ref(id).instance_fields.is_empty();
        if is_bare { describe(class).id() } else { id }
    }

    /// The identifier of the string record with this text. Above 0, and no address.
    fn name(&mut self, text: &str) -> u64 {
        if let Some(id) = self.names.get(text) {
            return *id;
        }
        self.names_in_order.push(text.to_owned());
        let id = self.names_in_order.len() as u64;
        self.names.insert(text.to_owned(), id);
        id
    }

    fn name_text(&self, id: u64) -> &str {
        &self.names_in_order[id as usize - 1]
    }

    fn class_index(&self, id: ClassId) -> usize {
        *self.class_indices.get(&id).expect("a class of this heap")
    }

    fn class_ref(&self, id: ClassId) -> &Class {
        &self.classes[self.class_index(id)]
    }

    fn class_mut(&mut self, id: ClassId) -> &mut Class {
        let index = self.class_index(id);
        &mut self.classes[index]
    }

    /// Fields in the order of the dump: its own, then those of its superclass, and so on up.
    fn all_fields(&self, class: ClassId) -> Vec<FieldDescriptor> {
        let chain = std::iter::successors(Some(class), |id| self.class_ref(*id).super_id);
        chain
            .flat_map(|id| self.class_ref(id).instance_fields.iter().copied())
            .collect()
    }

    /// From now on the class and those above it cannot get further fields.
    fn close(&mut self, class: ClassId) {
        let mut next = Some(class);
        while let Some(id) = next {
            let class = self.class_mut(id);
            class.has_instances = true;
            next = class.super_id;
        }
    }

    fn allocate(&mut self, bytes: u64) -> ObjectId {
        let id = ObjectId(self.next_address);
        self.next_address += bytes.next_multiple_of(self.layout.alignment);
        id
    }

    fn add(&mut self, id: ObjectId, content: Content) {
        self.object_indices.insert(id, self.objects.len());
        self.objects.push(Object { id, content });
    }
}

fn put(place: &mut Value, value: Value, field: &str) {
    let (declared, given) = (place.value_type(), value.value_type());
    assert_eq!(declared, given, "type of field {field}");
    *place = value;
}

fn primitive_array_name(element_type: PrimitiveType) -> &'static str {
    match element_type {
        PrimitiveType::Boolean => "[Z",
        PrimitiveType::Char => "[C",
        PrimitiveType::Float => "[F",
        PrimitiveType::Double => "[D",
        PrimitiveType::Byte => "[B",
        PrimitiveType::Short => "[S",
        PrimitiveType::Int => "[I",
        PrimitiveType::Long => "[J",
    }
}

impl From<ClassId> for ObjectId {
    fn from(class: ClassId) -> Self {
        ObjectId(class.0)
    }
}

macro_rules! value_from {
    ($($from:ty => $value:expr),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                $value(value)
            }
        })*
    };
}

value_from! {
    ObjectId => |id: ObjectId| Value::Object(id.0),
    ClassId => |id: ClassId| Value::Object(id.0),
    bool => Value::Boolean,
    u16 => Value::Char,
    f32 => Value::Float,
    f64 => Value::Double,
    i8 => Value::Byte,
    i16 => Value::Short,
    i32 => Value::Int,
    i64 => Value::Long,
}
