//! Protobuf bytes to OTLP/JSON.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::schema::{Field, Kind, Message};
use super::wire::{self, Reader, Value};

/// Appends `message` as canonical OTLP/JSON on one line: 64-bit integers as strings, ids in
/// lowercase hexadecimal, enumerations as numbers, nothing for absent fields.
///
/// `message` is meant to come from an encoder. Of bytes that are no protobuf the readable fields
/// are written.
pub(crate) fn from_protobuf(schema: &'static Message, message: &[u8], out: &mut Vec<u8>) {
    let mut values = Vec::new();
    let mut reader = Reader(message);
    while let Some(field) = reader.field() {
        values.push(field);
    }
    out.push(b'{');
    let start = out.len();
    for field in schema.fields {
        // the wire may hold fields in any order, and a singular field more than once: the last counts
        let mut present = values
            .iter()
            .filter(|(tag, _)| *tag == field.tag)
            .map(|(_, value)| *value)
            .peekable();
        if present.peek().is_none() {
            continue;
        }
        separate(out, start);
        string(field.name, out);
        out.push(b':');
        if field.repeated {
            array(field, present, out);
        } else if let Some(value) = present.last() {
            element(field, value, out);
        }
    }
    out.push(b'}');
}

fn array<'a>(field: &Field, values: impl Iterator<Item = Value<'a>>, out: &mut Vec<u8>) {
    out.push(b'[');
    let start = out.len();
    for value in values {
        match (value, field.kind) {
            (Value::Bytes(bytes), kind) if is_numeric(kind) => {
                let mut packed = Reader(bytes);
                while let Some(value) = packed_value(kind, &mut packed) {
                    separate(out, start);
                    element(field, value, out);
                }
            }
            _ => {
                separate(out, start);
                element(field, value, out);
            }
        }
    }
    out.push(b']');
}

fn is_numeric(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::String | Kind::Bytes | Kind::Id | Kind::Message(_)
    )
}

fn packed_value<'a>(kind: Kind, reader: &mut Reader<'a>) -> Option<Value<'a>> {
    if reader.is_empty() {
        return None;
    }
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => reader.fixed64().map(Value::Fixed64),
        Kind::Fixed32 => reader.fixed32().map(Value::Fixed32),
        _ => reader.varint().map(Value::Varint),
    }
}

fn element(field: &Field, value: Value<'_>, out: &mut Vec<u8>) {
    match (field.kind, value) {
        (Kind::Message(schema), Value::Bytes(bytes)) => from_protobuf(schema, bytes, out),
        (Kind::String, Value::Bytes(bytes)) => string(&String::from_utf8_lossy(bytes), out),
        (Kind::Bytes, Value::Bytes(bytes)) => string(&BASE64_STANDARD.encode(bytes), out),
        (Kind::Id, Value::Bytes(bytes)) => {
            out.push(b'"');
            bytes
                .iter()
                .for_each(|byte| print(out, format_args!("{byte:02x}")));
            out.push(b'"');
        }
        (Kind::Bool, Value::Varint(value)) => print(out, format_args!("{}", value != 0)),
        (Kind::Double, Value::Fixed64(bits)) => double(f64::from_bits(bits), out),
        (Kind::Int32, Value::Varint(value)) => print(out, format_args!("{}", value as i32)),
        (Kind::Sint32, Value::Varint(value)) => {
            print(out, format_args!("{}", wire::unzigzag(value)));
        }
        (Kind::Uint32, Value::Varint(value)) => print(out, format_args!("{}", value as u32)),
        (Kind::Fixed32, Value::Fixed32(value)) => print(out, format_args!("{value}")),
        (Kind::Int64, Value::Varint(value)) | (Kind::Sfixed64, Value::Fixed64(value)) => {
            print(out, format_args!("\"{}\"", value.cast_signed()));
        }
        (Kind::Uint64, Value::Varint(value)) | (Kind::Fixed64, Value::Fixed64(value)) => {
            print(out, format_args!("\"{value}\""));
        }
        // no encoder of these messages lays a field out otherwise
        _ => out.extend_from_slice(b"null"),
    }
}

fn double(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if value.is_infinite() {
        print(
            out,
            format_args!("\"{}Infinity\"", if value < 0.0 { "-" } else { "" }),
        );
    } else {
        // the debug form is the shortest that reads back the same, with an exponent where needed
        print(out, format_args!("{value:?}"));
    }
}

fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => print(out, format_args!("\\u{byte:04x}")),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // writing to a Vec does not fail
    let _ = out.write_fmt(text);
}
