//! Content of `java.lang.String` objects, read from the dump when it is asked for.

use std::collections::BTreeMap;

use leakline_hprof::{HeapRecord, PrimitiveType, ValueType};

use crate::classes::{big_endian, dump_bytes};
use crate::graph::Heap;
use crate::records::object_id;

/// Longer strings are cut: they serve as names.
const MAX_CHARACTERS: usize = 256;

impl Heap<'_> {
    /// Gives each thread its name.
    pub(crate) fn name_threads(&mut self) {
        let objects: Vec<u32> = self.threads.iter().map(|thread| thread.object).collect();
        let names = self.named_by_field(&objects, "name");
        for (thread, name) in self.threads.iter_mut().zip(names) {
            thread.name = name.unwrap_or_default();
        }
    }

    /// The thread with this object; threads are ordered by their objects.
    pub(crate) fn thread(&self, object: u32) -> Option<&crate::roots::Thread> {
        let found = self
            .threads
            .binary_search_by_key(&object, |thread| thread.object);
        self.threads.get(found.ok()?)
    }

    /// The string (or `char[]`, before JDK 9) in this field of each object.
    pub(crate) fn named_by_field(&self, objects: &[u32], field: &str) -> Vec<Option<String>> {
        let strings: Vec<Option<u32>> = objects
            .iter()
            .map(|object| self.field(*object, field))
            .collect();
        let texts = self.texts(strings.iter().flatten().copied());
        strings
            .iter()
            .map(|string| texts.get(&(*string)?).cloned())
            .collect()
    }

    /// Texts of strings and character arrays, by object. What is neither is left out.
    pub(crate) fn texts(&self, objects: impl Iterator<Item = u32>) -> BTreeMap<u32, String> {
        self.texts_up_to(objects, MAX_CHARACTERS)
    }

    /// As [`texts`](Self::texts), cut to so many characters.
    pub(crate) fn texts_up_to(
        &self,
        objects: impl Iterator<Item = u32>,
        characters: usize,
    ) -> BTreeMap<u32, String> {
        let objects: Vec<u32> = objects.collect();
        let array = |object: u32| self.field(object, "value").unwrap_or(object);
        let mut ids: Vec<u64> = objects
            .iter()
            .flat_map(|object| [self.id(*object), self.id(array(*object))])
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let records: BTreeMap<u64, HeapRecord<'_>> = self
            .records
            .find(&ids)
            .into_iter()
            .filter_map(|record| Some((object_id(&record)?, record)))
            .collect();
        objects
            .into_iter()
            .filter_map(|object| {
                let string = records.get(&self.id(object));
                let wide = self.is_utf16(object, string);
                let (skipped, kept) = self.part_of_array(object, string);
                let array = records.get(&self.id(array(object)))?;
                Some((object, decode(array, wide, skipped, kept.min(characters))?))
            })
            .collect()
    }

    /// Strings of JDK 9 and later hold Latin-1 or, with `coder` 1, UTF-16.
    pub(crate) fn is_utf16(&self, string: u32, record: Option<&HeapRecord<'_>>) -> bool {
        self.own_primitive(string, record, "coder") == Some(1)
    }

    /// Strings of JDK 6 and of old Androids share the arrays of those that they were cut from:
    /// characters to skip, and characters of the string.
    fn part_of_array(&self, string: u32, record: Option<&HeapRecord<'_>>) -> (usize, usize) {
        let field = |name| self.own_primitive(string, record, name);
        match (field("offset"), field("count")) {
            (Some(offset), Some(count)) => (offset, count),
            _ => (0, usize::MAX),
        }
    }

    /// An integer field that the object's class itself declares, from the object's record.
    fn own_primitive(
        &self,
        object: u32,
        record: Option<&HeapRecord<'_>>,
        name: &str,
    ) -> Option<usize> {
        let Some(HeapRecord::Instance { fields, .. }) = record else {
            return None;
        };
        let identifier_bytes = self.records.identifier_bytes() as u32;
        let mut offset = 0usize;
        for field in &self.class(object).fields {
            let bytes = dump_bytes(field.value_type, identifier_bytes) as usize;
            if field.value_type != ValueType::Object && self.name(field.name) == name {
                let value = fields.get(offset..offset + bytes)?;
                return usize::try_from(big_endian(value)).ok();
            }
            offset += bytes;
        }
        None
    }
}

fn decode(
    record: &HeapRecord<'_>,
    wide: bool,
    skipped: usize,
    characters: usize,
) -> Option<String> {
    let HeapRecord::PrimitiveArray {
        element_type,
        elements,
        ..
    } = *record
    else {
        return None;
    };
    // in the dump a char[] is big-endian, but the bytes of a byte[] stand as in memory, where
    // every current JVM is little-endian
    let utf16 = |unit: fn([u8; 2]) -> u16| {
        let (units, _) = elements.as_chunks::<2>();
        let units = units.iter().skip(skipped).map(|bytes| unit(*bytes));
        char::decode_utf16(units)
            .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
            .take(characters)
            .collect()
    };
    match element_type {
        PrimitiveType::Char => Some(utf16(u16::from_be_bytes)),
        PrimitiveType::Byte if wide => Some(utf16(u16::from_le_bytes)),
        PrimitiveType::Byte => Some(
            elements
                .iter()
                .skip(skipped)
                .take(characters)
                .map(|byte| char::from(*byte))
                .collect(),
        ),
        _ => None,
    }
}
