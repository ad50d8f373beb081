//! What objects contain, decoded from the dump: labels for lists, values of fields.

use std::collections::BTreeMap;

use leakline_hprof::{HeapRecord, PrimitiveType, Value};
use rayon::prelude::*;

use super::{Inspector, ObjectRow};
use crate::graph::Heap;
use crate::records::object_id;

/// Characters of a string shown in a list.
const LABEL: usize = 80;

impl<'a> Heap<'a> {
    /// What `visit` makes of the heap records, in the order of the dump.
    pub(super) fn each_record<T: Send>(
        &self,
        visit: impl Fn(&HeapRecord<'a>) -> Option<T> + Sync,
    ) -> Vec<T> {
        let chunks = self.records.chunks().par_iter();
        chunks
            .flat_map_iter(|chunk| {
                self.records
                    .records(chunk)
                    .filter_map(|record| visit(&record))
            })
            .collect()
    }

    /// The records of these objects.
    pub(super) fn records_of(&self, objects: &[u32]) -> BTreeMap<u32, HeapRecord<'a>> {
        let mut ids: Vec<u64> = objects.iter().map(|object| self.id(*object)).collect();
        ids.sort_unstable();
        ids.dedup();
        self.records
            .find(&ids)
            .into_iter()
            .filter_map(|record| Some((self.find(object_id(&record)?)?, record)))
            .collect()
    }

    pub(super) fn is_string(&self, object: u32) -> bool {
        self.class_name(object) == "java.lang.String"
    }
}

impl Inspector<'_, '_> {
    /// Objects as rows of a list, in this order.
    pub(super) fn rows(&self, objects: &[u32]) -> Vec<ObjectRow> {
        let heap = self.heap;
        let strings = objects
            .iter()
            .copied()
            .filter(|object| heap.is_string(*object));
        let texts = heap.texts_up_to(strings, LABEL + 1);
        let arrays: Vec<u32> = objects
            .iter()
            .copied()
            .filter(|object| heap.class_name(*object).ends_with("[]"))
            .collect();
        let records = heap.records_of(&arrays);
        let label = |object: u32| {
            if let Some(text) = texts.get(&object) {
                return quoted(text, LABEL);
            }
            match records.get(&object) {
                Some(HeapRecord::ObjectArray { elements, .. }) => format!("[{}]", elements.len()),
                Some(
                    HeapRecord::PrimitiveArray { length, .. }
                    | HeapRecord::PrimitiveArrayWithoutData { length, .. },
                ) => format!("[{length}]"),
                _ => {
                    let thread = heap.thread(object);
                    thread.map_or_else(String::new, |thread| quoted(&thread.name, LABEL))
                }
            }
        };
        objects
            .iter()
            .map(|&object| ObjectRow {
                object_id: heap.id(object),
                class: heap.display_class(object),
                label: label(object),
                shallow_bytes: heap.shallow(object),
                retained_bytes: self.retained(object),
            })
            .collect()
    }

    pub(super) fn row(&self, object: u32) -> ObjectRow {
        let mut rows = self.rows(&[object]);
        rows.swap_remove(0)
    }
}

/// The text in quotation marks, cut to so many characters.
pub(super) fn quoted(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

/// A primitive value as in Java source; `None` for a reference.
pub(super) fn primitive_text(value: Value) -> Option<String> {
    Some(match value {
        Value::Object(_) => return None,
        Value::Boolean(value) => value.to_string(),
        Value::Char(unit) => match char::from_u32(u32::from(unit)) {
            Some(character) if !character.is_control() => character.to_string(),
            _ => format!("\\u{unit:04x}"),
        },
        Value::Float(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Byte(value) => value.to_string(),
        Value::Short(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
    })
}

/// The first elements of a primitive array, as in Java source.
pub(super) fn elements_text(
    element_type: PrimitiveType,
    elements: &[u8],
    count: usize,
) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = elements;
    while texts.len() < count
        && let Some((value, behind)) = Value::decode(
            rest,
            element_type.into(),
            leakline_hprof::IdentifierSize::Eight,
        )
    {
        texts.extend(primitive_text(value));
        rest = behind;
    }
    texts
}
