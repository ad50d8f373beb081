//! The record that describes a class: its static fields with values, its instance fields.

use std::fmt;

use crate::cursor::Cursor;
use crate::heap_record::Fault;
use crate::{IdentifierSize, Value, ValueType};

/// A class as the heap holds it. The class object itself has no instance record: this one stands
/// for it, and its identifier is what references to the class point at.
#[derive(Clone, Copy, PartialEq)]
pub struct ClassDump<'a> {
    /// The class object.
    pub class_id: u64,
    /// Serial of the stack trace of its loading; 0 or 1 when none was recorded.
    pub trace_serial: u32,
    /// The superclass; 0 for `java.lang.Object`.
    pub super_id: u64,
    /// The class loader; 0 for the boot loader.
    pub loader_id: u64,
    /// Array of signers; 0 for none.
    pub signers_id: u64,
    /// Protection domain; 0 for none.
    pub protection_domain_id: u64,
    /// Bytes that the fields of an instance take in the dump, inherited ones included. Not the
    /// size in the JVM's heap: there is no header, no padding, and references are as wide as
    /// identifiers.
    pub instance_size: u32,
    identifier_size: IdentifierSize,
    constant_pool: &'a [u8],
    static_fields: &'a [u8],
    instance_fields: &'a [u8],
}

/// A value in a class's constant pool. Today's JVMs write none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConstantPoolEntry {
    /// Its index in the pool.
    pub index: u16,
    /// Its value.
    pub value: Value,
}

/// A static field and its value. HotSpot adds fields that no source declares, such as
/// `<resolved_references>`, and may repeat a name after a class was redefined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StaticField {
    /// The string record that holds its name.
    pub name_id: u64,
    /// Its value.
    pub value: Value,
}

/// An instance field that the class itself declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDescriptor {
    /// The string record that holds its name.
    pub name_id: u64,
    /// Its type.
    pub value_type: ValueType,
}

impl<'a> ClassDump<'a> {
    /// Decodes the record behind its tag, and returns it with what follows.
    pub(crate) fn parse(
        body: &'a [u8],
        identifier_size: IdentifierSize,
    ) -> Result<(Self, &'a [u8]), Fault> {
        let mut cursor = Cursor::new(body);
        let mut id = || cursor.id(identifier_size).ok_or(Fault::Truncated);
        let class_id = id()?;
        let trace_serial = cursor.u4().ok_or(Fault::Truncated)?;
        let mut id = || cursor.id(identifier_size).ok_or(Fault::Truncated);
        let [super_id, loader_id, signers_id, protection_domain_id, _, _] =
            [id()?, id()?, id()?, id()?, id()?, id()?];
        let instance_size = cursor.u4().ok_or(Fault::Truncated)?;

        let id_bytes = identifier_size.bytes();
        let constant_pool = typed_values(&mut cursor, 2, identifier_size)?;
        let static_fields = typed_values(&mut cursor, id_bytes, identifier_size)?;
        let instance_fields = field_descriptors(&mut cursor, id_bytes)?;
        let class = ClassDump {
            class_id,
            trace_serial,
            super_id,
            loader_id,
            signers_id,
            protection_domain_id,
            instance_size,
            identifier_size,
            constant_pool,
            static_fields,
            instance_fields,
        };
        Ok((class, cursor.rest))
    }

    /// The values in its constant pool.
    pub fn constant_pool(&self) -> ConstantPoolEntries<'a> {
        ConstantPoolEntries {
            cursor: Cursor::new(self.constant_pool),
            identifier_size: self.identifier_size,
        }
    }

    /// Its static fields, in the order of the dump.
    pub fn static_fields(&self) -> StaticFields<'a> {
        StaticFields {
            cursor: Cursor::new(self.static_fields),
            identifier_size: self.identifier_size,
        }
    }

    /// The instance fields that it declares itself, in the order in which instances hold them.
    pub fn instance_fields(&self) -> FieldDescriptors<'a> {
        FieldDescriptors {
            cursor: Cursor::new(self.instance_fields),
            identifier_size: self.identifier_size,
        }
    }
}

/// Takes a counted run of entries, each a key of `key_bytes`, a type and a value. All types are
/// checked here, so that iterating needs no errors.
fn typed_values<'a>(
    cursor: &mut Cursor<'a>,
    key_bytes: usize,
    identifier_size: IdentifierSize,
) -> Result<&'a [u8], Fault> {
    let count = cursor.u2().ok_or(Fault::Truncated)?;
    let run = cursor.rest;
    for _ in 0..count {
        cursor.bytes(key_bytes).ok_or(Fault::Truncated)?;
        let value_type = checked_type(cursor)?;
        cursor
            .bytes(value_type.bytes(identifier_size))
            .ok_or(Fault::Truncated)?;
    }
    Ok(&run[..run.len() - cursor.rest.len()])
}

/// Takes a counted run of entries, each a name and a type.
fn field_descriptors<'a>(cursor: &mut Cursor<'a>, key_bytes: usize) -> Result<&'a [u8], Fault> {
    let count = cursor.u2().ok_or(Fault::Truncated)?;
    let run = cursor.rest;
    for _ in 0..count {
        cursor.bytes(key_bytes).ok_or(Fault::Truncated)?;
        checked_type(cursor)?;
    }
    Ok(&run[..run.len() - cursor.rest.len()])
}

fn checked_type(cursor: &mut Cursor<'_>) -> Result<ValueType, Fault> {
    let code = cursor.u1().ok_or(Fault::Truncated)?;
    ValueType::from_code(code).ok_or(Fault::UnknownType(code))
}

/// Iterator of [`ClassDump::constant_pool`].
#[derive(Clone)]
pub struct ConstantPoolEntries<'a> {
    cursor: Cursor<'a>,
    identifier_size: IdentifierSize,
}

/// Iterator of [`ClassDump::static_fields`].
#[derive(Clone)]
pub struct StaticFields<'a> {
    cursor: Cursor<'a>,
    identifier_size: IdentifierSize,
}

/// Iterator of [`ClassDump::instance_fields`].
#[derive(Clone)]
pub struct FieldDescriptors<'a> {
    cursor: Cursor<'a>,
    identifier_size: IdentifierSize,
}

impl Iterator for ConstantPoolEntries<'_> {
    type Item = ConstantPoolEntry;

    fn next(&mut self) -> Option<ConstantPoolEntry> {
        let index = self.cursor.u2()?;
        let value_type = ValueType::from_code(self.cursor.u1()?)?;
        let value = self.cursor.value(value_type, self.identifier_size)?;
        Some(ConstantPoolEntry { index, value })
    }
}

impl Iterator for StaticFields<'_> {
    type Item = StaticField;

    fn next(&mut self) -> Option<StaticField> {
        let name_id = self.cursor.id(self.identifier_size)?;
        let value_type = ValueType::from_code(self.cursor.u1()?)?;
        let value = self.cursor.value(value_type, self.identifier_size)?;
        Some(StaticField { name_id, value })
    }
}

impl Iterator for FieldDescriptors<'_> {
    type Item = FieldDescriptor;

    fn next(&mut self) -> Option<FieldDescriptor> {
        let name_id = self.cursor.id(self.identifier_size)?;
        let value_type = ValueType::from_code(self.cursor.u1()?)?;
        Some(FieldDescriptor {
            name_id,
            value_type,
        })
    }
}

impl fmt::Debug for ClassDump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassDump")
            .field("class_id", &self.class_id)
            .field("trace_serial", &self.trace_serial)
            .field("super_id", &self.super_id)
            .field("loader_id", &self.loader_id)
            .field("signers_id", &self.signers_id)
            .field("protection_domain_id", &self.protection_domain_id)
            .field("instance_size", &self.instance_size)
            .field("constant_pool", &self.constant_pool().collect::<Vec<_>>())
            .field("static_fields", &self.static_fields().collect::<Vec<_>>())
            .field(
                "instance_fields",
                &self.instance_fields().collect::<Vec<_>>(),
            )
            .finish()
    }
}
