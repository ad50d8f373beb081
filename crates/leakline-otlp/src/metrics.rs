//! Metrics to samples of Prometheus series.

use std::sync::Arc;

use leakline_model::storage::Batch;
use leakline_model::{Label, Sample, Series, Timestamp, stale_marker};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, SummaryDataPoint, metric::Data, number_data_point,
};

use crate::labels::Labeller;
use crate::names::{MetricKind, metric_name};
use crate::tally::{Fault, Tally};
use crate::{Translated, Translation};

/// Turns a metrics request into samples.
///
/// One bad data point costs that point only: it is counted in [`Translated::rejected`] and told in
/// [`Translated::message`], and the rest is kept. What becomes of each type:
///
/// | OTLP | series |
/// |---|---|
/// | gauge, sum | `name`; integers become `f64` |
/// | histogram | `name_bucket{le="…"}` counted up from the smallest bound, `name_sum` if sent, `name_count` |
/// | exponential histogram | `name_sum` if sent, `name_count`; buckets are dropped |
/// | summary | `name{quantile="…"}`, `name_sum`, `name_count` |
///
/// Names follow [`metric_name`]. Labels are the point's attributes under their
/// [`label_name`](crate::label_name); `job` and `instance` from the resource, which win over
/// attributes of that name; and promoted resource attributes, which do not. Each resource with
/// attributes beyond its identity also has a `target_info` sample at its latest time.
///
/// A point flagged as without recorded value becomes a staleness marker. Delta temporality is
/// rejected: summing it up needs a memory that a translation has not. Exemplars, start times and
/// the scope are dropped.
pub fn translate_metrics(
    request: &ExportMetricsServiceRequest,
    translation: &Translation,
) -> Translated {
    let mut translator = Translator {
        labeller: Labeller::new(translation),
        batch: Batch::default(),
        tally: Tally::of("data point"),
        latest: None,
    };
    for resource_metrics in &request.resource_metrics {
        translator.resource(resource_metrics);
    }
    Translated {
        batch: translator.batch,
        rejected: translator.tally.rejected(),
        message: translator.tally.message(),
    }
}

struct Translator<'a> {
    labeller: Labeller<'a>,
    batch: Batch,
    tally: Tally<'a>,
    /// Time of the latest point that was kept of the resource at hand.
    latest: Option<Timestamp>,
}

/// The names of the series that a histogram or summary makes.
struct Names {
    plain: Arc<str>,
    sum: Arc<str>,
    count: Arc<str>,
}

impl Names {
    fn new(name: String) -> Self {
        Names {
            sum: format!("{name}_sum").into(),
            count: format!("{name}_count").into(),
            plain: name.into(),
        }
    }
}

impl<'a> Translator<'a> {
    fn resource(&mut self, resource_metrics: &'a ResourceMetrics) {
        let attributes = resource_metrics
            .resource
            .as_ref()
            .map_or(&[][..], |resource| &resource.attributes);
        let resource = self.labeller.begin_resource(attributes);
        self.latest = None;
        for scope in &resource_metrics.scope_metrics {
            for metric in &scope.metrics {
                self.metric(metric);
            }
        }
        let Some(latest) = self.latest else { return };
        if self.labeller.target_attributes(attributes) {
            let name = Arc::clone(&self.labeller.target_info);
            self.push(&name, None, latest, 1.0);
        }
        self.batch.resources.push((resource, latest));
    }

    fn metric(&mut self, metric: &'a Metric) {
        match &metric.data {
            None => {}
            Some(Data::Gauge(gauge)) => self.numbers(metric, MetricKind::Gauge, &gauge.data_points),
            Some(Data::Sum(sum)) => {
                let kind = if sum.is_monotonic {
                    MetricKind::Counter
                } else {
                    MetricKind::Other
                };
                if self.is_cumulative(metric, sum.aggregation_temporality, sum.data_points.len()) {
                    self.numbers(metric, kind, &sum.data_points);
                }
            }
            Some(Data::Histogram(histogram)) => {
                let points = &histogram.data_points;
                if self.is_cumulative(metric, histogram.aggregation_temporality, points.len()) {
                    self.histogram(metric, points);
                }
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                let points = &histogram.data_points;
                if self.is_cumulative(metric, histogram.aggregation_temporality, points.len()) {
                    self.exponential_histogram(metric, points);
                }
            }
            Some(Data::Summary(summary)) => self.summary(metric, &summary.data_points),
        }
    }

    /// Rejects all `points` of the metric unless they count up from a fixed start.
    fn is_cumulative(&mut self, metric: &'a Metric, temporality: i32, points: usize) -> bool {
        let fault = match AggregationTemporality::try_from(temporality) {
            Ok(AggregationTemporality::Cumulative) => return true,
            Ok(AggregationTemporality::Delta) => Fault::DeltaTemporality,
            Ok(AggregationTemporality::Unspecified) | Err(_) => Fault::UnknownTemporality,
        };
        self.tally.count(fault, points, &metric.name);
        false
    }

    /// The Prometheus name; rejects all `points` if there is none.
    fn name(&mut self, metric: &'a Metric, kind: MetricKind, points: usize) -> Option<String> {
        let name = metric_name(&metric.name, &metric.unit, kind);
        if name.is_none() {
            self.tally.count(Fault::MetricName, points, &metric.name);
        }
        name
    }

    fn numbers(&mut self, metric: &'a Metric, kind: MetricKind, points: &'a [NumberDataPoint]) {
        let Some(name) = self.name(metric, kind, points.len()) else {
            return;
        };
        let name = name.into();
        self.each(metric, points, |this, point, time| {
            let value = match point.value {
                _ if is_stale(point.flags) => stale_marker(),
                Some(number_data_point::Value::AsDouble(value)) => value,
                Some(number_data_point::Value::AsInt(value)) => value as f64,
                None => return Err(Fault::NoValue),
            };
            this.point_labels(metric, &point.attributes);
            this.push(&name, None, time, value);
            Ok(())
        });
    }

    fn histogram(&mut self, metric: &'a Metric, points: &'a [HistogramDataPoint]) {
        let Some(name) = self.name(metric, MetricKind::Other, points.len()) else {
            return;
        };
        let bucket: Arc<str> = format!("{name}_bucket").into();
        let names = Names::new(name);
        let mut bounds: &[f64] = &[];
        let mut bound_labels: Vec<Label> = Vec::new();
        let infinity = self.labeller.bound_label(f64::INFINITY);
        self.each(metric, points, |this, point, time| {
            check_buckets(point)?;
            // points of a metric nearly always share their bounds
            if *bounds != *point.explicit_bounds {
                bounds = &point.explicit_bounds;
                bound_labels = bounds
                    .iter()
                    .map(|bound| this.labeller.bound_label(*bound))
                    .collect();
            }
            this.point_labels(metric, &point.attributes);
            this.sum_and_count(&names, time, point.flags, point.sum, point.count);
            let value = |count: u64| number_unless_stale(point.flags, count as f64);
            let mut cumulative = 0_u64;
            // a point without recorded value may name its buckets and count nothing in them
            let counts = point.bucket_counts.iter().chain(std::iter::repeat(&0));
            for ((label, bound), count) in bound_labels.iter().zip(bounds).zip(counts) {
                cumulative = cumulative.saturating_add(*count);
                if *bound < f64::INFINITY {
                    this.push(&bucket, Some(label), time, value(cumulative));
                }
            }
            this.push(&bucket, Some(&infinity), time, value(point.count));
            Ok(())
        });
    }

    fn exponential_histogram(
        &mut self,
        metric: &'a Metric,
        points: &'a [ExponentialHistogramDataPoint],
    ) {
        let Some(name) = self.name(metric, MetricKind::Other, points.len()) else {
            return;
        };
        let names = Names::new(name);
        self.each(metric, points, |this, point, time| {
            this.point_labels(metric, &point.attributes);
            this.sum_and_count(&names, time, point.flags, point.sum, point.count);
            Ok(())
        });
    }

    fn summary(&mut self, metric: &'a Metric, points: &'a [SummaryDataPoint]) {
        let Some(name) = self.name(metric, MetricKind::Other, points.len()) else {
            return;
        };
        let names = Names::new(name);
        self.each(metric, points, |this, point, time| {
            this.point_labels(metric, &point.attributes);
            this.sum_and_count(&names, time, point.flags, Some(point.sum), point.count);
            for at in &point.quantile_values {
                let label = this.labeller.quantile_label(at.quantile);
                let value = number_unless_stale(point.flags, at.value);
                this.push(&names.plain, Some(&label), time, value);
            }
            Ok(())
        });
    }

    fn sum_and_count(
        &mut self,
        names: &Names,
        time: Timestamp,
        flags: u32,
        sum: Option<f64>,
        count: u64,
    ) {
        // a point without recorded value need not carry the sum whose series it ends
        if let Some(sum) = sum.or_else(|| is_stale(flags).then_some(0.0)) {
            self.push(&names.sum, None, time, number_unless_stale(flags, sum));
        }
        let count = number_unless_stale(flags, count as f64);
        self.push(&names.count, None, time, count);
    }

    /// Hands each point with a valid time to `translate`, and counts the faults.
    fn each<P: DataPoint>(
        &mut self,
        metric: &'a Metric,
        points: &'a [P],
        mut translate: impl FnMut(&mut Self, &'a P, Timestamp) -> Result<(), Fault>,
    ) {
        for point in points {
            let translated = time(point.time_unix_nano()).and_then(|time| {
                translate(self, point, time)?;
                Ok(time)
            });
            match translated {
                Ok(time) => self.latest = self.latest.max(Some(time)),
                Err(fault) => self.tally.count(fault, 1, &metric.name),
            }
        }
    }

    fn point_labels(&mut self, metric: &'a Metric, attributes: &'a [KeyValue]) {
        if !self.labeller.begin_point(attributes) {
            self.tally.count(Fault::AttributeKey, 1, &metric.name);
        }
    }

    fn push(&mut self, name: &Arc<str>, extra: Option<&Label>, timestamp: Timestamp, value: f64) {
        self.batch.series.push(Series {
            labels: self.labeller.labels(name, extra),
            samples: vec![Sample { timestamp, value }],
        });
    }
}

/// What all data points have.
trait DataPoint {
    fn time_unix_nano(&self) -> u64;
}

macro_rules! data_points {
    ($($point:ty),*) => {$(
        impl DataPoint for $point {
            fn time_unix_nano(&self) -> u64 {
                self.time_unix_nano
            }
        }
    )*};
}
data_points!(
    NumberDataPoint,
    HistogramDataPoint,
    ExponentialHistogramDataPoint,
    SummaryDataPoint
);

fn time(unix_nano: u64) -> Result<Timestamp, Fault> {
    match i64::try_from(unix_nano) {
        Ok(0) => Err(Fault::NoTime),
        Ok(nanos) => Ok(Timestamp::from_nanos(nanos)),
        Err(_) => Err(Fault::TimeTooLate),
    }
}

fn is_stale(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 != 0
}

fn number_unless_stale(flags: u32, value: f64) -> f64 {
    if is_stale(flags) {
        stale_marker()
    } else {
        value
    }
}

/// Buckets are either absent or one more than the bounds between them (`metrics.proto`,
/// `HistogramDataPoint`).
fn check_buckets(point: &HistogramDataPoint) -> Result<(), Fault> {
    let (bounds, counts) = (&point.explicit_bounds, &point.bucket_counts);
    let absent = bounds.is_empty() && counts.is_empty();
    if !absent && !is_stale(point.flags) && counts.len() != bounds.len() + 1 {
        return Err(Fault::BucketCount);
    }
    if bounds.iter().any(|bound| bound.is_nan()) || !bounds.is_sorted_by(|a, b| a < b) {
        return Err(Fault::BucketOrder);
    }
    Ok(())
}
