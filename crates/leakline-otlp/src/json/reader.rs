//! OTLP/JSON to protobuf bytes, in one pass without a tree in between.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

use super::schema::{Field, Kind, Message};
use super::wire::{self, Writer};

/// Where and why a JSON text is not the message it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The field that was being read, for example `resourceMetrics[0].resource`; empty at the top.
    pub(crate) field: String,
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in bytes, from 1; 0 when it is the end of a line.
    pub(crate) column: usize,
    /// What is wrong there.
    pub(crate) reason: String,
    /// Whether the text ended too early.
    pub(crate) cut_off: bool,
}

/// A message in protobuf form.
pub(crate) struct Transcoded {
    pub(crate) bytes: Vec<u8>,
    /// Whether any key at the top was one that the schema knows.
    pub(crate) recognised: bool,
}

/// Reads one JSON object and nothing after it.
pub(crate) fn to_protobuf(schema: &'static Message, json: &[u8]) -> Result<Transcoded, Problem> {
    let mut context = Context::default();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let result = MessageSeed {
        schema,
        context: &mut context,
    }
    .deserialize(&mut deserializer)
    .and_then(|recognised| deserializer.end().map(|()| recognised));
    match result {
        Ok(recognised) => Ok(Transcoded {
            bytes: context.out.into_bytes(),
            recognised,
        }),
        Err(error) => Err(Problem {
            field: context.path(),
            line: error.line(),
            column: error.column(),
            reason: without_position(&error),
            cut_off: error.is_eof(),
        }),
    }
}

/// serde_json ends its messages with the position, which is told apart here.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

#[derive(Default)]
struct Context {
    out: Writer,
    /// The way to the field being read. Left as it is when an error passes through.
    path: Vec<Step>,
}

enum Step {
    Field(&'static str),
    Index(usize),
}

impl Context {
    fn path(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if text.is_empty() => text.push_str(name),
                Step::Field(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Step::Index(index) => {
                    // writing to a String does not fail
                    let _ = write!(text, "[{index}]");
                }
            }
        }
        text
    }
}

/// Reads the object of a message; answers whether it had a known key.
struct MessageSeed<'c> {
    schema: &'static Message,
    context: &'c mut Context,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = bool;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut recognised = false;
        while let Some(field) = map.next_key_seed(FieldName(self.schema))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            recognised = true;
            self.context.path.push(Step::Field(field.name));
            map.next_value_seed(FieldValue {
                field,
                element: false,
                context: self.context,
            })?;
            self.context.path.pop();
        }
        Ok(recognised)
    }
}

/// Finds the field that a key names; `None` for an unknown key, which the specification wants
/// ignored.
struct FieldName(&'static Message);

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Option<&'static Field>;
    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.field(name))
    }
}

/// Reads the value of a field, or one element of a repeated field.
struct FieldValue<'c> {
    field: &'static Field,
    element: bool,
    context: &'c mut Context,
}

impl<'de> DeserializeSeed<'de> for FieldValue<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.field.kind {
            Kind::Skipped => deserializer.deserialize_ignored_any(IgnoredAny).map(drop),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for FieldValue<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.expects_array() {
            return f.write_str("an array");
        }
        f.write_str(match self.field.kind {
            Kind::Bool => "true or false",
            Kind::String => "a string",
            Kind::Bytes => "a string in base64",
            Kind::Id => "a string in hexadecimal",
            Kind::Double => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
            Kind::Int32 | Kind::Sint32 => "a signed integer of 32 bits",
            Kind::Uint32 | Kind::Fixed32 => "an unsigned integer of 32 bits",
            Kind::Int64 | Kind::Sfixed64 => "a signed integer of 64 bits",
            Kind::Uint64 | Kind::Fixed64 => "an unsigned integer of 64 bits",
            Kind::Message(_) | Kind::Skipped => "an object",
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        if !self.expects_array() {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        for index in 0.. {
            self.context.path.push(Step::Index(index));
            let element = array.next_element_seed(FieldValue {
                field: self.field,
                element: true,
                context: self.context,
            })?;
            self.context.path.pop();
            if element.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        match self.field.kind {
            Kind::Message(schema) if !self.expects_array() => {
                let opened = self.context.out.open(self.field.tag);
                MessageSeed {
                    schema,
                    context: self.context,
                }
                .visit_map(map)?;
                self.context.out.close(opened);
                Ok(())
            }
            _ => Err(A::Error::invalid_type(Unexpected::Map, &self)),
        }
    }

    /// `null` stands for the default value, except as an element.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.element {
            return Err(E::invalid_type(Unexpected::Unit, &self));
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.field.kind {
            Kind::Bool if !self.expects_array() => {
                self.context
                    .out
                    .varint_field(self.field.tag, u64::from(value));
                Ok(())
            }
            _ => Err(E::invalid_type(Unexpected::Bool(value), &self)),
        }
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<(), E> {
        if self.scalar(&Scalar::Integer(i128::from(value))) {
            return Ok(());
        }
        Err(E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<(), E> {
        if self.scalar(&Scalar::Integer(i128::from(value))) {
            return Ok(());
        }
        Err(E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
        if self.scalar(&Scalar::Float(value)) {
            return Ok(());
        }
        Err(E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<(), E> {
        if self.scalar(&Scalar::Text(value)) {
            return Ok(());
        }
        Err(E::invalid_value(
            Unexpected::Str(crate::text::abridged(value)),
            &self,
        ))
    }
}

/// A JSON value that is a number or a string.
enum Scalar<'a> {
    Integer(i128),
    Float(f64),
    Text(&'a str),
}

impl FieldValue<'_> {
    fn expects_array(&self) -> bool {
        self.field.repeated && !self.element
    }

    /// Writes the scalar if it fits the field; says whether it did.
    fn scalar(&mut self, value: &Scalar<'_>) -> bool {
        !self.expects_array() && self.write(value).is_some()
    }

    fn write(&mut self, value: &Scalar<'_>) -> Option<()> {
        let out = &mut self.context.out;
        let tag = self.field.tag;
        match self.field.kind {
            Kind::String => out.bytes_field(tag, value.text()?.as_bytes()),
            Kind::Bytes => out.bytes_field(tag, &from_base64(value.text()?)?),
            Kind::Id => out.bytes_field(tag, &from_hexadecimal(value.text()?)?),
            Kind::Double => out.fixed64_field(tag, value.double()?.to_bits()),
            // a negative number takes ten bytes: it is sign-extended to 64 bits first
            Kind::Int32 => {
                out.varint_field(tag, i64::from(value.integer::<i32>()?).cast_unsigned());
            }
            Kind::Sint32 => out.varint_field(tag, wire::zigzag(value.integer()?)),
            Kind::Uint32 => out.varint_field(tag, u64::from(value.integer::<u32>()?)),
            Kind::Fixed32 => out.fixed32_field(tag, value.integer()?),
            Kind::Int64 => out.varint_field(tag, value.integer::<i64>()?.cast_unsigned()),
            Kind::Uint64 => out.varint_field(tag, value.integer()?),
            Kind::Fixed64 => out.fixed64_field(tag, value.integer()?),
            Kind::Sfixed64 => out.fixed64_field(tag, value.integer::<i64>()?.cast_unsigned()),
            Kind::Bool | Kind::Message(_) | Kind::Skipped => return None,
        }
        Some(())
    }
}

impl Scalar<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => Some(text),
            Scalar::Integer(_) | Scalar::Float(_) => None,
        }
    }

    /// As an integer, if it is a whole number in range, written either way.
    fn integer<T: TryFrom<i128>>(&self) -> Option<T> {
        let integer = match self {
            Scalar::Integer(integer) => *integer,
            // the cast saturates far outside the range of any field
            Scalar::Float(float) if float.fract() == 0.0 => *float as i128,
            Scalar::Float(_) => return None,
            Scalar::Text(text) => text.parse().ok()?,
        };
        T::try_from(integer).ok()
    }

    fn double(&self) -> Option<f64> {
        match self {
            Scalar::Integer(integer) => Some(*integer as f64),
            Scalar::Float(float) => Some(*float),
            Scalar::Text("NaN") => Some(f64::NAN),
            Scalar::Text("Infinity") => Some(f64::INFINITY),
            Scalar::Text("-Infinity") => Some(f64::NEG_INFINITY),
            // Rust would also read other spellings of infinity and NaN
            Scalar::Text(text) => text.parse().ok().filter(|float: &f64| float.is_finite()),
        }
    }
}

/// Either alphabet, with or without padding, as protobuf's mapping wants it read.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .ok()
}

/// Upper or lower case.
fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|&[high, low]| u8::try_from(digit(high)? << 4 | digit(low)?).ok())
        .collect()
}
