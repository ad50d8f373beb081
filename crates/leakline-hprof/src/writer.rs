//! Writing dumps: records to a sink, heap records to a buffer that becomes a segment.
//!
//! What is read can be written back: [`HprofWriter::record`] takes the reader's [`RecordBody`],
//! [`HeapRecordWriter::record`] its [`HeapRecord`]. Besides, heap records can be written from
//! values. A value that the format cannot hold (an identifier above 32 bits in a dump with
//! 4-byte identifiers, a count above its field) is an error of kind
//! [`InvalidInput`](io::ErrorKind::InvalidInput), after which the output is not to be used.

use std::io::{self, Write};

use leakline_model::Timestamp;

use crate::tag::{heap, record as tag};
use crate::{
    AllocationTotals, ClassDump, ConstantPoolEntry, FieldDescriptor, GcRoot, GcRootKind,
    HeapRecord, IdentifierSize, PrimitiveType, RecordBody, StaticField, Value, Version,
};

/// Writes a dump, record by record. Keeps no more than one record in memory, and writes each with
/// a few calls: give it a buffered sink.
pub struct HprofWriter<W> {
    sink: W,
    identifier_size: IdentifierSize,
}

impl<W: Write> HprofWriter<W> {
    /// Starts a dump with its header. A time before 1970 is written as "not said".
    pub fn new(
        mut sink: W,
        version: Version,
        identifier_size: IdentifierSize,
        taken_at: Option<Timestamp>,
    ) -> io::Result<Self> {
        let millis = taken_at.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(0));
        write!(sink, "JAVA PROFILE {}\0", version.text())?;
        sink.write_all(&(identifier_size.bytes() as u32).to_be_bytes())?;
        sink.write_all(&millis.to_be_bytes())?;
        Ok(HprofWriter {
            sink,
            identifier_size,
        })
    }

    /// Writes a record, at the time of the header.
    pub fn record(&mut self, body: &RecordBody<'_>) -> io::Result<()> {
        self.record_after(0, body)
    }

    /// Writes a record, so many microseconds after the time of the header.
    pub fn record_after(&mut self, micros: u32, body: &RecordBody<'_>) -> io::Result<()> {
        if let RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment) = body {
            if segment.identifier_size != self.identifier_size {
                return Err(invalid("segment has identifiers of another size"));
            }
            return self.raw_record(micros, tag_of(body), segment.bytes);
        }
        let mut encoder = Encoder::new(self.identifier_size);
        encode_body(&mut encoder, body)?;
        self.raw_record(micros, tag_of(body), &encoder.bytes)
    }

    /// Writes a HEAP_DUMP_SEGMENT record of the heap records in `records`.
    pub fn heap_segment(&mut self, records: &HeapRecordWriter) -> io::Result<()> {
        self.raw_record(0, tag::HEAP_DUMP_SEGMENT, records.as_bytes())
    }

    /// Writes a HEAP_DUMP record of the heap records in `records`.
    pub fn heap_dump(&mut self, records: &HeapRecordWriter) -> io::Result<()> {
        self.raw_record(0, tag::HEAP_DUMP, records.as_bytes())
    }

    /// Flushes the sink and gives it back.
    pub fn finish(mut self) -> io::Result<W> {
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn raw_record(&mut self, micros: u32, tag: u8, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len())
            .map_err(|_| invalid("record is longer than 4 GiB, split it into segments"))?;
        self.record_header(micros, tag, length)?;
        self.raw(body)
    }

    /// Starts a record whose body follows by [`raw`](Self::raw).
    pub(crate) fn record_header(&mut self, micros: u32, tag: u8, length: u32) -> io::Result<()> {
        let [m0, m1, m2, m3] = micros.to_be_bytes();
        let [l0, l1, l2, l3] = length.to_be_bytes();
        self.sink.write_all(&[tag, m0, m1, m2, m3, l0, l1, l2, l3])
    }

    /// Writes part of a record's body.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)
    }
}

/// A class, as [`HeapRecordWriter::class`] writes it. Its fields are those of [`ClassDump`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassDefinition {
    /// The class object.
    pub class_id: u64,
    /// Serial of the stack trace of its loading.
    pub trace_serial: u32,
    /// The superclass; 0 for none.
    pub super_id: u64,
    /// The class loader; 0 for the boot loader.
    pub loader_id: u64,
    /// Array of signers; 0 for none.
    pub signers_id: u64,
    /// Protection domain; 0 for none.
    pub protection_domain_id: u64,
    /// Bytes that the fields of an instance take in the dump.
    pub instance_size: u32,
    /// Values in its constant pool.
    pub constant_pool: Vec<ConstantPoolEntry>,
    /// Its static fields.
    pub static_fields: Vec<StaticField>,
    /// The instance fields that it declares itself.
    pub instance_fields: Vec<FieldDescriptor>,
}

impl From<&ClassDump<'_>> for ClassDefinition {
    fn from(class: &ClassDump<'_>) -> Self {
        ClassDefinition {
            class_id: class.class_id,
            trace_serial: class.trace_serial,
            super_id: class.super_id,
            loader_id: class.loader_id,
            signers_id: class.signers_id,
            protection_domain_id: class.protection_domain_id,
            instance_size: class.instance_size,
            constant_pool: class.constant_pool().collect(),
            static_fields: class.static_fields().collect(),
            instance_fields: class.instance_fields().collect(),
        }
    }
}

/// Collects the heap records of one segment in memory.
#[derive(Clone)]
pub struct HeapRecordWriter {
    encoder: Encoder,
}

impl HeapRecordWriter {
    /// An empty segment.
    pub fn new(identifier_size: IdentifierSize) -> Self {
        HeapRecordWriter {
            encoder: Encoder::new(identifier_size),
        }
    }

    /// The heap records written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.encoder.bytes
    }

    /// Starts the next segment.
    pub fn clear(&mut self) {
        self.encoder.bytes.clear();
    }

    /// Writes a heap record as it was read. The fields of an instance are copied byte by byte, so
    /// they must come from a dump with identifiers of the same size.
    pub fn record(&mut self, record: &HeapRecord<'_>) -> io::Result<()> {
        match *record {
            HeapRecord::GcRoot(root) => self.gc_root(root),
            HeapRecord::Class(class) => self.class(&ClassDefinition::from(&class)),
            HeapRecord::Instance {
                object_id,
                trace_serial,
                class_id,
                fields,
            } => {
                self.instance_head(object_id, trace_serial, class_id, fields.len())?;
                self.encoder.bytes.extend_from_slice(fields);
                Ok(())
            }
            HeapRecord::ObjectArray {
                object_id,
                trace_serial,
                class_id,
                elements,
            } => self.object_array(object_id, trace_serial, class_id, elements.iter()),
            HeapRecord::PrimitiveArray {
                object_id,
                trace_serial,
                element_type,
                elements,
                ..
            } => self.primitive_array(object_id, trace_serial, element_type, elements),
            HeapRecord::PrimitiveArrayWithoutData {
                object_id,
                trace_serial,
                element_type,
                length,
            } => {
                self.encoder.u1(heap::PRIMITIVE_ARRAY_WITHOUT_DATA);
                self.encoder.id(object_id)?;
                self.encoder.u4(trace_serial);
                self.encoder.u4(length);
                self.encoder.u1(element_type.code());
                Ok(())
            }
            HeapRecord::HeapInfo { heap_id, name_id } => {
                self.encoder.u1(heap::HEAP_INFO);
                self.encoder.u4(heap_id);
                self.encoder.id(name_id)
            }
        }
    }

    /// Writes a root.
    pub fn gc_root(&mut self, root: GcRoot) -> io::Result<()> {
        let encoder = &mut self.encoder;
        encoder.u1(root_tag(root.kind));
        encoder.id(root.object_id)?;
        match root.kind {
            GcRootKind::JniGlobal { reference_id } => encoder.id(reference_id)?,
            GcRootKind::JniLocal {
                thread_serial,
                frame,
            }
            | GcRootKind::JavaFrame {
                thread_serial,
                frame,
            }
            | GcRootKind::JniMonitor {
                thread_serial,
                frame,
            } => {
                encoder.u4(thread_serial);
                encoder.u4(frame.unwrap_or(u32::MAX));
            }
            GcRootKind::NativeStack { thread_serial }
            | GcRootKind::ThreadBlock { thread_serial } => encoder.u4(thread_serial),
            GcRootKind::ThreadObject {
                thread_serial,
                trace_serial,
            } => {
                encoder.u4(thread_serial);
                encoder.u4(trace_serial);
            }
            GcRootKind::Unknown
            | GcRootKind::StickyClass
            | GcRootKind::MonitorUsed
            | GcRootKind::InternedString
            | GcRootKind::Finalizing
            | GcRootKind::Debugger
            | GcRootKind::ReferenceCleanup
            | GcRootKind::VmInternal
            | GcRootKind::Unreachable => {}
        }
        Ok(())
    }

    /// Writes a class.
    pub fn class(&mut self, class: &ClassDefinition) -> io::Result<()> {
        let encoder = &mut self.encoder;
        encoder.u1(heap::CLASS_DUMP);
        encoder.id(class.class_id)?;
        encoder.u4(class.trace_serial);
        let reserved = 0;
        for id in [
            class.super_id,
            class.loader_id,
            class.signers_id,
            class.protection_domain_id,
            reserved,
            reserved,
        ] {
            encoder.id(id)?;
        }
        encoder.u4(class.instance_size);
        encoder.count_u2(class.constant_pool.len())?;
        for entry in &class.constant_pool {
            encoder.u2(entry.index);
            encoder.u1(entry.value.value_type().code());
            encoder.value(entry.value)?;
        }
        encoder.count_u2(class.static_fields.len())?;
        for field in &class.static_fields {
            encoder.id(field.name_id)?;
            encoder.u1(field.value.value_type().code());
            encoder.value(field.value)?;
        }
        encoder.count_u2(class.instance_fields.len())?;
        for field in &class.instance_fields {
            encoder.id(field.name_id)?;
            encoder.u1(field.value_type.code());
        }
        Ok(())
    }

    /// Writes an instance with the values of its fields: those of its own class first, then those
    /// of its superclass, and so on up.
    pub fn instance(
        &mut self,
        object_id: u64,
        trace_serial: u32,
        class_id: u64,
        fields: &[Value],
    ) -> io::Result<()> {
        let size = self.encoder.identifier_size;
        let bytes = fields.iter().map(|v| v.value_type().bytes(size)).sum();
        self.instance_head(object_id, trace_serial, class_id, bytes)?;
        fields
            .iter()
            .try_for_each(|value| self.encoder.value(*value))
    }

    fn instance_head(
        &mut self,
        object_id: u64,
        trace_serial: u32,
        class_id: u64,
        bytes: usize,
    ) -> io::Result<()> {
        self.encoder.u1(heap::INSTANCE_DUMP);
        self.encoder.id(object_id)?;
        self.encoder.u4(trace_serial);
        self.encoder.id(class_id)?;
        self.encoder.count_u4(bytes)
    }

    /// Writes an array of references; 0 stands for null.
    pub fn object_array(
        &mut self,
        object_id: u64,
        trace_serial: u32,
        class_id: u64,
        elements: impl ExactSizeIterator<Item = u64>,
    ) -> io::Result<()> {
        self.encoder.u1(heap::OBJECT_ARRAY_DUMP);
        self.encoder.id(object_id)?;
        self.encoder.u4(trace_serial);
        self.encoder.count_u4(elements.len())?;
        self.encoder.id(class_id)?;
        for element in elements {
            self.encoder.id(element)?;
        }
        Ok(())
    }

    /// Writes an array of primitive values, given big-endian and side by side.
    pub fn primitive_array(
        &mut self,
        object_id: u64,
        trace_serial: u32,
        element_type: PrimitiveType,
        elements: &[u8],
    ) -> io::Result<()> {
        if !elements.len().is_multiple_of(element_type.bytes()) {
            return Err(invalid("primitive array with part of an element"));
        }
        self.encoder.u1(heap::PRIMITIVE_ARRAY_DUMP);
        self.encoder.id(object_id)?;
        self.encoder.u4(trace_serial);
        self.encoder
            .count_u4(elements.len() / element_type.bytes())?;
        self.encoder.u1(element_type.code());
        self.encoder.bytes.extend_from_slice(elements);
        Ok(())
    }
}

fn root_tag(kind: GcRootKind) -> u8 {
    match kind {
        GcRootKind::Unknown => heap::ROOT_UNKNOWN,
        GcRootKind::JniGlobal { .. } => heap::ROOT_JNI_GLOBAL,
        GcRootKind::JniLocal { .. } => heap::ROOT_JNI_LOCAL,
        GcRootKind::JavaFrame { .. } => heap::ROOT_JAVA_FRAME,
        GcRootKind::NativeStack { .. } => heap::ROOT_NATIVE_STACK,
        GcRootKind::StickyClass => heap::ROOT_STICKY_CLASS,
        GcRootKind::ThreadBlock { .. } => heap::ROOT_THREAD_BLOCK,
        GcRootKind::MonitorUsed => heap::ROOT_MONITOR_USED,
        GcRootKind::ThreadObject { .. } => heap::ROOT_THREAD_OBJECT,
        GcRootKind::InternedString => heap::ROOT_INTERNED_STRING,
        GcRootKind::Finalizing => heap::ROOT_FINALIZING,
        GcRootKind::Debugger => heap::ROOT_DEBUGGER,
        GcRootKind::ReferenceCleanup => heap::ROOT_REFERENCE_CLEANUP,
        GcRootKind::VmInternal => heap::ROOT_VM_INTERNAL,
        GcRootKind::JniMonitor { .. } => heap::ROOT_JNI_MONITOR,
        GcRootKind::Unreachable => heap::UNREACHABLE,
    }
}

fn tag_of(body: &RecordBody<'_>) -> u8 {
    match body {
        RecordBody::Utf8 { .. } => tag::UTF8,
        RecordBody::LoadClass { .. } => tag::LOAD_CLASS,
        RecordBody::UnloadClass { .. } => tag::UNLOAD_CLASS,
        RecordBody::Frame { .. } => tag::FRAME,
        RecordBody::Trace { .. } => tag::TRACE,
        RecordBody::HeapDump(_) => tag::HEAP_DUMP,
        RecordBody::HeapDumpSegment(_) => tag::HEAP_DUMP_SEGMENT,
        RecordBody::HeapDumpEnd => tag::HEAP_DUMP_END,
        RecordBody::AllocSites { .. } => tag::ALLOC_SITES,
        RecordBody::HeapSummary(_) => tag::HEAP_SUMMARY,
        RecordBody::StartThread { .. } => tag::START_THREAD,
        RecordBody::EndThread { .. } => tag::END_THREAD,
        RecordBody::CpuSamples { .. } => tag::CPU_SAMPLES,
        RecordBody::ControlSettings { .. } => tag::CONTROL_SETTINGS,
        RecordBody::Other { tag, .. } => *tag,
    }
}

/// The counterpart of the reader's `parse_body`.
fn encode_body(encoder: &mut Encoder, body: &RecordBody<'_>) -> io::Result<()> {
    match *body {
        RecordBody::Utf8 { id, text } => {
            encoder.id(id)?;
            encoder.bytes.extend_from_slice(text);
        }
        RecordBody::LoadClass {
            serial,
            class_id,
            trace_serial,
            name_id,
        } => {
            encoder.u4(serial);
            encoder.id(class_id)?;
            encoder.u4(trace_serial);
            encoder.id(name_id)?;
        }
        RecordBody::UnloadClass { serial } => encoder.u4(serial),
        RecordBody::Frame {
            id,
            method_name_id,
            signature_id,
            source_file_id,
            class_serial,
            line,
        } => {
            for id in [id, method_name_id, signature_id, source_file_id] {
                encoder.id(id)?;
            }
            encoder.u4(class_serial);
            encoder.u4(line.code());
        }
        RecordBody::Trace {
            serial,
            thread_serial,
            frame_ids,
        } => {
            encoder.u4(serial);
            encoder.u4(thread_serial);
            encoder.count_u4(frame_ids.len())?;
            for id in frame_ids {
                encoder.id(id)?;
            }
        }
        RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment) => {
            encoder.bytes.extend_from_slice(segment.bytes);
        }
        RecordBody::HeapDumpEnd => {}
        RecordBody::AllocSites {
            flags,
            cutoff_ratio,
            totals,
            count,
            sites,
        } => {
            encoder.u2(flags);
            encoder.u4(cutoff_ratio.to_bits());
            encoder.totals(totals);
            encoder.u4(count);
            encoder.bytes.extend_from_slice(sites);
        }
        RecordBody::HeapSummary(totals) => encoder.totals(totals),
        RecordBody::StartThread {
            thread_serial,
            object_id,
            trace_serial,
            name_id,
            group_name_id,
            parent_group_name_id,
        } => {
            encoder.u4(thread_serial);
            encoder.id(object_id)?;
            encoder.u4(trace_serial);
            for id in [name_id, group_name_id, parent_group_name_id] {
                encoder.id(id)?;
            }
        }
        RecordBody::EndThread { thread_serial } => encoder.u4(thread_serial),
        RecordBody::CpuSamples {
            total,
            count,
            traces,
        } => {
            encoder.u4(total);
            encoder.u4(count);
            encoder.bytes.extend_from_slice(traces);
        }
        RecordBody::ControlSettings { flags, trace_depth } => {
            encoder.u4(flags);
            encoder.u2(trace_depth);
        }
        RecordBody::Other { bytes, .. } => encoder.bytes.extend_from_slice(bytes),
    }
    Ok(())
}

/// Big-endian encoding at the end of a buffer.
#[derive(Clone)]
struct Encoder {
    bytes: Vec<u8>,
    identifier_size: IdentifierSize,
}

impl Encoder {
    fn new(identifier_size: IdentifierSize) -> Self {
        Encoder {
            bytes: Vec::new(),
            identifier_size,
        }
    }

    fn u1(&mut self, value: u8) {
        self.bytes.push(value);
    }

    fn u2(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn u4(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn u8(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn id(&mut self, id: u64) -> io::Result<()> {
        match self.identifier_size {
            IdentifierSize::Eight => self.u8(id),
            IdentifierSize::Four => self.u4(u32::try_from(id)
                .map_err(|_| invalid("identifier above 32 bits in a dump with 4-byte ones"))?),
        }
        Ok(())
    }

    fn count_u2(&mut self, count: usize) -> io::Result<()> {
        self.u2(u16::try_from(count).map_err(|_| invalid("more than 65,535 fields in a class"))?);
        Ok(())
    }

    fn count_u4(&mut self, count: usize) -> io::Result<()> {
        self.u4(u32::try_from(count).map_err(|_| invalid("more than 4,294,967,295 elements"))?);
        Ok(())
    }

    fn value(&mut self, value: Value) -> io::Result<()> {
        match value {
            Value::Object(id) => self.id(id)?,
            Value::Boolean(value) => self.u1(u8::from(value)),
            Value::Char(value) => self.u2(value),
            Value::Float(value) => self.bytes.extend_from_slice(&value.to_be_bytes()),
            Value::Double(value) => self.bytes.extend_from_slice(&value.to_be_bytes()),
            Value::Byte(value) => self.bytes.extend_from_slice(&value.to_be_bytes()),
            Value::Short(value) => self.bytes.extend_from_slice(&value.to_be_bytes()),
            Value::Int(value) => self.bytes.extend_from_slice(&value.to_be_bytes()),
            Value::Long(value) => self.bytes.extend_from_slice(&value.to_be_bytes()),
        }
        Ok(())
    }

    fn totals(&mut self, totals: AllocationTotals) {
        self.u4(totals.live_bytes);
        self.u4(totals.live_instances);
        self.u8(totals.allocated_bytes);
        self.u8(totals.allocated_instances);
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
