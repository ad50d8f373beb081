//! The loaded classes: names, hierarchy, and where in an instance its references stand.

use leakline_hprof::{PrimitiveType, ValueType};

use crate::graph::NONE;
use crate::heap_index::{Decoder, Encode, Encoder, encode_fields};
use crate::reachability::Strength;
use crate::symbols::{Symbol, Symbols};

/// Position in the class table.
pub(crate) type ClassNumber = u32;

/// What a class's instances are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClassKind {
    Plain,
    ObjectArray,
    PrimitiveArray(PrimitiveType),
}

/// A field that a class declares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: Symbol,
    pub(crate) value_type: ValueType,
}

/// A reference field of an instance, own or inherited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) name: Symbol,
    pub(crate) declared_by: ClassNumber,
    /// Where its value stands among the bytes of an instance in the dump.
    pub(crate) offset: u32,
}

/// One class.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) id: u64,
    /// As in source: `java.util.Map$Entry`, `byte[]`.
    pub(crate) name: Symbol,
    /// The class object; [`NONE`] when the dump does not have it.
    pub(crate) object: u32,
    pub(crate) superclass: Option<ClassNumber>,
    /// The class loader's object; [`NONE`] for the boot loader.
    pub(crate) loader: u32,
    pub(crate) kind: ClassKind,
    /// Own instance fields in the order of the dump.
    pub(crate) fields: Vec<Field>,
    /// References of an instance: own fields first, then the superclass's, as in the dump.
    pub(crate) slots: Vec<Slot>,
    /// Names of the static fields that hold references.
    pub(crate) static_slots: Vec<Symbol>,
    /// Static numbers whose names speak of a limit, with their values.
    pub(crate) static_limits: Vec<(Symbol, u64)>,
    /// Those of the static fields that the class object holds. The others the dump makes up:
    /// `<resolved_references>` and the constant pool hang on the class elsewhere.
    pub(crate) static_references: u32,
    /// Bytes that the primitive static fields take in the class object.
    pub(crate) static_primitive_bytes: u32,
    /// Bytes of all fields of an instance in the dump.
    pub(crate) dump_size: u32,
    /// For `jdk.internal.vm.StackChunk`: where an instance says how many words of a virtual
    /// thread's stack it has behind its fields. The dump leaves these out.
    pub(crate) stack_words_at: Option<u32>,
    /// For subclasses of `java.lang.ref.Reference`: how strongly `referent` is held, and its slot.
    pub(crate) referent: Option<(Strength, u32)>,
    /// False for classes that the dump mentions but does not describe.
    pub(crate) described: bool,
}

impl Encode<'_> for ClassKind {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        to.put(&[match self {
            ClassKind::Plain => 0,
            ClassKind::ObjectArray => 1,
            ClassKind::PrimitiveArray(element) => element.code(),
        }]);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(match u8::decode(from)? {
            0 => ClassKind::Plain,
            1 => ClassKind::ObjectArray,
            code => ClassKind::PrimitiveArray(PrimitiveType::from_code(code)?),
        })
    }
}

impl Encode<'_> for ValueType {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        to.put(&[self.code()]);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        ValueType::from_code(u8::decode(from)?)
    }
}

encode_fields!(Field { name, value_type });
encode_fields!(Slot {
    name,
    declared_by,
    offset
});
encode_fields!(Class {
    id,
    name,
    object,
    superclass,
    loader,
    kind,
    fields,
    slots,
    static_slots,
    static_limits,
    static_references,
    static_primitive_bytes,
    dump_size,
    stack_words_at,
    referent,
    described,
});
encode_fields!(Classes {
    table,
    by_object,
    class_class,
    has_static_values
});

/// References of a class object that stand before those of its static fields.
pub(crate) const CLASS_SLOTS: [&str; 4] = [
    "<super>",
    "<class loader>",
    "<signers>",
    "<protection domain>",
];

/// All classes, ordered by id.
pub(crate) struct Classes {
    pub(crate) table: Vec<Class>,
    /// Class objects and their classes, by object.
    by_object: Vec<(u32, ClassNumber)>,
    /// `java.lang.Class`.
    pub(crate) class_class: ClassNumber,
    /// Whether static fields have the values that those of a whole JVM have: thousands of numbers
    /// that are mostly not zero. In a redacted dump they are, but for a few.
    pub(crate) has_static_values: bool,
}

impl Classes {
    /// Takes the described classes, ordered by id with their superclasses still as ids, and
    /// derives what follows from the hierarchy.
    pub(crate) fn new(
        mut table: Vec<Class>,
        superclass_ids: &[u64],
        class_class: ClassNumber,
        has_static_values: bool,
        identifier_bytes: u32,
        symbols: &Symbols,
    ) -> Classes {
        let ids: Vec<u64> = table.iter().map(|class| class.id).collect();
        for (class, superclass) in table.iter_mut().zip(superclass_ids) {
            class.superclass = find(&ids, *superclass).filter(|_| *superclass != 0);
        }
        let mut by_object: Vec<(u32, ClassNumber)> = table
            .iter()
            .enumerate()
            .filter(|(_, class)| class.object != NONE)
            .map(|(number, class)| (class.object, number as u32))
            .collect();
        by_object.sort_unstable();
        let mut classes = Classes {
            table,
            by_object,
            class_class,
            has_static_values,
        };
        let mut budget = MAX_INHERITED_FIELDS;
        for number in 0..classes.table.len() as u32 {
            let inherited = classes
                .ancestry(number)
                .map(|class| classes.get(class).fields.len());
            let fields: usize = inherited.sum();
            if fields > budget {
                let class = &mut classes.table[number as usize];
                class.superclass = None;
                class.fields = Vec::new();
                class.described = false;
                continue;
            }
            budget -= fields;
            let slots = classes.instance_slots(number, identifier_bytes);
            let referent = classes.referent(number, &slots, symbols);
            let stack_words_at = classes.stack_words_at(number, identifier_bytes, symbols);
            let class = &mut classes.table[number as usize];
            class.slots = slots;
            class.referent = referent;
            class.stack_words_at = stack_words_at;
        }
        classes
    }

    pub(crate) fn get(&self, number: ClassNumber) -> &Class {
        &self.table[number as usize]
    }

    /// The class that a class object stands for.
    pub(crate) fn of_object(&self, object: u32) -> Option<ClassNumber> {
        let position = self
            .by_object
            .binary_search_by_key(&object, |(object, _)| *object)
            .ok()?;
        Some(self.by_object[position].1)
    }

    /// Class objects with their classes, by object.
    pub(crate) fn objects(&self) -> &[(u32, ClassNumber)] {
        &self.by_object
    }

    /// The class and its superclasses, from itself upwards. Ends even if a damaged dump makes a
    /// class its own ancestor.
    pub(crate) fn ancestry(&self, number: ClassNumber) -> impl Iterator<Item = ClassNumber> + '_ {
        std::iter::successors(Some(number), |number| self.get(*number).superclass)
            .take(MAX_DEPTH.min(self.table.len()))
    }

    /// Whether the class is, or inherits from, one of this name.
    pub(crate) fn inherits(&self, number: ClassNumber, name: &str, symbols: &Symbols) -> bool {
        self.ancestry(number)
            .any(|ancestor| symbols.name(self.get(ancestor).name) == name)
    }

    fn instance_slots(&self, number: ClassNumber, identifier_bytes: u32) -> Vec<Slot> {
        let mut offset = 0u32;
        let mut slots = Vec::new();
        for declared_by in self.ancestry(number) {
            for field in &self.get(declared_by).fields {
                if field.value_type == ValueType::Object {
                    slots.push(Slot {
                        name: field.name,
                        declared_by,
                        offset,
                    });
                }
                offset += dump_bytes(field.value_type, identifier_bytes);
            }
        }
        slots
    }

    fn stack_words_at(
        &self,
        number: ClassNumber,
        identifier_bytes: u32,
        symbols: &Symbols,
    ) -> Option<u32> {
        let class = self.get(number);
        if symbols.name(class.name) != "jdk.internal.vm.StackChunk" {
            return None;
        }
        let mut offset = 0;
        for field in &class.fields {
            if field.value_type == ValueType::Int && symbols.name(field.name) == "size" {
                return Some(offset);
            }
            offset += dump_bytes(field.value_type, identifier_bytes);
        }
        None
    }

    fn referent(
        &self,
        number: ClassNumber,
        slots: &[Slot],
        symbols: &Symbols,
    ) -> Option<(Strength, u32)> {
        let strength = self.ancestry(number).find_map(|ancestor| {
            Some(match symbols.name(self.get(ancestor).name) {
                "java.lang.ref.SoftReference" => Strength::Soft,
                "java.lang.ref.WeakReference" => Strength::Weak,
                "java.lang.ref.FinalReference" | "java.lang.ref.FinalizerReference" => {
                    Strength::Final
                }
                "java.lang.ref.PhantomReference" => Strength::Phantom,
                _ => return None,
            })
        })?;
        let slot = slots.iter().position(|slot| {
            symbols.name(slot.name) == "referent"
                && symbols.name(self.get(slot.declared_by).name) == "java.lang.ref.Reference"
        })?;
        Some((strength, slot as u32))
    }
}

/// No class hierarchy is deeper; keeps damaged ones from running in circles.
const MAX_DEPTH: usize = 512;

/// Fields of all classes together, each counted in all its subclasses. Programs have a hundredth
/// of this; a hostile dump could make a huge class the ancestor of many.
const MAX_INHERITED_FIELDS: usize = 1 << 24;

/// Position of an id in a sorted list.
pub(crate) fn find(ids: &[u64], id: u64) -> Option<u32> {
    ids.binary_search(&id).ok().map(|position| position as u32)
}

/// Bytes of a value in the dump.
pub(crate) fn dump_bytes(value_type: ValueType, identifier_bytes: u32) -> u32 {
    value_type
        .primitive()
        .map_or(identifier_bytes, |primitive| primitive.bytes() as u32)
}

/// An id or an integer as the dump has it.
#[inline]
pub(crate) fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Class lookup by id for the object passes: a direct-mapped cache in front of a binary search.
pub(crate) struct ClassFinder<'c> {
    ids: &'c [u64],
    cache: Vec<(u64, u32)>,
}

impl<'c> ClassFinder<'c> {
    const ENTRIES: usize = 1024;

    pub(crate) fn new(ids: &'c [u64]) -> Self {
        ClassFinder {
            ids,
            cache: vec![(0, NONE); Self::ENTRIES],
        }
    }

    #[inline]
    pub(crate) fn find(&mut self, id: u64) -> u32 {
        let entry = &mut self.cache[(id >> 3) as usize % Self::ENTRIES];
        if entry.0 != id || entry.1 == NONE {
            *entry = (id, find(self.ids, id).unwrap_or(NONE));
        }
        entry.1
    }
}
