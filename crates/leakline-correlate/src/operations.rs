//! Calls of each operation around two dumps, counted in one pass over the spans.

use std::collections::HashMap;

use leakline_model::{ProcessKey, Span, SpanKind, SpanStatus, TraceId};

use crate::nesting::{Nesting, Parent};
use crate::window::Window;

/// How many operations are told apart. Spans of further ones are counted in
/// [`Operations::spans_beyond_limit`]: span names made of ids would otherwise fill memory.
pub const MAX_OPERATIONS: usize = 2_000;

/// How many sample traces are kept per operation, spread evenly over the window.
pub const SAMPLE_TRACES: usize = 8;

/// Into how many equal slices the history is cut.
pub const HISTORY_SLICES: usize = 16;

/// Where code runs, as `code.*` attributes of spans say.
const CODE_ATTRIBUTES: [&str; 3] = ["code.function.name", "code.namespace", "code.function"];

/// How often one operation of the process ran between the dumps.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationCalls {
    /// The operation: the span's name.
    pub operation: String,
    /// Its part in a call. The same name with another kind is another operation.
    pub kind: SpanKind,
    /// Calls that probably kept what they keep between the dumps: those that ended between.
    pub calls: u64,
    /// Calls that began and ended between the dumps, whenever exactly these were taken.
    pub calls_at_least: u64,
    /// Calls of which any part can lie between the dumps.
    pub calls_at_most: u64,
    /// How many of `calls` ended in error.
    pub errors: u64,
    /// Calls that ended in each slice of the history.
    pub per_slice: [u64; HISTORY_SLICES],
    /// Traces of calls between the dumps, in order of time.
    pub sample_traces: Vec<TraceId>,
    /// Values of the span's `code.*` attributes (class and method), of the first call that has any.
    pub code: Vec<String>,
    /// Operations of the same process that call it directly, most calls first.
    pub parents: Vec<Parent>,
}

/// All operations of the process between the dumps.
#[derive(Clone, Debug, PartialEq)]
pub struct Operations {
    /// Between which dumps.
    pub window: Window,
    /// By name, then kind.
    pub operations: Vec<OperationCalls>,
    /// Calls of SERVER spans that ended in [`Window::counted`]: comparable with request metrics.
    pub server_calls: u64,
    /// Spans that were left out because there are more than [`MAX_OPERATIONS`] operations.
    pub spans_beyond_limit: u64,
}

/// Counts the calls of each operation of `process`. Spans of other services and, where both
/// tell their instance, of other instances are passed over. Any order of spans will do.
///
/// # Errors
///
/// The first error of `spans`.
pub fn operations<E>(
    spans: impl IntoIterator<Item = Result<Span, E>>,
    process: &ProcessKey,
    window: Window,
) -> Result<Operations, E> {
    let mut counter = Counter::new(window);
    for span in spans {
        let span = span?;
        let same_instance = span.instance.is_empty()
            || process.instance.is_empty()
            || span.instance == process.instance;
        if span.service == process.service && same_instance {
            counter.observe(&span);
        }
    }
    Ok(counter.finish())
}

struct Counter {
    window: Window,
    index: HashMap<(String, SpanKind), usize>,
    counted: Vec<(OperationCalls, SampleTraces)>,
    nesting: Nesting,
    server_calls: u64,
    spans_beyond_limit: u64,
}

impl Counter {
    fn new(window: Window) -> Self {
        Counter {
            window,
            index: HashMap::new(),
            counted: Vec::new(),
            nesting: Nesting::default(),
            server_calls: 0,
            spans_beyond_limit: 0,
        }
    }

    fn observe(&mut self, span: &Span) {
        let window = self.window;
        let ended_between = window.first.likely < span.end && span.end <= window.last.likely;
        let counted = window.counted.start < span.end && span.end <= window.counted.end;
        if counted && span.kind == SpanKind::Server {
            self.server_calls += 1;
        }
        let Some(index) = self.index_of(span) else {
            self.spans_beyond_limit += 1;
            return;
        };
        self.nesting.observe(span, index);
        let Some((operation, samples)) = self.counted.get_mut(index) else {
            return;
        };
        if let Some(slice) = slice_of(window, span) {
            operation.per_slice[slice] += 1;
        }
        if operation.code.is_empty() {
            operation.code = CODE_ATTRIBUTES
                .iter()
                .filter_map(|key| span.attribute(key))
                .map(str::to_owned)
                .collect();
        }
        let possible = window.first.earliest <= span.end && span.start <= window.last.latest;
        let certain = window.first.latest <= span.start && span.end <= window.last.earliest;
        operation.calls_at_most += u64::from(possible);
        operation.calls_at_least += u64::from(certain && possible);
        if ended_between {
            operation.calls += 1;
            operation.errors += u64::from(span.status == SpanStatus::Error);
            samples.offer(window, span);
        }
    }

    fn index_of(&mut self, span: &Span) -> Option<usize> {
        let key = (span.operation.clone(), span.kind);
        if let Some(&index) = self.index.get(&key) {
            return Some(index);
        }
        if self.counted.len() >= MAX_OPERATIONS {
            return None;
        }
        let operation = OperationCalls {
            operation: span.operation.clone(),
            kind: span.kind,
            calls: 0,
            calls_at_least: 0,
            calls_at_most: 0,
            errors: 0,
            per_slice: [0; HISTORY_SLICES],
            sample_traces: Vec::new(),
            code: Vec::new(),
            parents: Vec::new(),
        };
        self.counted.push((operation, SampleTraces::default()));
        self.index.insert(key, self.counted.len() - 1);
        Some(self.counted.len() - 1)
    }

    fn finish(self) -> Operations {
        let parents = self.nesting.parents(self.counted.len());
        let mut order: Vec<usize> = (0..self.counted.len()).collect();
        order.sort_by(|&a, &b| {
            let key = |i: usize| (&self.counted[i].0.operation, self.counted[i].0.kind);
            key(a).cmp(&key(b))
        });
        let mut place = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old] = new;
        }
        let mut operations: Vec<OperationCalls> = self
            .counted
            .into_iter()
            .zip(parents)
            .map(|((mut operation, samples), mut parents)| {
                for parent in &mut parents {
                    parent.index = place[parent.index];
                }
                // a call that ended between the dumps may have outlasted the bounds' margin
                operation.calls_at_least = operation.calls_at_least.min(operation.calls);
                operation.calls_at_most = operation.calls_at_most.max(operation.calls);
                operation.sample_traces = samples.finish();
                operation.parents = parents;
                operation
            })
            .collect();
        operations.sort_by(|a, b| (&a.operation, a.kind).cmp(&(&b.operation, b.kind)));
        Operations {
            window: self.window,
            operations,
            server_calls: self.server_calls,
            spans_beyond_limit: self.spans_beyond_limit,
        }
    }
}

/// The slice of the history in which the span ended.
fn slice_of(window: Window, span: &Span) -> Option<usize> {
    fraction(window.history, span.end).map(|f| slot(f, HISTORY_SLICES))
}

/// Where in `range` the time lies, 0 to 1; `None` outside.
fn fraction(range: leakline_model::TimeRange, time: leakline_model::Timestamp) -> Option<f64> {
    let length = range.end.seconds_since(range.start);
    (range.contains(time) && length > 0.0).then(|| time.seconds_since(range.start) / length)
}

fn slot(fraction: f64, slots: usize) -> usize {
    ((fraction * slots as f64) as usize).min(slots - 1)
}

/// One trace for each part of the window: the one whose id hashes lowest, so that neither the
/// order of the spans nor a random number decides which.
#[derive(Default)]
struct SampleTraces([Option<(u64, leakline_model::Timestamp, TraceId)>; SAMPLE_TRACES]);

impl SampleTraces {
    fn offer(&mut self, window: Window, span: &Span) {
        let Some(fraction) = fraction(window.range(), span.end) else {
            return;
        };
        let candidate = (fnv1a(&span.trace_id.0), span.start, span.trace_id);
        let place = &mut self.0[slot(fraction, SAMPLE_TRACES)];
        if place.is_none_or(|kept| candidate < kept) {
            *place = Some(candidate);
        }
    }

    fn finish(self) -> Vec<TraceId> {
        let mut traces: Vec<TraceId> = Vec::new();
        for (_, _, trace) in self.0.into_iter().flatten() {
            if !traces.contains(&trace) {
                traces.push(trace);
            }
        }
        traces
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
