//! Strings: all of them counted, duplicates by text, the largest.
//!
//! Which texts are equal was found when the dump was read (see `twins`), by the same comparison as
//! the report's.

use std::collections::BTreeMap;

use super::{Filter, Inspector, ObjectRow, Rest};
use crate::classes::ClassKind;
use crate::graph::{EdgeName, NONE};

/// All reachable strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strings {
    /// How many.
    pub strings: u64,
    /// Bytes of the strings and of their arrays.
    pub bytes: u64,
    /// How many different texts they have.
    pub texts: u64,
    /// Bytes that would be saved if each text were there once.
    pub wasted_bytes: u64,
    /// Texts of several strings, most wasted bytes first.
    pub duplicates: Vec<DuplicateText>,
    /// Texts of several strings beside these; bytes are those wasted.
    pub other_duplicates: Rest,
    /// The strings that retain most.
    pub largest: Vec<ObjectRow>,
}

/// A text that several strings have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateText {
    /// One of the strings, with the beginning of the text.
    pub example: ObjectRow,
    /// How many strings have it.
    pub strings: u64,
    /// How many arrays hold its characters: fewer than strings where these share them.
    pub arrays: u64,
    /// Bytes of the strings and arrays together.
    pub bytes: u64,
    /// Bytes of all but one string and one array.
    pub wasted_bytes: u64,
    /// What refers to these strings, most often first; three at most.
    pub held_by: Vec<StringHolder>,
}

/// A field or kind of array that refers to strings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StringHolder {
    /// Class of the objects that refer to them.
    pub class: String,
    /// The field; `[]` for elements of arrays.
    pub field: String,
    /// How many references there are.
    pub references: u64,
}

/// A string by its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    text: Text,
    array: u32,
    string: u32,
}

/// What is the same for strings with equal texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Text {
    /// The group of their arrays.
    Of(u32),
    /// The only array that has it.
    Only(u32),
}

/// Strings with one text, as a range of entries.
struct Group {
    start: usize,
    end: usize,
    arrays: u64,
    bytes: u64,
    wasted: u64,
}

impl Inspector<'_, '_> {
    /// All strings. The filter's limit holds for duplicates and for large strings; of the
    /// duplicates those count that waste more than its bytes.
    ///
    /// Memory: 16 bytes for each string while it runs.
    pub fn strings(&self, filter: &Filter) -> Strings {
        let entries = self.entries();
        let groups: Vec<Group> = entries
            .chunk_by(|a, b| a.text == b.text)
            .scan(0, |start, chunk| {
                let group = self.group(*start, chunk);
                *start = group.end;
                Some(group)
            })
            .collect();
        let mut duplicates: Vec<&Group> = groups
            .iter()
            .filter(|group| group.end - group.start > 1)
            .filter(|group| {
                filter
                    .retained_over
                    .is_none_or(|least| group.wasted > least)
            })
            .collect();
        let first_string = |group: &Group| entries[group.start].string;
        duplicates.sort_by_key(|group| (std::cmp::Reverse(group.wasted), first_string(group)));
        let others = duplicates.split_off(duplicates.len().min(filter.limit));
        let mut largest: Vec<u32> = entries.iter().map(|entry| entry.string).collect();
        largest.retain(|string| self.is_large(*string, filter));
        self.largest(&mut largest, filter.limit);
        Strings {
            strings: entries.len() as u64,
            bytes: groups.iter().map(|group| group.bytes).sum(),
            texts: groups.len() as u64,
            wasted_bytes: groups.iter().map(|group| group.wasted).sum(),
            other_duplicates: Rest {
                rows: others.len() as u64,
                bytes: others.iter().map(|group| group.wasted).sum(),
            },
            duplicates: self.duplicates(&duplicates, &entries),
            largest: self.rows(&largest),
        }
    }

    /// Reachable strings, those with equal texts side by side.
    fn entries(&self) -> Vec<Entry> {
        let heap = self.heap;
        // by class number: where a string has its text
        let slots: Vec<Option<usize>> = heap
            .classes
            .table
            .iter()
            .map(|class| {
                let is_string = heap.name(class.name) == "java.lang.String";
                let named = |name| heap.name(name) == "value";
                let slot = class.slots.iter().position(|slot| named(slot.name));
                slot.filter(|_| is_string && class.kind == ClassKind::Plain)
            })
            .collect();
        let array_of = |string: u32| {
            let slot = slots[heap.class_number(string) as usize]?;
            heap.row(string)
                .get(slot)
                .copied()
                .filter(|array| *array != NONE)
        };
        let entry = |string: u32| {
            let array = array_of(string)?;
            let text = match heap.values.twins.group(array) {
                Some(group) => Text::Of(group),
                None => Text::Only(array),
            };
            Some(Entry {
                text,
                array,
                string,
            })
        };
        let strings = self.objects().filter(|object| self.is_reachable(*object));
        let mut entries: Vec<Entry> = strings.filter_map(entry).collect();
        entries.sort_unstable();
        entries
    }

    fn group(&self, start: usize, entries: &[Entry]) -> Group {
        let heap = self.heap;
        let strings: u64 = entries.iter().map(|entry| heap.shallow(entry.string)).sum();
        // equal arrays stand side by side
        let arrays = entries.chunk_by(|a, b| a.array == b.array);
        let (count, array_bytes) = arrays.fold((0u64, 0u64), |(count, bytes), chunk| {
            (count + 1, bytes + heap.shallow(chunk[0].array))
        });
        let one = heap.shallow(entries[0].string) + heap.shallow(entries[0].array);
        let bytes = strings + array_bytes;
        Group {
            start,
            end: start + entries.len(),
            arrays: count,
            bytes,
            wasted: bytes.saturating_sub(one),
        }
    }

    fn duplicates(&self, groups: &[&Group], entries: &[Entry]) -> Vec<DuplicateText> {
        let strings = |group: &Group| &entries[group.start..group.end];
        let mut group_of: Vec<(u32, u32)> = (0..)
            .zip(groups)
            .flat_map(|(number, group)| {
                strings(group)
                    .iter()
                    .map(move |entry| (entry.string, number))
            })
            .collect();
        group_of.sort_unstable();
        let holders = self.holders(&group_of, groups.len());
        let examples: Vec<u32> = groups
            .iter()
            .map(|group| entries[group.start].string)
            .collect();
        self.rows(&examples)
            .into_iter()
            .zip(groups)
            .zip(holders)
            .map(|((example, group), held_by)| DuplicateText {
                example,
                strings: (group.end - group.start) as u64,
                arrays: group.arrays,
                bytes: group.bytes,
                wasted_bytes: group.wasted,
                held_by,
            })
            .collect()
    }

    /// What refers to the strings of each group.
    fn holders(&self, group_of: &[(u32, u32)], groups: usize) -> Vec<Vec<StringHolder>> {
        const HOLDERS: usize = 3;
        let heap = self.heap;
        let mut counts: BTreeMap<(u32, u32, EdgeName), u64> = BTreeMap::new();
        for object in self.objects() {
            for (position, target) in heap.row(object).iter().enumerate() {
                if let Ok(found) = group_of.binary_search_by_key(target, |(string, _)| *string) {
                    let class = match heap.classes.of_object(object) {
                        Some(class) => class,
                        None => heap.class_number(object),
                    };
                    let key = (group_of[found].1, class, heap.edge_name(object, position));
                    *counts.entry(key).or_default() += 1;
                }
            }
        }
        let mut holders = vec![Vec::new(); groups];
        for ((group, class, edge), references) in counts {
            let field = match edge {
                EdgeName::Field(name) => heap.name(name).to_owned(),
                EdgeName::Static(name) => format!("static {}", heap.name(name)),
                EdgeName::Element | EdgeName::OfClass(_) => "[]".to_owned(),
                EdgeName::Local => "<local variable>".to_owned(),
            };
            if let Some(holders) = holders.get_mut(group as usize) {
                let class = heap.name(heap.classes.get(class).name).to_owned();
                holders.push(StringHolder {
                    class,
                    field,
                    references,
                });
            }
        }
        for holders in &mut holders {
            holders.sort_by(|a, b| (b.references, a).cmp(&(a.references, b)));
            holders.truncate(HOLDERS);
        }
        holders
    }
}
