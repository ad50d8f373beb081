//! The forms that dumps come in, and writing a heap in each of them.

use std::io;

use leakline_model::Timestamp;

use super::{Content, HeapBuilder, Object};
use crate::{
    ClassDefinition, HeapRecordWriter, HprofWriter, IdentifierSize, Ids, RecordBody, Version,
};

/// How a heap is written to a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// 1.0.1 is written as one HEAP_DUMP, others as segments and a HEAP_DUMP_END.
    pub version: Version,
    /// Date in the header.
    pub taken_at: Option<Timestamp>,
    /// Names, loaded classes and stacks before the heap, or after it.
    pub names: Place,
    /// Roots before classes and objects, or after them.
    pub roots: Place,
    /// Classes before objects, or after them.
    pub classes: Place,
    /// A segment ends as soon as it has so many bytes; `None` for one segment.
    pub segment_bytes: Option<usize>,
}

/// Before or after the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before.
    First,
    /// After.
    Last,
}

/// As JDK 25 writes it: 1.0.2, one segment; roots, classes, objects.
impl Default for Form {
    fn default() -> Self {
        Form {
            version: Version::V1_0_2,
            taken_at: Some(Timestamp::from_millis(1_795_345_200_000)),
            names: Place::First,
            roots: Place::First,
            classes: Place::First,
            segment_bytes: None,
        }
    }
}

impl HeapBuilder {
    pub(super) fn write(&self, form: &Form) -> io::Result<Vec<u8>> {
        let size = self.identifier_size;
        let mut writer = HprofWriter::new(Vec::new(), form.version, size, form.taken_at)?;
        if form.names == Place::First {
            self.write_names(&mut writer)?;
        }
        let mut segments = Segments {
            writer,
            form,
            records: HeapRecordWriter::new(size),
        };
        if form.roots == Place::First {
            self.write_roots(&mut segments)?;
        }
        if form.classes == Place::First {
            self.write_classes(&mut segments)?;
        }
        self.write_objects(&mut segments)?;
        if form.classes == Place::Last {
            self.write_classes(&mut segments)?;
        }
        if form.roots == Place::Last {
            self.write_roots(&mut segments)?;
        }
        let mut writer = segments.finish()?;
        if form.names == Place::Last {
            self.write_names(&mut writer)?;
        }
        writer.finish()
    }

    fn write_names(&self, writer: &mut HprofWriter<Vec<u8>>) -> io::Result<()> {
        for (id, text) in (1..).zip(&self.names_in_order) {
            let text = text.as_bytes();
            writer.record(&RecordBody::Utf8 { id, text })?;
        }
        for (serial, class) in (1..).zip(&self.classes) {
            writer.record(&RecordBody::LoadClass {
                serial,
                class_id: class.id.0,
                trace_serial: 0,
                name_id: class.name,
            })?;
        }
        self.write_stacks(writer)
    }

    fn write_stacks(&self, writer: &mut HprofWriter<Vec<u8>>) -> io::Result<()> {
        for (id, frame) in (1..).zip(&self.frames) {
            writer.record(&RecordBody::Frame {
                id,
                method_name_id: frame.method,
                signature_id: frame.signature,
                source_file_id: frame.source_file,
                class_serial: self.class_index(frame.class) as u32 + 1,
                line: frame.line,
            })?;
        }
        for (serial, frames) in (1..).zip(&self.threads) {
            let mut ids = Vec::new();
            for index in frames.clone() {
                match self.identifier_size {
                    IdentifierSize::Four => ids.extend((index as u32 + 1).to_be_bytes()),
                    IdentifierSize::Eight => ids.extend((index as u64 + 1).to_be_bytes()),
                }
            }
            writer.record(&RecordBody::Trace {
                serial,
                thread_serial: serial,
                frame_ids: Ids::new(&ids, self.identifier_size),
            })?;
        }
        Ok(())
    }

    fn write_roots(&self, segments: &mut Segments<'_>) -> io::Result<()> {
        self.roots
            .iter()
            .try_for_each(|root| segments.next()?.gc_root(*root))
    }

    fn write_classes(&self, segments: &mut Segments<'_>) -> io::Result<()> {
        for class in self.classes.iter().filter(|class| class.is_described) {
            let bytes: usize = self
                .all_fields(class.id)
                .iter()
                .map(|field| field.value_type.bytes(self.identifier_size))
                .sum();
            segments.next()?.class(&ClassDefinition {
                class_id: class.id.0,
                super_id: class.super_id.map_or(0, |id| id.0),
                loader_id: class.loader.0,
                instance_size: bytes as u32,
                static_fields: class.static_fields.clone(),
                instance_fields: class.instance_fields.clone(),
                ..ClassDefinition::default()
            })?;
        }
        Ok(())
    }

    fn write_objects(&self, segments: &mut Segments<'_>) -> io::Result<()> {
        for Object { id, content } in &self.objects {
            let records = segments.next()?;
            match content {
                Content::Instance(class, values) => records.instance(id.0, 0, class.0, values)?,
                Content::ObjectArray(class, elements) => {
                    records.object_array(id.0, 0, class.0, elements.iter().map(|e| e.0))?;
                }
                Content::PrimitiveArray(element_type, elements) => {
                    records.primitive_array(id.0, 0, *element_type, elements)?;
                }
            }
        }
        Ok(())
    }
}

/// Heap records on their way into segments of the size asked for.
struct Segments<'a> {
    writer: HprofWriter<Vec<u8>>,
    form: &'a Form,
    records: HeapRecordWriter,
}

impl Segments<'_> {
    /// Where the next heap record goes.
    fn next(&mut self) -> io::Result<&mut HeapRecordWriter> {
        let is_full = self
            .form
            .segment_bytes
            .is_some_and(|bytes| self.records.as_bytes().len() >= bytes.max(1));
        if is_full && self.form.version != Version::V1_0_1 {
            self.writer.heap_segment(&self.records)?;
            self.records.clear();
        }
        Ok(&mut self.records)
    }

    fn finish(mut self) -> io::Result<HprofWriter<Vec<u8>>> {
        if self.form.version == Version::V1_0_1 {
            self.writer.heap_dump(&self.records)?;
        } else {
            self.writer.heap_segment(&self.records)?;
            self.writer.record(&RecordBody::HeapDumpEnd)?;
        }
        Ok(self.writer)
    }
}
