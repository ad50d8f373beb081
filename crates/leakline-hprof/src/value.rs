//! Types and values of fields and array elements.

use crate::IdentifierSize;
use crate::cursor::Cursor;

/// The type of a field: a reference or one of the eight primitive types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueType {
    /// A reference to an object or an array.
    Object,
    /// `boolean`, one byte.
    Boolean,
    /// `char`, two bytes, one UTF-16 unit.
    Char,
    /// `float`, four bytes.
    Float,
    /// `double`, eight bytes.
    Double,
    /// `byte`, one byte.
    Byte,
    /// `short`, two bytes.
    Short,
    /// `int`, four bytes.
    Int,
    /// `long`, eight bytes.
    Long,
}

/// The type of a primitive array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrimitiveType {
    /// `boolean`, one byte.
    Boolean,
    /// `char`, two bytes, one UTF-16 unit.
    Char,
    /// `float`, four bytes.
    Float,
    /// `double`, eight bytes.
    Double,
    /// `byte`, one byte.
    Byte,
    /// `short`, two bytes.
    Short,
    /// `int`, four bytes.
    Int,
    /// `long`, eight bytes.
    Long,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// The identifier of the object referred to; 0 stands for null.
    Object(u64),
    /// A `boolean`; any byte but 0 reads as true.
    Boolean(bool),
    /// A UTF-16 unit.
    Char(u16),
    /// A `float`.
    Float(f32),
    /// A `double`.
    Double(f64),
    /// A `byte`.
    Byte(i8),
    /// A `short`.
    Short(i16),
    /// An `int`.
    Int(i32),
    /// A `long`.
    Long(i64),
}

impl PrimitiveType {
    /// The type with this code in the format: 4 to 11.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            4 => PrimitiveType::Boolean,
            5 => PrimitiveType::Char,
            6 => PrimitiveType::Float,
            7 => PrimitiveType::Double,
            8 => PrimitiveType::Byte,
            9 => PrimitiveType::Short,
            10 => PrimitiveType::Int,
            11 => PrimitiveType::Long,
            _ => return None,
        })
    }

    /// Its code in the format.
    pub const fn code(self) -> u8 {
        match self {
            PrimitiveType::Boolean => 4,
            PrimitiveType::Char => 5,
            PrimitiveType::Float => 6,
            PrimitiveType::Double => 7,
            PrimitiveType::Byte => 8,
            PrimitiveType::Short => 9,
            PrimitiveType::Int => 10,
            PrimitiveType::Long => 11,
        }
    }

    /// Bytes of one element.
    #[inline]
    pub const fn bytes(self) -> usize {
        match self {
            PrimitiveType::Boolean | PrimitiveType::Byte => 1,
            PrimitiveType::Char | PrimitiveType::Short => 2,
            PrimitiveType::Float | PrimitiveType::Int => 4,
            PrimitiveType::Double | PrimitiveType::Long => 8,
        }
    }

    /// As Java writes it: `int`.
    pub const fn java_name(self) -> &'static str {
        match self {
            PrimitiveType::Boolean => "boolean",
            PrimitiveType::Char => "char",
            PrimitiveType::Float => "float",
            PrimitiveType::Double => "double",
            PrimitiveType::Byte => "byte",
            PrimitiveType::Short => "short",
            PrimitiveType::Int => "int",
            PrimitiveType::Long => "long",
        }
    }
}

impl ValueType {
    /// The type with this code in the format: 2 for references, 4 to 11 for primitives. Early
    /// profiling agents write 1 for references to arrays.
    #[inline]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 | 2 => Some(ValueType::Object),
            _ => match PrimitiveType::from_code(code) {
                Some(primitive) => Some(ValueType::of_primitive(primitive)),
                None => None,
            },
        }
    }

    /// Its code in the format.
    pub const fn code(self) -> u8 {
        match self.primitive() {
            None => 2,
            Some(primitive) => primitive.code(),
        }
    }

    /// Bytes of one value in a dump with identifiers of `identifier_size`.
    #[inline]
    pub const fn bytes(self, identifier_size: IdentifierSize) -> usize {
        match self.primitive() {
            None => identifier_size.bytes(),
            Some(primitive) => primitive.bytes(),
        }
    }

    /// The primitive type; `None` for references.
    #[inline]
    pub const fn primitive(self) -> Option<PrimitiveType> {
        Some(match self {
            ValueType::Object => return None,
            ValueType::Boolean => PrimitiveType::Boolean,
            ValueType::Char => PrimitiveType::Char,
            ValueType::Float => PrimitiveType::Float,
            ValueType::Double => PrimitiveType::Double,
            ValueType::Byte => PrimitiveType::Byte,
            ValueType::Short => PrimitiveType::Short,
            ValueType::Int => PrimitiveType::Int,
            ValueType::Long => PrimitiveType::Long,
        })
    }

    const fn of_primitive(primitive: PrimitiveType) -> Self {
        match primitive {
            PrimitiveType::Boolean => ValueType::Boolean,
            PrimitiveType::Char => ValueType::Char,
            PrimitiveType::Float => ValueType::Float,
            PrimitiveType::Double => ValueType::Double,
            PrimitiveType::Byte => ValueType::Byte,
            PrimitiveType::Short => ValueType::Short,
            PrimitiveType::Int => ValueType::Int,
            PrimitiveType::Long => ValueType::Long,
        }
    }
}

impl From<PrimitiveType> for ValueType {
    fn from(primitive: PrimitiveType) -> Self {
        ValueType::of_primitive(primitive)
    }
}

impl Value {
    /// Decodes a value from the front of `bytes`, and returns it with what follows; `None` when
    /// the bytes do not suffice. The fields of an instance are such values side by side: those of
    /// its own class in order of declaration, then those of its superclass, and so on up.
    #[inline]
    pub fn decode(
        bytes: &[u8],
        value_type: ValueType,
        identifier_size: IdentifierSize,
    ) -> Option<(Value, &[u8])> {
        let mut cursor = Cursor::new(bytes);
        let value = cursor.value(value_type, identifier_size)?;
        Some((value, cursor.rest))
    }

    /// What a field of this type holds before anything is assigned to it: 0, false, null.
    pub const fn zero(value_type: ValueType) -> Value {
        match value_type {
            ValueType::Object => Value::Object(0),
            ValueType::Boolean => Value::Boolean(false),
            ValueType::Char => Value::Char(0),
            ValueType::Float => Value::Float(0.0),
            ValueType::Double => Value::Double(0.0),
            ValueType::Byte => Value::Byte(0),
            ValueType::Short => Value::Short(0),
            ValueType::Int => Value::Int(0),
            ValueType::Long => Value::Long(0),
        }
    }

    /// The type of the value.
    pub const fn value_type(self) -> ValueType {
        match self {
            Value::Object(_) => ValueType::Object,
            Value::Boolean(_) => ValueType::Boolean,
            Value::Char(_) => ValueType::Char,
            Value::Float(_) => ValueType::Float,
            Value::Double(_) => ValueType::Double,
            Value::Byte(_) => ValueType::Byte,
            Value::Short(_) => ValueType::Short,
            Value::Int(_) => ValueType::Int,
            Value::Long(_) => ValueType::Long,
        }
    }
}

impl Cursor<'_> {
    #[inline]
    pub(crate) fn value(&mut self, value_type: ValueType, size: IdentifierSize) -> Option<Value> {
        Some(match value_type {
            ValueType::Object => Value::Object(self.id(size)?),
            ValueType::Boolean => Value::Boolean(self.u1()? != 0),
            ValueType::Char => Value::Char(self.u2()?),
            ValueType::Float => Value::Float(self.array().map(f32::from_be_bytes)?),
            ValueType::Double => Value::Double(self.array().map(f64::from_be_bytes)?),
            ValueType::Byte => Value::Byte(self.array().map(i8::from_be_bytes)?),
            ValueType::Short => Value::Short(self.array().map(i16::from_be_bytes)?),
            ValueType::Int => Value::Int(self.array().map(i32::from_be_bytes)?),
            ValueType::Long => Value::Long(self.array().map(i64::from_be_bytes)?),
        })
    }
}
