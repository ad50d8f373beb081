//! The classes of a dump, put together from its descriptions of classes and the names in it.

use leakline_hprof::{ClassDump, PrimitiveType, Value, ValueType, java_class_name};

use crate::classes::{Class, ClassKind, ClassNumber, Classes, Field, dump_bytes, find};
use crate::collections;
use crate::graph::NONE;
use crate::index::AddressIndex;
use crate::scan::{Names, Scan};
use crate::symbols::{Symbol, Symbols};

/// Classes with what the passes over objects need of them.
pub(crate) struct ClassTable<'a> {
    pub(crate) classes: Classes,
    /// Sorted; all but the last few classes, which no object refers to by id.
    pub(crate) ids: Vec<u64>,
    /// By class, in the order of `ids`.
    pub(crate) dumps: Vec<Option<ClassDump<'a>>>,
    /// By [`PrimitiveType::code`].
    pub(crate) primitive_arrays: [u32; 16],
}

impl<'a> ClassTable<'a> {
    /// The class with this id.
    pub(crate) fn number(&self, id: u64) -> Option<ClassNumber> {
        find(&self.ids, id)
    }

    pub(crate) fn build(
        scan: &Scan<'a>,
        index: &AddressIndex,
        identifier_bytes: u32,
        symbols: &mut Symbols,
    ) -> ClassTable<'a> {
        let mut ids: Vec<u64> = scan.classes.keys().copied().collect();
        ids.extend(scan.undescribed_classes());
        ids.sort_unstable();
        let mut table: Vec<Class> = Vec::with_capacity(ids.len() + 9);
        let mut superclasses = Vec::with_capacity(ids.len() + 9);
        let mut dumps = Vec::with_capacity(ids.len() + 9);
        for &id in &ids {
            let dump = scan.classes.get(&id);
            let mut class = named_class(id, &scan.names, symbols);
            class.object = index.find(id).unwrap_or(NONE);
            if let Some(dump) = dump {
                describe(&mut class, dump, index, &scan.names, symbols);
            }
            superclasses.push(dump.map_or(0, |dump| dump.super_id));
            dumps.push(dump.copied());
            table.push(class);
        }
        // what the virtual machine must have, even if the dump does not say so
        let mut required = |name: &str, kind: ClassKind| -> u32 {
            let name = symbols.intern(name);
            if let Some(known) = table.iter().position(|class| class.name == name) {
                table[known].kind = kind;
                return known as u32;
            }
            // behind all others, so that the ids stay sorted
            let id = u64::MAX - 16 + (table.len() - ids.len()) as u64;
            table.push(empty_class(id, name, kind));
            superclasses.push(0);
            dumps.push(None);
            table.len() as u32 - 1
        };
        let class_class = required("java.lang.Class", ClassKind::Plain);
        let mut primitive_arrays = [NONE; 16];
        for code in 4..12u8 {
            if let Some(element) = PrimitiveType::from_code(code) {
                let name = format!("{}[]", element.java_name());
                primitive_arrays[usize::from(code)] =
                    required(&name, ClassKind::PrimitiveArray(element));
            }
        }
        ClassTable {
            classes: Classes::new(
                table,
                &superclasses,
                class_class,
                has_static_values(scan),
                identifier_bytes,
                symbols,
            ),
            ids,
            dumps,
            primitive_arrays,
        }
    }
}

/// See [`Classes::has_static_values`].
fn has_static_values(scan: &Scan<'_>) -> bool {
    const LEAST: u64 = 16;
    const LEAST_PART: u64 = 4;
    let statics = scan.classes.values().flat_map(ClassDump::static_fields);
    let numbers = statics.filter_map(|field| match field.value {
        Value::Int(value) => Some(i64::from(value)),
        Value::Long(value) => Some(value),
        _ => None,
    });
    let (mut all, mut not_zero) = (0, 0);
    for number in numbers {
        all += 1;
        not_zero += u64::from(number != 0);
    }
    not_zero >= LEAST && not_zero * LEAST_PART >= all
}

fn empty_class(id: u64, name: Symbol, kind: ClassKind) -> Class {
    Class {
        id,
        name,
        object: NONE,
        superclass: None,
        loader: NONE,
        kind,
        fields: Vec::new(),
        slots: Vec::new(),
        static_slots: Vec::new(),
        static_limits: Vec::new(),
        static_references: 0,
        static_primitive_bytes: 0,
        dump_size: 0,
        stack_words_at: None,
        referent: None,
        described: matches!(kind, ClassKind::PrimitiveArray(_)),
    }
}

fn named_class(id: u64, names: &Names<'_>, symbols: &mut Symbols) -> Class {
    let name = names
        .class_names
        .get(&id)
        .and_then(|name| names.string(*name))
        .map_or_else(
            || format!("unknown-class-0x{id:x}"),
            |name| java_class_name(&name),
        );
    let kind = if name.ends_with("[]") {
        ClassKind::ObjectArray
    } else {
        ClassKind::Plain
    };
    empty_class(id, symbols.intern(&name), kind)
}

fn describe(
    class: &mut Class,
    dump: &ClassDump<'_>,
    index: &AddressIndex,
    names: &Names<'_>,
    symbols: &mut Symbols,
) {
    let mut name = |id: u64| {
        let text = names
            .string(id)
            .unwrap_or_else(|| format!("field-0x{id:x}"));
        // no field of a program can be called so
        (symbols.intern(&text), text.starts_with('<'))
    };
    class.fields = dump
        .instance_fields()
        .map(|field| Field {
            name: name(field.name_id).0,
            value_type: field.value_type,
        })
        .collect();
    for field in dump.static_fields() {
        match field.value {
            Value::Object(_) => {
                let (name, is_made_up) = name(field.name_id);
                class.static_slots.push(name);
                class.static_references += u32::from(!is_made_up);
            }
            value => {
                class.static_primitive_bytes += dump_bytes(value.value_type(), 8);
                let number = match value {
                    Value::Int(value) => u64::try_from(value).ok(),
                    Value::Long(value) => u64::try_from(value).ok(),
                    _ => None,
                };
                let named = names.string(field.name_id);
                if let Some(number) = number
                    && named.is_some_and(|name| collections::is_limit(&name))
                {
                    class.static_limits.push((name(field.name_id).0, number));
                }
            }
        }
    }
    // old virtual machines list what the constant pool refers to
    for entry in dump.constant_pool() {
        if entry.value.value_type() == ValueType::Object {
            class.static_slots.push(symbols.intern("<constant pool>"));
        }
    }
    class.loader = index.find(dump.loader_id).unwrap_or(NONE);
    class.dump_size = dump.instance_size;
    class.described = true;
}
