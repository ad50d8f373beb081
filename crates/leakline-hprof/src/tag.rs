//! The tags of records and heap records, and their names for messages.

use std::fmt;

/// Tags of records at the top level.
pub(crate) mod record {
    pub(crate) const UTF8: u8 = 0x01;
    pub(crate) const LOAD_CLASS: u8 = 0x02;
    pub(crate) const UNLOAD_CLASS: u8 = 0x03;
    pub(crate) const FRAME: u8 = 0x04;
    pub(crate) const TRACE: u8 = 0x05;
    pub(crate) const ALLOC_SITES: u8 = 0x06;
    pub(crate) const HEAP_SUMMARY: u8 = 0x07;
    pub(crate) const START_THREAD: u8 = 0x0a;
    pub(crate) const END_THREAD: u8 = 0x0b;
    pub(crate) const HEAP_DUMP: u8 = 0x0c;
    pub(crate) const CPU_SAMPLES: u8 = 0x0d;
    pub(crate) const CONTROL_SETTINGS: u8 = 0x0e;
    pub(crate) const HEAP_DUMP_SEGMENT: u8 = 0x1c;
    pub(crate) const HEAP_DUMP_END: u8 = 0x2c;
}

/// Tags of heap records, inside a segment. From `ROOT_INTERNED_STRING` on they are Android's,
/// except `ROOT_UNKNOWN`.
pub(crate) mod heap {
    pub(crate) const ROOT_JNI_GLOBAL: u8 = 0x01;
    pub(crate) const ROOT_JNI_LOCAL: u8 = 0x02;
    pub(crate) const ROOT_JAVA_FRAME: u8 = 0x03;
    pub(crate) const ROOT_NATIVE_STACK: u8 = 0x04;
    pub(crate) const ROOT_STICKY_CLASS: u8 = 0x05;
    pub(crate) const ROOT_THREAD_BLOCK: u8 = 0x06;
    pub(crate) const ROOT_MONITOR_USED: u8 = 0x07;
    pub(crate) const ROOT_THREAD_OBJECT: u8 = 0x08;
    pub(crate) const CLASS_DUMP: u8 = 0x20;
    pub(crate) const INSTANCE_DUMP: u8 = 0x21;
    pub(crate) const OBJECT_ARRAY_DUMP: u8 = 0x22;
    pub(crate) const PRIMITIVE_ARRAY_DUMP: u8 = 0x23;
    pub(crate) const ROOT_INTERNED_STRING: u8 = 0x89;
    pub(crate) const ROOT_FINALIZING: u8 = 0x8a;
    pub(crate) const ROOT_DEBUGGER: u8 = 0x8b;
    pub(crate) const ROOT_REFERENCE_CLEANUP: u8 = 0x8c;
    pub(crate) const ROOT_VM_INTERNAL: u8 = 0x8d;
    pub(crate) const ROOT_JNI_MONITOR: u8 = 0x8e;
    pub(crate) const UNREACHABLE: u8 = 0x90;
    pub(crate) const PRIMITIVE_ARRAY_WITHOUT_DATA: u8 = 0xc3;
    pub(crate) const HEAP_INFO: u8 = 0xfe;
    pub(crate) const ROOT_UNKNOWN: u8 = 0xff;
}

/// Shows a record's tag as `LOAD_CLASS (0x02)`.
pub(crate) struct RecordTag(pub(crate) u8);

/// Shows a heap record's tag as `INSTANCE_DUMP (0x21)`.
pub(crate) struct HeapTag(pub(crate) u8);

/// The name of a record's tag; `None` for tags that the format does not define.
pub(crate) fn record_tag_name(tag: u8) -> Option<&'static str> {
    Some(match tag {
        record::UTF8 => "UTF8",
        record::LOAD_CLASS => "LOAD_CLASS",
        record::UNLOAD_CLASS => "UNLOAD_CLASS",
        record::FRAME => "FRAME",
        record::TRACE => "TRACE",
        record::ALLOC_SITES => "ALLOC_SITES",
        record::HEAP_SUMMARY => "HEAP_SUMMARY",
        record::START_THREAD => "START_THREAD",
        record::END_THREAD => "END_THREAD",
        record::HEAP_DUMP => "HEAP_DUMP",
        record::CPU_SAMPLES => "CPU_SAMPLES",
        record::CONTROL_SETTINGS => "CONTROL_SETTINGS",
        record::HEAP_DUMP_SEGMENT => "HEAP_DUMP_SEGMENT",
        record::HEAP_DUMP_END => "HEAP_DUMP_END",
        _ => return None,
    })
}

fn heap_tag_name(tag: u8) -> Option<&'static str> {
    Some(match tag {
        heap::ROOT_JNI_GLOBAL => "ROOT_JNI_GLOBAL",
        heap::ROOT_JNI_LOCAL => "ROOT_JNI_LOCAL",
        heap::ROOT_JAVA_FRAME => "ROOT_JAVA_FRAME",
        heap::ROOT_NATIVE_STACK => "ROOT_NATIVE_STACK",
        heap::ROOT_STICKY_CLASS => "ROOT_STICKY_CLASS",
        heap::ROOT_THREAD_BLOCK => "ROOT_THREAD_BLOCK",
        heap::ROOT_MONITOR_USED => "ROOT_MONITOR_USED",
        heap::ROOT_THREAD_OBJECT => "ROOT_THREAD_OBJECT",
        heap::CLASS_DUMP => "CLASS_DUMP",
        heap::INSTANCE_DUMP => "INSTANCE_DUMP",
        heap::OBJECT_ARRAY_DUMP => "OBJECT_ARRAY_DUMP",
        heap::PRIMITIVE_ARRAY_DUMP => "PRIMITIVE_ARRAY_DUMP",
        heap::ROOT_INTERNED_STRING => "ROOT_INTERNED_STRING",
        heap::ROOT_FINALIZING => "ROOT_FINALIZING",
        heap::ROOT_DEBUGGER => "ROOT_DEBUGGER",
        heap::ROOT_REFERENCE_CLEANUP => "ROOT_REFERENCE_CLEANUP",
        heap::ROOT_VM_INTERNAL => "ROOT_VM_INTERNAL",
        heap::ROOT_JNI_MONITOR => "ROOT_JNI_MONITOR",
        heap::UNREACHABLE => "UNREACHABLE",
        heap::PRIMITIVE_ARRAY_WITHOUT_DATA => "PRIMITIVE_ARRAY_NODATA_DUMP",
        heap::HEAP_INFO => "HEAP_DUMP_INFO",
        heap::ROOT_UNKNOWN => "ROOT_UNKNOWN",
        _ => return None,
    })
}

impl fmt::Display for RecordTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(record_tag_name(self.0), self.0, f)
    }
}

impl fmt::Display for HeapTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(heap_tag_name(self.0), self.0, f)
    }
}

fn show(name: Option<&str>, tag: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match name {
        Some(name) => write!(f, "{name} (0x{tag:02x})"),
        None => write!(f, "0x{tag:02x}"),
    }
}
