//! Which values stay: patterns resolved to the fields of a dump's classes.

use std::collections::BTreeMap;
use std::collections::HashMap;

use leakline_model::Glob;

use super::{Redaction, Text};
use crate::{
    ClassDump, IdentifierSize, PrimitiveType, Value, ValueType, decode_modified_utf8,
    java_class_name,
};

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Zero,
    Hash,
    Keep,
}

/// Bytes of an instance side by side that are treated alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) bytes: usize,
    /// References are copied, like kept values, but are no values.
    pub(super) is_copied: bool,
}

/// How instances of a class are copied.
#[derive(Clone, Debug, Default)]
pub(super) struct ClassRules {
    /// In the order of the dump.
    pub(super) runs: Vec<Run>,
    /// Bytes of primitive fields that stay.
    pub(super) kept_bytes: u64,
    /// Reference fields whose target is a value that stays or is hashed: their offsets.
    pub(super) followed: Vec<(usize, Fate)>,
    /// Strings and boxed values: kept as a whole when a kept field refers to them. The offset of
    /// the reference to a string's characters.
    pub(super) value: Option<Option<usize>>,
}

/// Names of the classes whose objects are values.
const VALUES: [&str; 9] = [
    "String",
    "Boolean",
    "Byte",
    "Character",
    "Short",
    "Integer",
    "Long",
    "Float",
    "Double",
];

/// Names in a dump.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// Sorted by id.
    pub(super) texts: Vec<(u64, &'a [u8])>,
    /// By class id: the id of its name.
    pub(super) classes: BTreeMap<u64, u64>,
}

impl Names<'_> {
    fn text(&self, id: u64) -> String {
        let position = self.texts.binary_search_by_key(&id, |(id, _)| *id);
        position
            .ok()
            .and_then(|position| self.texts.get(position))
            .map_or_else(String::new, |(_, text)| {
                decode_modified_utf8(text).into_owned()
            })
    }

    fn class(&self, id: u64) -> String {
        let name = self.classes.get(&id);
        name.map_or_else(String::new, |name| java_class_name(&self.text(*name)))
    }
}

/// Resolves patterns.
pub(super) struct Keeping<'p> {
    keep: &'p [Glob],
    hashes_text: bool,
    /// By [`PrimitiveType::code`]: whether all arrays of this type stay.
    arrays: [bool; 16],
}

impl<'p> Keeping<'p> {
    pub(super) fn new(options: &Redaction<'p>) -> Self {
        let mut arrays = [false; 16];
        for code in 0..16 {
            if let Some(element_type) = PrimitiveType::from_code(code) {
                let name = format!("{}[]", element_type.java_name());
                let is_kept = options.keep.iter().any(|glob| glob.matches(&name));
                arrays[usize::from(code)] = is_kept;
            }
        }
        Keeping {
            keep: options.keep,
            hashes_text: matches!(options.text, Text::Hash(_)),
            arrays,
        }
    }

    fn class(&self, name: &str) -> bool {
        self.keep.iter().any(|glob| glob.matches(name))
    }

    /// The fate of a field, given that of its whole class.
    fn field(&self, class: &str, class_is_kept: bool, field: &str) -> Fate {
        let is_kept = class_is_kept || {
            let full = format!("{class}.{field}");
            self.keep.iter().any(|glob| glob.matches(&full))
        };
        match is_kept {
            true => Fate::Keep,
            false if self.hashes_text && class == "java.lang.String" && field == "value" => {
                Fate::Hash
            }
            false => Fate::Zero,
        }
    }

    /// Whether all arrays of this type stay.
    pub(super) fn arrays(&self, element_type: PrimitiveType) -> bool {
        self.arrays[usize::from(element_type.code())]
    }

    /// The static fields of a class that stay, by their position.
    pub(super) fn static_fields(&self, class: &ClassDump<'_>, names: &Names<'_>) -> Vec<usize> {
        if self.keep.is_empty() {
            return Vec::new();
        }
        let name = names.class(class.class_id);
        let class_is_kept = self.class(&name);
        class
            .static_fields()
            .enumerate()
            .filter(|(_, field)| {
                self.field(&name, class_is_kept, &names.text(field.name_id)) == Fate::Keep
            })
            .map(|(position, _)| position)
            .collect()
    }

    /// The rules for all classes of one dump.
    pub(super) fn classes(
        &self,
        classes: &BTreeMap<u64, ClassDump<'_>>,
        names: &Names<'_>,
        size: IdentifierSize,
    ) -> HashMap<u64, ClassRules> {
        let declared: BTreeMap<u64, Declared> = classes
            .iter()
            .map(|(id, class)| (*id, self.declared(class, names)))
            .collect();
        let mut budget = MAX_INHERITED_FIELDS;
        let mut rules = HashMap::with_capacity(classes.len());
        for id in classes.keys() {
            let lineage = || {
                std::iter::successors(declared.get(id), |class| declared.get(&class.super_id))
                    .take(MAX_DEPTH)
            };
            let fields: usize = lineage().map(|class| class.fields.len()).sum();
            // what is not described is zeroed
            let Some(left) = budget.checked_sub(fields) else {
                continue;
            };
            budget = left;
            let mut class = ClassRules::default();
            let mut offset = 0;
            let mut characters = None;
            for field in lineage().flat_map(|class| &class.fields) {
                class.add(field, offset, size);
                if field.is_characters {
                    characters = Some(offset);
                }
                offset += field.value_type.bytes(size);
            }
            if declared.get(id).is_some_and(|class| class.is_value) {
                class.value = Some(characters);
            }
            rules.insert(*id, class);
        }
        rules
    }

    fn declared(&self, class: &ClassDump<'_>, names: &Names<'_>) -> Declared {
        let name = names.class(class.class_id);
        let class_is_kept = self.class(&name);
        let value = name.strip_prefix("java.lang.");
        Declared {
            super_id: class.super_id,
            is_value: value.is_some_and(|name| VALUES.contains(&name)),
            fields: class
                .instance_fields()
                .map(|field| {
                    let field_name = names.text(field.name_id);
                    DeclaredField {
                        value_type: field.value_type,
                        fate: self.field(&name, class_is_kept, &field_name),
                        is_characters: name == "java.lang.String"
                            && field_name == "value"
                            && field.value_type == ValueType::Object,
                    }
                })
                .collect(),
        }
    }
}

/// No class hierarchy is deeper; keeps damaged ones from running in circles.
const MAX_DEPTH: usize = 512;

/// Fields of all classes together, each counted in all its subclasses. Programs have a hundredth
/// of this; a hostile dump could make a huge class the ancestor of many.
const MAX_INHERITED_FIELDS: usize = 1 << 24;

/// What a class itself declares.
struct Declared {
    super_id: u64,
    is_value: bool,
    fields: Vec<DeclaredField>,
}

struct DeclaredField {
    value_type: ValueType,
    fate: Fate,
    /// Where a string has its text.
    is_characters: bool,
}

impl ClassRules {
    fn add(&mut self, field: &DeclaredField, offset: usize, size: IdentifierSize) {
        let bytes = field.value_type.bytes(size);
        let is_reference = field.value_type == ValueType::Object;
        let is_kept = field.fate == Fate::Keep;
        let is_copied = is_reference || is_kept;
        match self.runs.last_mut() {
            Some(run) if run.is_copied == is_copied => run.bytes += bytes,
            _ => self.runs.push(Run { bytes, is_copied }),
        }
        if is_reference && field.fate != Fate::Zero {
            self.followed.push((offset, field.fate));
        }
        if !is_reference && is_kept {
            self.kept_bytes += bytes as u64;
        }
    }
}

/// The id in the fields of an instance at this offset; `None` for null and beyond the end.
pub(super) fn reference(fields: &[u8], offset: usize, size: IdentifierSize) -> Option<u64> {
    match Value::decode(fields.get(offset..)?, ValueType::Object, size)? {
        (Value::Object(id), _) if id != 0 => Some(id),
        _ => None,
    }
}
