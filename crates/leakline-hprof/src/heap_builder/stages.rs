//! What [`HeapBuilder`] hands out to describe a class, an instance or a thread further.

use super::{ClassId, Frame, HeapBuilder, ObjectId, ThreadId};
use crate::{FieldDescriptor, GcRootKind, Line, StaticField, Value, ValueType};

/// Describes a class further. The class exists already; nothing needs to be called last.
pub struct ClassBuilder<'h> {
    pub(super) heap: &'h mut HeapBuilder,
    pub(super) id: ClassId,
}

impl ClassBuilder<'_> {
    /// Its superclass.
    pub fn extends(self, super_id: ClassId) -> Self {
        self.assert_open();
        self.heap.class_mut(self.id).super_id = Some(super_id);
        self
    }

    /// Declares an instance field. Not possible once the class has instances.
    pub fn field(self, name: &str, value_type: ValueType) -> Self {
        self.assert_open();
        let name_id = self.heap.name(name);
        let class = self.heap.class_mut(self.id);
        class.instance_fields.push(FieldDescriptor {
            name_id,
            value_type,
        });
        self
    }

    /// Declares a static field with its value; [`ObjectId::NULL`] for null.
    pub fn static_field(self, name: &str, value: impl Into<Value>) -> Self {
        let name_id = self.heap.name(name);
        let value = value.into();
        let class = self.heap.class_mut(self.id);
        class.static_fields.push(StaticField { name_id, value });
        self
    }

    /// Leaves the class out of the heap, as damaged dumps do: it has a name, and instances and
    /// arrays refer to it, but nothing describes it.
    pub fn undescribed(self) -> Self {
        self.heap.class_mut(self.id).is_described = false;
        self
    }

    /// The class.
    pub fn id(self) -> ClassId {
        self.id
    }

    fn assert_open(&self) {
        let has_instances = self.heap.class_ref(self.id).has_instances;
        assert!(!has_instances, "the class has instances already");
    }
}

/// Fills an instance. The instance exists already; nothing needs to be called last.
pub struct InstanceBuilder<'h> {
    pub(super) heap: &'h mut HeapBuilder,
    pub(super) id: ObjectId,
}

impl InstanceBuilder<'_> {
    /// Sets a field that its class declares or inherits, the nearest of that name.
    pub fn set(self, field: &str, value: impl Into<Value>) -> Self {
        self.heap.set(self.id, field, value);
        self
    }

    /// Makes it a root.
    pub fn root(self, kind: GcRootKind) -> Self {
        self.heap.root(self.id, kind);
        self
    }

    /// The instance.
    pub fn id(self) -> ObjectId {
        self.id
    }
}

/// Fills a thread's stack, innermost frame first. The thread exists already; nothing needs to be
/// called last.
pub struct ThreadBuilder<'h> {
    pub(super) heap: &'h mut HeapBuilder,
    pub(super) thread: ThreadId,
}

impl ThreadBuilder<'_> {
    /// Adds the caller of the frame added before. Line 0 says that the line is not known. The
    /// source file is called after the class.
    pub fn frame(self, class: &str, method: &str, line: u32) -> Self {
        let outermost_class = class.split('$').next().unwrap_or(class);
        let simple_name = outermost_class.rsplit('.').next().unwrap_or(class);
        let frame = Frame {
            class: self.heap.class(class).id(),
            method: self.heap.name(method),
            signature: self.heap.name("()V"),
            source_file: self.heap.name(&format!("{simple_name}.java")),
            line: match line {
                0 => Line::Unknown,
                _ => Line::Number(line),
            },
        };
        self.heap.frames.push(frame);
        let index = self.thread.serial as usize - 1;
        self.heap.threads[index].end += 1;
        self
    }

    /// A local variable or parameter in the frame added last; before any frame, one of the thread
    /// as a whole.
    pub fn local(self, object: impl Into<ObjectId>) -> Self {
        let frame = self.current_frame();
        let thread_serial = self.thread.serial;
        self.heap.root(
            object,
            GcRootKind::JavaFrame {
                thread_serial,
                frame,
            },
        );
        self
    }

    /// As [`local`](Self::local), held by native code.
    pub fn jni_local(self, object: impl Into<ObjectId>) -> Self {
        let frame = self.current_frame();
        let thread_serial = self.thread.serial;
        self.heap.root(
            object,
            GcRootKind::JniLocal {
                thread_serial,
                frame,
            },
        );
        self
    }

    /// Sets a field of the thread object.
    pub fn set(self, field: &str, value: impl Into<Value>) -> Self {
        self.heap.set(self.thread.object, field, value);
        self
    }

    /// The thread.
    pub fn id(self) -> ThreadId {
        self.thread
    }

    fn current_frame(&self) -> Option<u32> {
        let frames = &self.heap.threads[self.thread.serial as usize - 1];
        frames.len().checked_sub(1).map(|index| index as u32)
    }
}
