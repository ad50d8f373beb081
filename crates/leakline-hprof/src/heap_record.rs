//! What stands inside a heap segment: roots, classes, objects.

use crate::class_dump::ClassDump;
use crate::cursor::Cursor;
use crate::tag::heap;
use crate::{IdentifierSize, Ids, PrimitiveType};

/// One record of a heap segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeapRecord<'a> {
    /// An object that the collector keeps, and why. An object may have several.
    GcRoot(GcRoot),
    /// A class.
    Class(ClassDump<'a>),
    /// An object that is neither a class nor an array.
    Instance {
        /// The object.
        object_id: u64,
        /// Serial of the stack trace of its allocation; 0 or 1 when none was recorded.
        trace_serial: u32,
        /// Its class, which may be described before or after it, or not at all.
        class_id: u64,
        /// Values of its fields (see [`Value::decode`](crate::Value::decode)).
        fields: &'a [u8],
    },
    /// An array of references.
    ObjectArray {
        /// The array.
        object_id: u64,
        /// Serial of the stack trace of its allocation; 0 or 1 when none was recorded.
        trace_serial: u32,
        /// The array's class (`Order[]`, not `Order`).
        class_id: u64,
        /// What it refers to; 0 stands for null.
        elements: Ids<'a>,
    },
    /// An array of primitive values.
    PrimitiveArray {
        /// The array.
        object_id: u64,
        /// Serial of the stack trace of its allocation; 0 or 1 when none was recorded.
        trace_serial: u32,
        /// Type of the elements.
        element_type: PrimitiveType,
        /// Number of elements. HotSpot writes fewer than there were when the array takes more
        /// than 4 GiB.
        length: u32,
        /// The elements, big-endian.
        elements: &'a [u8],
    },
    /// Android: an array of primitive values whose elements were left out.
    PrimitiveArrayWithoutData {
        /// The array.
        object_id: u64,
        /// Serial of the stack trace of its allocation; 0 when none was recorded.
        trace_serial: u32,
        /// Type of the elements.
        element_type: PrimitiveType,
        /// Number of elements.
        length: u32,
    },
    /// Android: the objects that follow, up to the next such record, live in this heap.
    HeapInfo {
        /// `A` for the app's, `Z` for the zygote's, `I` for the boot image's, 0 for others.
        heap_id: u32,
        /// The string record that holds the heap's name.
        name_id: u64,
    },
}

/// An object that is kept without any object referring to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcRoot {
    /// The object.
    pub object_id: u64,
    /// What keeps it.
    pub kind: GcRootKind,
}

/// What keeps a root. Thread serials are those of [`GcRootKind::ThreadObject`]. Frames count from
/// the top of the thread's stack trace; `None` where the dump says −1, "no frame".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcRootKind {
    /// Not known, or none of the others.
    Unknown,
    /// A global reference of native code.
    JniGlobal {
        /// The reference itself, as native code sees it.
        reference_id: u64,
    },
    /// A local reference of native code.
    JniLocal {
        /// The thread.
        thread_serial: u32,
        /// The native method's frame.
        frame: Option<u32>,
    },
    /// A local variable or parameter of a Java method.
    JavaFrame {
        /// The thread.
        thread_serial: u32,
        /// The method's frame.
        frame: Option<u32>,
    },
    /// Something on a native stack.
    NativeStack {
        /// The thread.
        thread_serial: u32,
    },
    /// A class that is never unloaded.
    StickyClass,
    /// Held by a thread, it is not said where.
    ThreadBlock {
        /// The thread.
        thread_serial: u32,
    },
    /// A monitor that is locked or waited for.
    MonitorUsed,
    /// A thread that runs. The object is 0 for a thread that just attaches through JNI.
    ThreadObject {
        /// The thread's serial, by which other roots refer to it.
        thread_serial: u32,
        /// Serial of its stack trace; 0 when none was recorded.
        trace_serial: u32,
    },
    /// Android: an interned string.
    InternedString,
    /// Android: waits for its finalizer.
    Finalizing,
    /// Android: held by a debugger.
    Debugger,
    /// Android: held while references are cleaned up.
    ReferenceCleanup,
    /// Android: held by the virtual machine.
    VmInternal,
    /// Android: a monitor that native code has locked.
    JniMonitor {
        /// The thread.
        thread_serial: u32,
        /// The native method's frame.
        frame: Option<u32>,
    },
    /// Android: not a root at all, an object that the dump marks as unreachable.
    Unreachable,
}

/// Why a heap record could not be decoded; the iterator adds where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Truncated,
    UnknownTag,
    UnknownType(u8),
}

impl<'a> HeapRecord<'a> {
    /// Decodes the record behind its tag, and returns it with what follows. `SIZE` is the size of
    /// identifiers, so that the branch on it stands outside.
    #[inline(always)]
    pub(crate) fn parse<const SIZE: usize>(
        tag: u8,
        body: &'a [u8],
    ) -> Result<(Self, &'a [u8]), Fault> {
        match tag {
            heap::INSTANCE_DUMP => instance::<SIZE>(body).ok_or(Fault::Truncated),
            heap::OBJECT_ARRAY_DUMP => object_array::<SIZE>(body).ok_or(Fault::Truncated),
            heap::PRIMITIVE_ARRAY_DUMP => primitive_array::<SIZE>(body),
            _ => Self::parse_rare(tag, body, identifier_size::<SIZE>()),
        }
    }

    /// All but objects: a few thousand in a dump of millions.
    #[inline(never)]
    fn parse_rare(
        tag: u8,
        body: &'a [u8],
        size: IdentifierSize,
    ) -> Result<(Self, &'a [u8]), Fault> {
        match tag {
            heap::CLASS_DUMP => {
                let (class, rest) = ClassDump::parse(body, size)?;
                Ok((HeapRecord::Class(class), rest))
            }
            heap::PRIMITIVE_ARRAY_WITHOUT_DATA => {
                let mut cursor = Cursor::new(body);
                let mut head =
                    || Some((cursor.id(size)?, cursor.u4()?, cursor.u4()?, cursor.u1()?));
                let (object_id, trace_serial, length, code) = head().ok_or(Fault::Truncated)?;
                let record = HeapRecord::PrimitiveArrayWithoutData {
                    object_id,
                    trace_serial,
                    element_type: PrimitiveType::from_code(code).ok_or(Fault::UnknownType(code))?,
                    length,
                };
                Ok((record, cursor.rest))
            }
            heap::HEAP_INFO => {
                let mut cursor = Cursor::new(body);
                let heap_id = cursor.u4().ok_or(Fault::Truncated)?;
                let name_id = cursor.id(size).ok_or(Fault::Truncated)?;
                Ok((HeapRecord::HeapInfo { heap_id, name_id }, cursor.rest))
            }
            _ => {
                let (root, rest) = gc_root(tag, body, size)?;
                Ok((HeapRecord::GcRoot(root), rest))
            }
        }
    }
}

const fn identifier_size<const SIZE: usize>() -> IdentifierSize {
    if SIZE == 4 {
        IdentifierSize::Four
    } else {
        IdentifierSize::Eight
    }
}

// In the three below the fixed part is split off first: one check of bounds instead of five.

#[inline(always)]
fn instance<const SIZE: usize>(body: &[u8]) -> Option<(HeapRecord<'_>, &[u8])> {
    let (head, rest) = body.split_at_checked(2 * SIZE + 8)?;
    let mut head = Cursor::new(head);
    let object_id = head.id_of_size::<SIZE>()?;
    let trace_serial = head.u4()?;
    let class_id = head.id_of_size::<SIZE>()?;
    let (fields, rest) = rest.split_at_checked(usize::try_from(head.u4()?).ok()?)?;
    let record = HeapRecord::Instance {
        object_id,
        trace_serial,
        class_id,
        fields,
    };
    Some((record, rest))
}

#[inline(always)]
fn object_array<const SIZE: usize>(body: &[u8]) -> Option<(HeapRecord<'_>, &[u8])> {
    let (head, rest) = body.split_at_checked(2 * SIZE + 8)?;
    let mut head = Cursor::new(head);
    let object_id = head.id_of_size::<SIZE>()?;
    let trace_serial = head.u4()?;
    let length = head.u4()?;
    let class_id = head.id_of_size::<SIZE>()?;
    let mut cursor = Cursor::new(rest);
    let elements = Ids::new(cursor.elements(length, SIZE)?, identifier_size::<SIZE>());
    let record = HeapRecord::ObjectArray {
        object_id,
        trace_serial,
        class_id,
        elements,
    };
    Some((record, cursor.rest))
}

#[inline(always)]
fn primitive_array<const SIZE: usize>(body: &[u8]) -> Result<(HeapRecord<'_>, &[u8]), Fault> {
    let (head, rest) = body.split_at_checked(SIZE + 9).ok_or(Fault::Truncated)?;
    let mut head = Cursor::new(head);
    let mut fixed = || {
        Some((
            head.id_of_size::<SIZE>()?,
            head.u4()?,
            head.u4()?,
            head.u1()?,
        ))
    };
    let (object_id, trace_serial, length, code) = fixed().ok_or(Fault::Truncated)?;
    let element_type = PrimitiveType::from_code(code).ok_or(Fault::UnknownType(code))?;
    let mut cursor = Cursor::new(rest);
    let elements = cursor
        .elements(length, element_type.bytes())
        .ok_or(Fault::Truncated)?;
    let record = HeapRecord::PrimitiveArray {
        object_id,
        trace_serial,
        element_type,
        length,
        elements,
    };
    Ok((record, cursor.rest))
}

fn gc_root(tag: u8, body: &[u8], size: IdentifierSize) -> Result<(GcRoot, &[u8]), Fault> {
    let mut cursor = Cursor::new(body);
    let mut read = || {
        let object_id = cursor.id(size)?;
        let mut serial = || cursor.u4();
        let frame = |number: u32| (number != u32::MAX).then_some(number);
        let kind = match tag {
            heap::ROOT_UNKNOWN => GcRootKind::Unknown,
            heap::ROOT_JNI_GLOBAL => GcRootKind::JniGlobal {
                reference_id: cursor.id(size)?,
            },
            heap::ROOT_JNI_LOCAL => GcRootKind::JniLocal {
                thread_serial: serial()?,
                frame: frame(serial()?),
            },
            heap::ROOT_JAVA_FRAME => GcRootKind::JavaFrame {
                thread_serial: serial()?,
                frame: frame(serial()?),
            },
            heap::ROOT_NATIVE_STACK => GcRootKind::NativeStack {
                thread_serial: serial()?,
            },
            heap::ROOT_STICKY_CLASS => GcRootKind::StickyClass,
            heap::ROOT_THREAD_BLOCK => GcRootKind::ThreadBlock {
                thread_serial: serial()?,
            },
            heap::ROOT_MONITOR_USED => GcRootKind::MonitorUsed,
            heap::ROOT_THREAD_OBJECT => GcRootKind::ThreadObject {
                thread_serial: serial()?,
                trace_serial: serial()?,
            },
            heap::ROOT_INTERNED_STRING => GcRootKind::InternedString,
            heap::ROOT_FINALIZING => GcRootKind::Finalizing,
            heap::ROOT_DEBUGGER => GcRootKind::Debugger,
            heap::ROOT_REFERENCE_CLEANUP => GcRootKind::ReferenceCleanup,
            heap::ROOT_VM_INTERNAL => GcRootKind::VmInternal,
            heap::ROOT_JNI_MONITOR => GcRootKind::JniMonitor {
                thread_serial: serial()?,
                frame: frame(serial()?),
            },
            heap::UNREACHABLE => GcRootKind::Unreachable,
            _ => return Some(Err(Fault::UnknownTag)),
        };
        Some(Ok(GcRoot { object_id, kind }))
    };
    let root = read().unwrap_or(Err(Fault::Truncated))?;
    Ok((root, cursor.rest))
}
