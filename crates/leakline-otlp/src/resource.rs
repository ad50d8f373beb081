//! OTLP resources as the model has them.

use leakline_model::Resource;
use opentelemetry_proto::tonic::common::v1::KeyValue;

use crate::text::value_text;

/// The resource with its values as text. Of a repeated key the last value stays.
pub(crate) fn resource(attributes: &[KeyValue]) -> Resource {
    Resource::new(
        attributes
            .iter()
            .map(|attribute| (&*attribute.key, value_text(attribute.value.as_ref()))),
    )
}
