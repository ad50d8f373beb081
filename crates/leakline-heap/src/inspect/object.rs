//! One object: its fields or elements with values, and who refers to it.

use std::collections::BTreeMap;

use leakline_hprof::{
    ClassDump, HeapRecord, Hprof, RecordBody, Value, ValueType, decode_modified_utf8,
};
use rayon::prelude::*;

use super::content::{elements_text, primitive_text, quoted};
use super::{InspectError, Inspector, ObjectRow, Rest, some};
use crate::paths::reference_name;
use crate::reachability::Strength;
use crate::report::PathStep;

/// Everything about one object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectView {
    /// The object.
    pub object: ObjectRow,
    /// How strongly it is held.
    pub strength: Strength,
    /// Superclasses of its class (of the class that it stands for), nearest first.
    pub superclasses: Vec<String>,
    /// The loader of its class (of the class that it stands for); `None` for the boot loader.
    pub loader: Option<ObjectRow>,
    /// The text of a string, up to the length asked for.
    pub text: Option<String>,
    /// Fields of an instance, static fields of a class.
    pub fields: Vec<FieldView>,
    /// Number of elements of an array.
    pub length: Option<u64>,
    /// The first elements of an array.
    pub elements: Vec<FieldValue>,
    /// Objects that refer to it, those that retain most first. Instances do not count as
    /// referrers of their class.
    pub referrers: Vec<Referrer>,
    /// Referrers beside these.
    pub other_referrers: Rest,
    /// The object without which it would be freed.
    pub dominator: Option<ObjectRow>,
    /// The shortest path from a root; empty when there is none.
    pub path: Vec<PathStep>,
}

/// One field with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldView {
    /// Its name.
    pub name: String,
    /// Its type: `int`, or `reference`.
    pub type_name: &'static str,
    /// The class that declares it.
    pub declared_by: String,
    /// Its value.
    pub value: FieldValue,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A primitive value, as in Java source.
    Primitive(String),
    /// No object.
    Null,
    /// An object.
    Object(ObjectRow),
    /// An object that the dump does not contain.
    Missing {
        /// Its id.
        id: u64,
    },
}

/// An object that refers to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The object that refers.
    pub object: ObjectRow,
    /// By which field, array slot or local variable.
    pub field: String,
}

/// A field while the objects that fields refer to are still to be described.
struct RawField {
    name: String,
    declared_by: String,
    value: Value,
}

impl Inspector<'_, '_> {
    /// Everything about the object with this id. `bytes` is the dump that the heap was loaded
    /// from; `limit` is the number of elements and of referrers that are listed at most, and a
    /// hundredth of the characters of a text.
    ///
    /// # Errors
    ///
    /// When there is no such object.
    pub fn object(&self, bytes: &[u8], id: u64, limit: usize) -> Result<ObjectView, InspectError> {
        let object = self.resolve(id)?;
        let heap = self.heap;
        let records = heap.records_of(&[object]);
        let record = records.get(&object);
        let stands_for = heap.classes.of_object(object);
        let class = stands_for.unwrap_or(heap.class_number(object));
        let mut superclasses = heap.classes.ancestry(class).skip(1);
        let raw = match record {
            Some(HeapRecord::Instance { fields, .. }) => self.instance_fields(class, fields),
            Some(HeapRecord::Class(dump)) => {
                static_fields(dump, bytes, &heap.display_class(object))
            }
            _ => Vec::new(),
        };
        let (length, elements) = self.elements(record, limit);
        let (referrers, other_referrers) = self.referrers(object, limit);
        let text = heap.is_string(object).then(|| {
            let characters = limit.saturating_mul(100);
            let texts = heap.texts_up_to(std::iter::once(object), characters.saturating_add(1));
            texts.get(&object).map(|text| quoted(text, characters))
        });
        Ok(ObjectView {
            object: self.row(object),
            strength: self.strength(object),
            superclasses: superclasses
                .by_ref()
                .map(|class| heap.name(heap.classes.get(class).name).to_owned())
                .collect(),
            loader: some(heap.classes.get(class).loader).map(|loader| self.row(loader)),
            text: text.flatten(),
            fields: self.described(raw),
            length,
            elements,
            referrers,
            other_referrers,
            dominator: some(self.dominator(object)).map(|above| self.row(above)),
            path: heap.path_from_root(object),
        })
    }

    fn instance_fields(&self, class: u32, fields: &[u8]) -> Vec<RawField> {
        let heap = self.heap;
        let raw = |field: crate::fields::Field| RawField {
            name: heap.name(field.name).to_owned(),
            declared_by: heap
                .name(heap.classes.get(field.declared_by).name)
                .to_owned(),
            value: field.value,
        };
        heap.fields_in(class, fields).into_iter().map(raw).collect()
    }

    fn described(&self, raw: Vec<RawField>) -> Vec<FieldView> {
        let values: Vec<Value> = raw.iter().map(|field| field.value).collect();
        raw.into_iter()
            .zip(self.values(&values))
            .map(|(field, value)| FieldView {
                type_name: type_name(field.value.value_type()),
                name: field.name,
                declared_by: field.declared_by,
                value,
            })
            .collect()
    }

    fn values(&self, values: &[Value]) -> Vec<FieldValue> {
        let object = |value: &Value| match value {
            Value::Object(id) => self.heap.find(*id),
            _ => None,
        };
        let objects: Vec<u32> = values.iter().filter_map(object).collect();
        let rows: BTreeMap<u32, ObjectRow> =
            objects.iter().copied().zip(self.rows(&objects)).collect();
        values
            .iter()
            .map(|value| match *value {
                Value::Object(0) => FieldValue::Null,
                Value::Object(id) => match object(value).and_then(|object| rows.get(&object)) {
                    Some(row) => FieldValue::Object(row.clone()),
                    None => FieldValue::Missing { id },
                },
                value => FieldValue::Primitive(primitive_text(value).unwrap_or_default()),
            })
            .collect()
    }

    fn elements(
        &self,
        record: Option<&HeapRecord<'_>>,
        limit: usize,
    ) -> (Option<u64>, Vec<FieldValue>) {
        match record {
            Some(HeapRecord::ObjectArray { elements, .. }) => {
                let shown: Vec<Value> = elements.iter().take(limit).map(Value::Object).collect();
                (Some(elements.len() as u64), self.values(&shown))
            }
            Some(HeapRecord::PrimitiveArray {
                element_type,
                length,
                elements,
                ..
            }) => {
                let texts = elements_text(*element_type, elements, limit);
                let values = texts.into_iter().map(FieldValue::Primitive).collect();
                (Some(u64::from(*length)), values)
            }
            Some(HeapRecord::PrimitiveArrayWithoutData { length, .. }) => {
                (Some(u64::from(*length)), Vec::new())
            }
            _ => (None, Vec::new()),
        }
    }

    fn referrers(&self, object: u32, limit: usize) -> (Vec<Referrer>, Rest) {
        let heap = self.heap;
        let mut found: Vec<u32> = self
            .objects()
            .into_par_iter()
            .filter(|from| heap.row(*from).contains(&object))
            .collect();
        let rest = self.largest(&mut found, limit);
        let referrers = found
            .iter()
            .zip(self.rows(&found))
            .map(|(from, row)| Referrer {
                field: reference_name(heap, *from, object),
                object: row,
            })
            .collect();
        (referrers, rest)
    }
}

fn static_fields(class: &ClassDump<'_>, bytes: &[u8], declared_by: &str) -> Vec<RawField> {
    let wanted: Vec<u64> = class.static_fields().map(|field| field.name_id).collect();
    // names of static fields of primitive type are not kept in memory
    let mut names = BTreeMap::new();
    if let Ok(hprof) = Hprof::parse(bytes) {
        for record in hprof.records().map_while(Result::ok) {
            if let RecordBody::Utf8 { id, text } = record.body
                && wanted.contains(&id)
            {
                names.insert(id, decode_modified_utf8(text).into_owned());
            }
        }
    }
    let name = |id: u64| {
        names
            .get(&id)
            .cloned()
            .unwrap_or_else(|| format!("field-{id:#x}"))
    };
    class
        .static_fields()
        .map(|field| RawField {
            name: name(field.name_id),
            declared_by: declared_by.trim_start_matches("class ").to_owned(),
            value: field.value,
        })
        .collect()
}

fn type_name(value_type: ValueType) -> &'static str {
    value_type
        .primitive()
        .map_or("reference", |primitive| primitive.java_name())
}
