//! Traces to spans.

use leakline_model::storage::Batch;
use leakline_model::{Span, SpanId, SpanKind, SpanStatus, Timestamp, TraceId};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as OtlpKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::Translated;
use crate::resource::resource;
use crate::tally::{Fault, Tally};
use crate::text::value_text;

/// Turns a trace request into spans.
///
/// One bad span costs that span only: it is counted in [`Translated::rejected`] and told in
/// [`Translated::message`]. Rejected are spans whose ids have a wrong length or are all zero, and
/// spans without a start; a parent id of zeros means a root, as some SDKs send it. A span that ends
/// before it starts (a clock was set back, or it never ended) is kept with no duration; it is told
/// in the message, but not counted as rejected.
///
/// Events, links and trace state are dropped.
pub fn translate_traces(request: &ExportTraceServiceRequest) -> Translated {
    let mut batch = Batch::default();
    let mut tally = Tally::of("span");
    for resource_spans in &request.resource_spans {
        let resource = resource(
            resource_spans
                .resource
                .as_ref()
                .map_or(&[], |resource| &resource.attributes),
        );
        let service = resource.service();
        let first = batch.spans.len();
        for otlp in resource_spans
            .scope_spans
            .iter()
            .flat_map(|scope| &scope.spans)
        {
            match span(otlp, &service, resource.instance()) {
                Ok(span) => {
                    if otlp.end_time_unix_nano < otlp.start_time_unix_nano {
                        tally.count(Fault::EndBeforeStart, 1, &otlp.name);
                    }
                    batch.spans.push(span);
                }
                Err(fault) => tally.count(fault, 1, &otlp.name),
            }
        }
        let kept = batch.spans.get(first..).unwrap_or_default();
        if let Some(latest) = kept.iter().map(|span| span.end).max() {
            batch.resources.push((resource, latest));
        }
    }
    Translated {
        batch,
        rejected: tally.rejected(),
        message: tally.message(),
    }
}

fn span(span: &otlp::Span, service: &str, instance: &str) -> Result<Span, Fault> {
    let start = time(span.start_time_unix_nano)?;
    let end = span.end_time_unix_nano.max(span.start_time_unix_nano);
    Ok(Span {
        trace_id: TraceId(id(&span.trace_id).ok_or(Fault::TraceId)?),
        span_id: SpanId(id(&span.span_id).ok_or(Fault::SpanId)?),
        parent_id: parent_id(&span.parent_span_id)?,
        service: service.to_owned(),
        instance: instance.to_owned(),
        operation: span.name.clone(),
        kind: kind(span.kind),
        status: status(span.status.as_ref()),
        start,
        end: time(end)?,
        attributes: attributes(&span.attributes),
    })
}

fn time(unix_nano: u64) -> Result<Timestamp, Fault> {
    match i64::try_from(unix_nano) {
        Ok(0) => Err(Fault::NoStart),
        Ok(nanos) => Ok(Timestamp::from_nanos(nanos)),
        Err(_) => Err(Fault::TimeTooLate),
    }
}

fn id<const LENGTH: usize>(bytes: &[u8]) -> Option<[u8; LENGTH]> {
    <[u8; LENGTH]>::try_from(bytes)
        .ok()
        .filter(|id| *id != [0; LENGTH])
}

fn parent_id(bytes: &[u8]) -> Result<Option<SpanId>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let id = <[u8; 8]>::try_from(bytes).map_err(|_| Fault::ParentSpanId)?;
    Ok((id != [0; 8]).then_some(SpanId(id)))
}

fn kind(kind: i32) -> SpanKind {
    match OtlpKind::try_from(kind) {
        Ok(OtlpKind::Internal) => SpanKind::Internal,
        Ok(OtlpKind::Server) => SpanKind::Server,
        Ok(OtlpKind::Client) => SpanKind::Client,
        Ok(OtlpKind::Producer) => SpanKind::Producer,
        Ok(OtlpKind::Consumer) => SpanKind::Consumer,
        // a kind of a later version of the protocol is no reason to lose the span
        Ok(OtlpKind::Unspecified) | Err(_) => SpanKind::Unspecified,
    }
}

fn status(status: Option<&otlp::Status>) -> SpanStatus {
    match status.map(|status| StatusCode::try_from(status.code)) {
        Some(Ok(StatusCode::Ok)) => SpanStatus::Ok,
        Some(Ok(StatusCode::Error)) => SpanStatus::Error,
        None | Some(Ok(StatusCode::Unset) | Err(_)) => SpanStatus::Unset,
    }
}

/// Sorted by key; of a repeated key the last value stays.
fn attributes(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let mut sorted: Vec<(String, String)> = attributes
        .iter()
        .rev()
        .map(|attribute| {
            let value = value_text(attribute.value.as_ref());
            (attribute.key.clone(), value.into_owned())
        })
        .collect();
    // stable, so that of a repeated key the last sent comes first
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted.dedup_by(|later, earlier| later.0 == earlier.0);
    sorted
}
