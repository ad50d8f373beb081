//! Objects by class, by the text of a string, by the value of a field.

use leakline_hprof::{HeapRecord, IdentifierSize, PrimitiveType, Value};
use leakline_model::Glob;

use super::content::primitive_text;
use super::{Filter, InspectError, Inspector, ObjectRow, Rest};
use crate::classes::ClassKind;
use crate::graph::{EdgeName, Heap, NONE};

/// What to look for. All parts that are given must hold.
#[derive(Clone, Debug)]
pub struct Query {
    /// Class, size, and how many objects to list.
    pub filter: Filter,
    /// A text that a string contains, or that a primitive field equals: `4711`, `true`. Without
    /// a class and a field, strings alone are searched; with one of them also objects with such a
    /// field, or a field that refers to such a string.
    pub value: Option<String>,
    /// The name of the field that has the value.
    pub field: Option<Glob>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How many objects.
    pub objects: u64,
    /// Their own sizes.
    pub shallow_bytes: u64,
    /// Those that retain most.
    pub rows: Vec<ObjectRow>,
    /// Objects beside these.
    pub rest: Rest,
}

impl Inspector<'_, '_> {
    /// The reachable objects that a query describes, those that retain most first.
    ///
    /// # Errors
    ///
    /// When no class matches.
    pub fn find(&self, query: &Query) -> Result<Found, InspectError> {
        let mut objects = self.matching(&query.filter)?;
        if let Some(value) = &query.value {
            let strings = self.strings_with(value);
            let is_string = |object: &u32| strings.binary_search(object).is_ok();
            if query.filter.class.is_none() && query.field.is_none() {
                objects.retain(is_string);
            } else {
                let holders = self.holders_of(value, query.field.as_ref(), &objects, &strings);
                objects.retain(|object| {
                    query.field.is_none() && is_string(object)
                        || holders.binary_search(object).is_ok()
                });
            }
        }
        let count = objects.len() as u64;
        let shallow = objects
            .iter()
            .map(|object| self.heap.shallow(*object))
            .sum();
        let rest = self.largest(&mut objects, query.filter.limit);
        Ok(Found {
            objects: count,
            shallow_bytes: shallow,
            rows: self.rows(&objects),
            rest,
        })
    }

    /// Strings whose text contains this one, sorted.
    fn strings_with(&self, text: &str) -> Vec<u32> {
        let heap = self.heap;
        let needle = Needle::new(text);
        // arrays first: which of them are texts, and in which encoding, their strings tell
        let mut arrays: Vec<(u32, Matches)> = heap.each_record(|record| {
            let HeapRecord::PrimitiveArray {
                object_id,
                element_type,
                elements,
                ..
            } = *record
            else {
                return None;
            };
            let matches = needle.search(element_type, elements)?;
            Some((heap.find(object_id)?, matches))
        });
        arrays.sort_unstable();
        arrays.dedup_by_key(|(array, _)| *array);
        let mut strings: Vec<u32> = heap.each_record(|record| {
            let HeapRecord::Instance { object_id, .. } = *record else {
                return None;
            };
            let string = heap.find(object_id)?;
            if !heap.is_string(string) {
                return None;
            }
            let array = heap.field(string, "value")?;
            let found = arrays
                .binary_search_by_key(&array, |(array, _)| *array)
                .ok()?;
            let matches = arrays.get(found)?.1;
            let is_match = match heap.is_utf16(string, Some(record)) {
                true => matches.wide,
                false => matches.narrow,
            };
            is_match.then_some(string)
        });
        strings.sort_unstable();
        strings.dedup();
        strings
    }

    /// Of these objects (sorted) those with a field that has the value, sorted.
    fn holders_of(
        &self,
        value: &str,
        field: Option<&Glob>,
        objects: &[u32],
        strings: &[u32],
    ) -> Vec<u32> {
        let heap = self.heap;
        let is_named = |name: &str| field.is_none_or(|glob| glob.matches(name));
        let mut holders: Vec<u32> = heap.each_record(|record| {
            let HeapRecord::Instance {
                object_id, fields, ..
            } = *record
            else {
                return None;
            };
            let object = heap.find(object_id)?;
            objects.binary_search(&object).ok()?;
            let refers = heap
                .row(object)
                .iter()
                .enumerate()
                .any(|(position, target)| {
                    *target != NONE
                        && strings.binary_search(target).is_ok()
                        && match heap.edge_name(object, position) {
                            EdgeName::Field(name) => is_named(heap.name(name)),
                            _ => false,
                        }
                });
            (refers || has_value(heap, object, fields, value, &is_named)).then_some(object)
        });
        holders.sort_unstable();
        holders.dedup();
        holders
    }
}

/// Whether a primitive field of the instance reads like the value.
fn has_value(
    heap: &Heap<'_>,
    object: u32,
    fields: &[u8],
    value: &str,
    is_named: &impl Fn(&str) -> bool,
) -> bool {
    let size = match heap.records.identifier_bytes() {
        4 => IdentifierSize::Four,
        _ => IdentifierSize::Eight,
    };
    let class = heap.class_number(object);
    if heap.classes.get(class).kind != ClassKind::Plain {
        return false;
    }
    let mut rest = fields;
    for declared_by in heap.classes.ancestry(class) {
        for field in &heap.classes.get(declared_by).fields {
            let Some((found, behind)) = Value::decode(rest, field.value_type, size) else {
                return false;
            };
            rest = behind;
            if field.value_type.primitive().is_some()
                && is_named(heap.name(field.name))
                && primitive_text(found).is_some_and(|found| found == value)
            {
                return true;
            }
        }
    }
    false
}

/// A text in the encodings that strings have.
struct Needle {
    /// `None` when it has other characters.
    latin: Option<Vec<u8>>,
    little_endian: Vec<u8>,
    big_endian: Vec<u8>,
}

/// In which encodings an array contains the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Matches {
    /// Latin-1, or a `char[]`.
    narrow: bool,
    /// UTF-16 in a `byte[]`.
    wide: bool,
}

impl Needle {
    fn new(text: &str) -> Self {
        let units = || text.encode_utf16();
        Needle {
            latin: text.chars().map(|c| u8::try_from(c).ok()).collect(),
            little_endian: units().flat_map(u16::to_le_bytes).collect(),
            big_endian: units().flat_map(u16::to_be_bytes).collect(),
        }
    }

    fn search(&self, element_type: PrimitiveType, elements: &[u8]) -> Option<Matches> {
        let matches = match element_type {
            PrimitiveType::Byte => Matches {
                narrow: self
                    .latin
                    .as_ref()
                    .is_some_and(|latin| contains(elements, latin, 1)),
                wide: contains(elements, &self.little_endian, 2),
            },
            // the strings of JDK 8 and older have no coder and so are not wide
            PrimitiveType::Char => Matches {
                narrow: contains(elements, &self.big_endian, 2),
                wide: false,
            },
            _ => return None,
        };
        (matches.narrow || matches.wide).then_some(matches)
    }
}

/// Whether `needle` stands in `bytes` at a multiple of `step`.
fn contains(bytes: &[u8], needle: &[u8], step: usize) -> bool {
    let Some(first) = needle.first() else {
        return true;
    };
    let Some(last) = bytes.len().checked_sub(needle.len()) else {
        return false;
    };
    let starts = bytes.get(..=last).unwrap_or_default();
    starts
        .iter()
        .step_by(step)
        .enumerate()
        .any(|(number, byte)| byte == first && bytes[number * step..].starts_with(needle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_where_characters_start() {
        let check = |bytes: &[u8], needle: &[u8], step, expected| {
            assert_eq!(
                contains(bytes, needle, step),
                expected,
                "{bytes:?} {needle:?}"
            );
        };
        check(b"xab", b"ab", 1, true);
        check(b"xab", b"ab", 2, false);
        check(b"xxab", b"ab", 2, true);
        check(b"xa", b"ab", 1, false);
        check(b"a", b"ab", 1, false);
        check(b"", b"ab", 2, false);
        check(b"", b"", 1, true);
    }
}
