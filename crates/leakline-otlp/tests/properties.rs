//! What holds for every request and for every string of bytes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test may panic as the test itself"
)]

mod arbitrary;

use arbitrary::{Doubles, metrics_request, trace_request};
use leakline_model::storage::Batch;
use leakline_otlp::lines::{Reader, Writer};
use leakline_otlp::{
    Encoding, ExportMetricsServiceRequest, ExportTraceServiceRequest, Translation, decode, encode,
    translate_metrics, translate_traces,
};
use proptest::prelude::*;
use prost::Message as _;

fn decode_everything(bytes: &[u8]) {
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        if let Ok(request) = decode::<ExportMetricsServiceRequest>(encoding, bytes) {
            translate_metrics(&request, &Translation::default());
        }
        if let Ok(request) = decode::<ExportTraceServiceRequest>(encoding, bytes) {
            translate_traces(&request);
        }
    }
    let reader = Reader::new(bytes, Translation::default()).unwrap();
    reader.with_line_limit(1000).for_each(drop);
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        decode_everything(&bytes);
        decode_everything(&[&[0x1f, 0x8b], &*bytes].concat());
        decode_everything(&[&[0x28, 0xb5, 0x2f, 0xfd], &*bytes].concat());
        decode_everything(&[&[0, 0, 0, 99, 0x28, 0xb5, 0x2f, 0xfd], &*bytes].concat());
    }

    #[test]
    fn damaged_requests_do_not_panic(
        request in metrics_request(Doubles::Any),
        encoding in prop_oneof![Just(Encoding::Protobuf), Just(Encoding::Json)],
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(encoding, &request);
        for (index, byte) in damage {
            if !bytes.is_empty() {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        decode_everything(&bytes);
    }

    #[test]
    fn json_keeps_every_field_of_metrics(request in metrics_request(Doubles::Any)) {
        let json = encode(Encoding::Json, &request);
        let again: ExportMetricsServiceRequest = decode(Encoding::Json, &json).unwrap();
        // compared as bytes, because NaN is not equal to itself
        prop_assert_eq!(again.encode_to_vec(), request.encode_to_vec());
    }

    #[test]
    fn json_keeps_every_field_of_traces(request in trace_request(Doubles::Any)) {
        let json = encode(Encoding::Json, &request);
        let again: ExportTraceServiceRequest = decode(Encoding::Json, &json).unwrap();
        prop_assert_eq!(again.encode_to_vec(), request.encode_to_vec());
    }

    /// An independent reading of the protocol: names and forms of fields are those of the crate
    /// `opentelemetry-proto`.
    #[test]
    fn json_of_others_is_read(
        metrics in metrics_request(Doubles::Finite),
        traces in trace_request(Doubles::Finite),
    ) {
        let json = serde_json::to_vec(&metrics).unwrap();
        let read: ExportMetricsServiceRequest = decode(Encoding::Json, &json).unwrap();
        prop_assert_eq!(read, metrics);
        let json = serde_json::to_vec(&traces).unwrap();
        let read: ExportTraceServiceRequest = decode(Encoding::Json, &json).unwrap();
        prop_assert_eq!(read, traces);
    }

    #[test]
    fn what_is_written_as_lines_is_read_back(
        metrics in metrics_request(Doubles::Any),
        traces in trace_request(Doubles::Any),
    ) {
        let mut writer = Writer::new(Vec::new());
        writer.metrics(&metrics).unwrap();
        writer.traces(&traces).unwrap();
        let file = writer.into_inner();
        let expected: Vec<Batch> = [
            translate_metrics(&metrics, &Translation::default()).batch,
            translate_traces(&traces).batch,
        ]
        .into_iter()
        .filter(|batch| !batch.is_empty())
        .collect();
        let gzip = {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &file).unwrap();
            encoder.finish().unwrap()
        };
        let zstd = zstd::encode_all(file.as_slice(), 1).unwrap();
        for bytes in [file, gzip, zstd] {
            let batches = Reader::new(bytes.as_slice(), Translation::default())
                .unwrap()
                .collect::<Result<Vec<Batch>, _>>()
                // a file of empty requests has no line that says what it is
                .unwrap_or_default();
            prop_assert_eq!(&batches, &expected);
        }
    }

    #[test]
    fn every_data_point_is_kept_or_counted(request in metrics_request(Doubles::Any)) {
        let translated = translate_metrics(&request, &Translation::default());
        let points: usize = request
            .resource_metrics
            .iter()
            .flat_map(|resource| &resource.scope_metrics)
            .flat_map(|scope| &scope.metrics)
            .map(points)
            .sum();
        prop_assert!(translated.rejected <= points as u64);
        let kept = points as u64 - translated.rejected;
        prop_assert!(translated.batch.series.len() as u64 >= kept);
        if translated.rejected > 0 {
            prop_assert!(!translated.message.is_empty());
        }
        prop_assert_eq!(kept == 0, translated.batch.resources.is_empty());
        for series in &translated.batch.series {
            prop_assert!(!series.labels.metric_name().is_empty());
            prop_assert!(series.labels.get("job").is_some());
        }
    }
}

fn points(metric: &leakline_otlp::proto::metrics::v1::Metric) -> usize {
    use leakline_otlp::proto::metrics::v1::metric::Data;
    match &metric.data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}
