//! The copy itself, record by record.

use std::io::{self, Write};

use super::plan::{DumpPlan, Plan, SegmentPlan};
use super::rules::{Fate, Keeping};
use super::{Redaction, RedactionSummary, Text};
use crate::tag::record as tag;
use crate::{
    ClassDefinition, ClassDump, HeapRecord, HeapRecordWriter, HeapSegment, Hprof, HprofWriter,
    PrimitiveType, RecordBody, Value, ValueType,
};

/// No heap record has this tag: it tells a reader that the rest of a segment is missing.
const MISSING: u8 = 0;

pub(super) fn copy<W: Write>(
    hprof: &Hprof<'_>,
    mut plan: Plan<'_>,
    options: &Redaction<'_>,
    sink: W,
    summary: &mut RedactionSummary,
) -> io::Result<()> {
    let header = hprof.header();
    let mut copy = Copy {
        writer: HprofWriter::new(
            sink,
            header.version,
            header.identifier_size,
            header.taken_at,
        )?,
        records: HeapRecordWriter::new(header.identifier_size),
        keeping: Keeping::new(options),
        text: options.text,
        summary,
    };
    let mut segments = std::mem::take(&mut plan.segments).into_iter();
    let mut problems = std::mem::take(&mut plan.problems);
    for record in hprof.records().filter_map(Result::ok) {
        if let Some(progress) = options.progress {
            let done = record.offset as f32 / hprof.bytes().len().max(1) as f32;
            progress(0.6 + 0.4 * done);
        }
        let micros = record.time_offset_micros;
        match record.body {
            RecordBody::Utf8 { id, .. } if !plan.is_used(id) => copy.summary.dropped_texts += 1,
            RecordBody::Other { tag, bytes } => problems.add(format!(
                "record with the unknown tag 0x{tag:02x} at byte {} is left out, {} bytes",
                record.offset,
                bytes.len()
            )),
            RecordBody::HeapDump(segment) | RecordBody::HeapDumpSegment(segment) => {
                let parts = segments.next().unwrap_or_default();
                copy.segment(record.tag, micros, &segment, &parts, &plan)?;
            }
            body => copy.writer.record_after(micros, &body)?,
        }
    }
    copy.writer.finish()?;
    summary.problems.append(&mut problems.0);
    Ok(())
}

struct Copy<'o, W: Write> {
    writer: HprofWriter<W>,
    /// One class at a time.
    records: HeapRecordWriter,
    keeping: Keeping<'o>,
    text: Text<'o>,
    summary: &'o mut RedactionSummary,
}

impl<W: Write> Copy<'_, W> {
    fn segment(
        &mut self,
        tag: u8,
        micros: u32,
        segment: &HeapSegment<'_>,
        parts: &SegmentPlan,
        plan: &Plan<'_>,
    ) -> io::Result<()> {
        let last = parts.cuts.len().saturating_sub(2);
        let is_cut = last > 0;
        let nothing = DumpPlan::default();
        let dump = plan.dumps.get(&segment.dump).unwrap_or(&nothing);
        for (number, part) in parts.cuts.windows(2).enumerate() {
            let (start, end) = (part[0], part[1]);
            let is_marked = number == last && parts.lost > 0 && !segment.truncated;
            let claimed = if number == last && segment.truncated {
                // more than there is, as in the input
                (end - start).saturating_add(parts.lost.max(1))
            } else {
                end - start + u64::from(is_marked)
            };
            let length = match u32::try_from(claimed) {
                Ok(length) => length,
                Err(_) if segment.truncated && end - start < u64::from(u32::MAX) => u32::MAX,
                Err(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        format!(
                            "the object at byte {start} takes more than 4 GiB, which a segment cannot hold"
                        ),
                    ));
                }
            };
            let tag = if is_cut { tag::HEAP_DUMP_SEGMENT } else { tag };
            self.writer.record_header(micros, tag, length)?;
            let mut records = segment.records_from(start);
            let mut at = start;
            while at < end
                && let Some(Ok(record)) = records.next()
            {
                let from = (at - segment.offset) as usize;
                at = records.offset();
                let to = (at - segment.offset) as usize;
                let raw = segment.bytes.get(from..to).unwrap_or_default();
                self.heap_record(&record, raw, dump, plan)?;
            }
            if is_marked {
                self.writer.raw(&[MISSING])?;
            }
        }
        if is_cut && tag == tag::HEAP_DUMP && !segment.truncated {
            self.writer.record(&RecordBody::HeapDumpEnd)?;
        }
        Ok(())
    }

    /// `raw` is the whole record, with its tag.
    fn heap_record(
        &mut self,
        record: &HeapRecord<'_>,
        raw: &[u8],
        dump: &DumpPlan,
        plan: &Plan<'_>,
    ) -> io::Result<()> {
        match *record {
            // ids, serials, lengths and types alone
            HeapRecord::GcRoot(_) | HeapRecord::HeapInfo { .. } => return self.writer.raw(raw),
            HeapRecord::ObjectArray { .. } | HeapRecord::PrimitiveArrayWithoutData { .. } => {
                self.writer.raw(raw)?;
            }
            HeapRecord::Class(class) => self.class(&class, plan)?,
            HeapRecord::Instance {
                object_id,
                class_id,
                fields,
                ..
            } => {
                let head = raw.len() - fields.len();
                self.writer.raw(raw.get(..head).unwrap_or_default())?;
                self.instance(object_id, class_id, fields, dump)?;
            }
            HeapRecord::PrimitiveArray {
                object_id,
                element_type,
                elements,
                ..
            } => {
                let head = raw.len() - elements.len();
                self.writer.raw(raw.get(..head).unwrap_or_default())?;
                self.elements(object_id, element_type, elements, dump)?;
            }
        }
        self.summary.objects += 1;
        Ok(())
    }

    fn class(&mut self, class: &ClassDump<'_>, plan: &Plan<'_>) -> io::Result<()> {
        let kept = self.keeping.static_fields(class, &plan.names);
        let mut definition = ClassDefinition::from(class);
        for (position, field) in definition.static_fields.iter_mut().enumerate() {
            let is_kept = kept.binary_search(&position).is_ok();
            self.summary.value(&mut field.value, is_kept);
        }
        for entry in &mut definition.constant_pool {
            self.summary.value(&mut entry.value, false);
        }
        self.records.clear();
        self.records.class(&definition)?;
        self.writer.raw(self.records.as_bytes())
    }

    fn instance(
        &mut self,
        object: u64,
        class: u64,
        fields: &[u8],
        dump: &DumpPlan,
    ) -> io::Result<()> {
        let Some(class) = dump.classes.get(&class) else {
            return self.zeros(fields.len());
        };
        if class.value.is_some() && dump.fate(object) == Fate::Keep {
            self.summary.kept_bytes += fields.len() as u64;
            return self.writer.raw(fields);
        }
        let mut rest = fields;
        for run in &class.runs {
            let (run_bytes, behind) = rest.split_at(run.bytes.min(rest.len()));
            match run.is_copied {
                true => self.writer.raw(run_bytes)?,
                false => self.zeros(run_bytes.len())?,
            }
            rest = behind;
        }
        self.summary.kept_bytes += class.kept_bytes;
        // more than its class says is nothing that anybody could read
        self.zeros(rest.len())
    }

    fn elements(
        &mut self,
        array: u64,
        element_type: PrimitiveType,
        elements: &[u8],
        dump: &DumpPlan,
    ) -> io::Result<()> {
        let fate = match self.keeping.arrays(element_type) {
            true => Fate::Keep,
            false => dump.fate(array),
        };
        match (fate, self.text, element_type) {
            (Fate::Keep, _, _) => {
                self.summary.kept_bytes += elements.len() as u64;
                self.writer.raw(elements)
            }
            (Fate::Hash, Text::Hash(hash), PrimitiveType::Byte | PrimitiveType::Char) => {
                self.summary.redacted_bytes += elements.len() as u64;
                let digits = Digits::new(hash(elements), element_type);
                digits.write(elements.len(), &mut self.writer)
            }
            _ => self.zeros(elements.len()),
        }
    }

    fn zeros(&mut self, count: usize) -> io::Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        self.summary.redacted_bytes += count as u64;
        let mut left = count;
        while left > 0 {
            let now = left.min(ZEROS.len());
            self.writer.raw(ZEROS.get(..now).unwrap_or_default())?;
            left -= now;
        }
        Ok(())
    }
}

impl RedactionSummary {
    /// Zeroes a value unless it is a reference or stays.
    fn value(&mut self, value: &mut Value, is_kept: bool) {
        let Some(primitive) = value.value_type().primitive() else {
            return;
        };
        let bytes = primitive.bytes() as u64;
        if is_kept {
            self.kept_bytes += bytes;
        } else {
            self.redacted_bytes += bytes;
            *value = Value::zero(ValueType::from(primitive));
        }
    }
}

/// A hash as text that repeats.
struct Digits(Vec<u8>);

impl Digits {
    fn new(hash: [u8; 32], element_type: PrimitiveType) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |half: u8| DIGITS[usize::from(half & 15)];
        let digits = hash
            .into_iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte)]);
        Digits(match element_type {
            PrimitiveType::Char => digits.flat_map(|digit| [0, digit]).collect(),
            _ => digits.collect(),
        })
    }

    fn write<W: Write>(&self, count: usize, writer: &mut HprofWriter<W>) -> io::Result<()> {
        let mut left = count;
        while left > 0 {
            let now = left.min(self.0.len());
            writer.raw(self.0.get(..now).unwrap_or_default())?;
            left -= now;
        }
        Ok(())
    }
}
