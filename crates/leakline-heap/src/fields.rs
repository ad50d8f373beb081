//! Values of the fields of single objects, read from the dump when they are asked for.

use leakline_hprof::{HeapRecord, IdentifierSize, Value};

use crate::classes::ClassNumber;
use crate::graph::Heap;
use crate::symbols::Symbol;

/// A field of an instance with its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: Symbol,
    pub(crate) declared_by: ClassNumber,
    pub(crate) value: Value,
}

impl Heap<'_> {
    /// The fields of an instance of this class, own first, from its bytes in the dump; as many as
    /// there are bytes for.
    pub(crate) fn fields_in(&self, class: ClassNumber, bytes: &[u8]) -> Vec<Field> {
        let size = match self.records.identifier_bytes() {
            4 => IdentifierSize::Four,
            _ => IdentifierSize::Eight,
        };
        let mut rest = bytes;
        let mut found = Vec::new();
        for declared_by in self.classes.ancestry(class) {
            for field in &self.classes.get(declared_by).fields {
                let Some((value, behind)) = Value::decode(rest, field.value_type, size) else {
                    return found;
                };
                rest = behind;
                found.push(Field {
                    name: field.name,
                    declared_by,
                    value,
                });
            }
        }
        found
    }

    /// The fields of an instance; none of anything else.
    pub(crate) fn fields_of(&self, object: u32) -> Vec<Field> {
        match self.records.find(&[self.id(object)]).first() {
            Some(HeapRecord::Instance { fields, .. }) => {
                self.fields_in(self.class_number(object), fields)
            }
            _ => Vec::new(),
        }
    }
}
