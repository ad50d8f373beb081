//! Attribute values as text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::Value as Json;

/// The value of an attribute as text: a string as it is, numbers and booleans as one writes them,
/// bytes in base64, arrays and maps as JSON, nothing for an empty value.
///
/// Values that point into a table of strings belong to profiles; elsewhere the specification wants
/// them treated as empty.
pub(crate) fn value_text(value: Option<&AnyValue>) -> Cow<'_, str> {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => Cow::Borrowed(""),
        Some(Value::StringValue(text)) => Cow::Borrowed(text),
        Some(Value::BoolValue(true)) => Cow::Borrowed("true"),
        Some(Value::BoolValue(false)) => Cow::Borrowed("false"),
        Some(Value::IntValue(integer)) => Cow::Owned(integer.to_string()),
        Some(Value::DoubleValue(double)) => Cow::Owned(double_text(*double)),
        Some(Value::BytesValue(bytes)) => Cow::Owned(BASE64_STANDARD.encode(bytes)),
        Some(Value::ArrayValue(array)) => {
            Cow::Owned(Json::Array(array.values.iter().map(json).collect()).to_string())
        }
        Some(Value::KvlistValue(list)) => Cow::Owned(json_object(&list.values).to_string()),
    }
}

/// As JavaScript writes numbers, which is also what the Collector does: plain digits for common
/// magnitudes, an exponent outside.
fn double_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if value == 0.0 || (1e-6..1e21).contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

fn json(value: &AnyValue) -> Json {
    match &value.value {
        Some(Value::BoolValue(value)) => Json::Bool(*value),
        Some(Value::IntValue(integer)) => Json::from(*integer),
        Some(Value::DoubleValue(double)) if double.is_finite() => Json::from(*double),
        Some(Value::ArrayValue(array)) => Json::Array(array.values.iter().map(json).collect()),
        Some(Value::KvlistValue(list)) => json_object(&list.values),
        None | Some(Value::StringValueStrindex(_)) => Json::Null,
        Some(Value::StringValue(_) | Value::DoubleValue(_) | Value::BytesValue(_)) => {
            Json::String(value_text(Some(value)).into_owned())
        }
    }
}

fn json_object(entries: &[KeyValue]) -> Json {
    let entry = |entry: &KeyValue| {
        let value = entry.value.as_ref().map_or(Json::Null, json);
        (entry.key.clone(), value)
    };
    Json::Object(entries.iter().map(entry).collect())
}

/// The beginning of a text that goes into a message, cut at a character if it is long.
pub(crate) fn abridged(text: &str) -> &str {
    const MOST_BYTES: usize = 80;
    if text.len() <= MOST_BYTES {
        return text;
    }
    let end = (0..=MOST_BYTES)
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn values_as_text() {
        let check = |value: Value, expected: &str| {
            assert_eq!(value_text(Some(&any(value))), expected);
        };
        check(Value::StringValue("a\"b".into()), "a\"b");
        check(Value::BoolValue(true), "true");
        check(Value::IntValue(i64::MIN), "-9223372036854775808");
        check(Value::DoubleValue(1.0), "1");
        check(Value::DoubleValue(0.25), "0.25");
        check(Value::DoubleValue(1e21), "1e21");
        check(Value::DoubleValue(-1e-9), "-1e-9");
        check(Value::DoubleValue(0.0), "0");
        check(Value::DoubleValue(f64::NEG_INFINITY), "-Infinity");
        check(Value::BytesValue(vec![0xff, 0xee]), "/+4=");
        check(Value::StringValueStrindex(3), "");
        let array = ArrayValue {
            values: vec![
                any(Value::StringValue("x".into())),
                any(Value::IntValue(2)),
                any(Value::DoubleValue(f64::NAN)),
                AnyValue { value: None },
            ],
        };
        check(Value::ArrayValue(array), r#"["x",2,"NaN",null]"#);
        let list = KeyValueList {
            values: vec![KeyValue {
                key: "k".into(),
                value: Some(any(Value::BytesValue(vec![1]))),
                key_strindex: 0,
            }],
        };
        check(Value::KvlistValue(list), r#"{"k":"AQ=="}"#);
        assert_eq!(value_text(None), "");
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(abridged("short"), "short");
        let text = format!("{}é", "a".repeat(79));
        assert_eq!(abridged(&text), "a".repeat(79));
    }
}
