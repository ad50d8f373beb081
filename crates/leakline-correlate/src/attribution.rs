//! Which operation keeps the objects: the count match.
//!
//! Each operation is a hypothesis: "every call keeps n objects" or, failing a whole number,
//! "calls keep λ objects on average". Its likelihood is that of the gain given its number of
//! calls; a whole-number match within narrow bounds is surprising, and so weighs much more than
//! a ratio that could be anything. Support from code attributes and from growth that follows the
//! calls over time multiplies in. Confidence is the share of a hypothesis among all of them,
//! "none of these" included.

use leakline_model::{SpanKind, TimeRange, Timestamp, TraceId, grouped};

use crate::operations::{HISTORY_SLICES, OperationCalls, Operations};

/// What the suspect gained between the two states of the window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Growth {
    /// Objects gained.
    pub objects: u64,
    /// Bytes that they retain.
    pub bytes: u64,
    /// Class that declares the holding field, or whose frame holds; empty when not known.
    pub holder_class: String,
    /// Class of the objects.
    pub class: String,
}

/// What metrics say about the same time; all of it is optional.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Requests that the process counted in [`Window::counted`](crate::Window::counted), to
    /// recognise sampled traces; `None` when it counts none, or not in that time.
    pub requests: Option<f64>,
    /// The floor of the heap over the history, to compare its growth with the calls.
    pub floor: Vec<(Timestamp, f64)>,
}

/// One operation and what it would explain.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// The operation.
    pub operation: String,
    /// Its part in a call.
    pub kind: SpanKind,
    /// Its calls between the dumps; scaled up when traces are sampled.
    pub calls: u64,
    /// Whether `calls` are all calls: false when nothing tells what share of them was traced.
    /// Then there may be many more calls, and each keep as many fewer objects.
    pub calls_known: bool,
    /// Objects gained per call.
    pub kept_objects_per_call: f64,
    /// 95 % interval of that: counting error, and calls that ran while a dump was taken.
    pub interval: (f64, f64),
    /// Bytes gained per call.
    pub kept_bytes_per_call: f64,
    /// How sure it is that this operation keeps the objects, 0 to 1. Sums to at most 1.
    pub confidence: f64,
    /// The entry operation that it always runs inside, such as `POST /orders`.
    pub runs_inside: Option<String>,
    /// What speaks for it, as sentences without a final full stop.
    pub reasons: Vec<String>,
    /// What speaks against it, or cannot be told, likewise.
    pub doubts: Vec<String>,
    /// Traces of calls between the dumps, in order of time.
    pub sample_traces: Vec<TraceId>,
}

/// The operations, the likeliest first, and how the calls were counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// The time between the two states compared.
    pub window: TimeRange,
    /// What was gained in that time.
    pub growth: Growth,
    /// At most ten operations, the likeliest first.
    pub attributions: Vec<Attribution>,
    /// What one must know to judge them, as sentences without a final full stop.
    pub notes: Vec<String>,
}

/// How many operations are reported.
const MAX_RANKED: usize = 10;
/// Whole numbers of objects per call that are considered, the smaller the likelier.
const MAX_PER_CALL: u32 = 16;
/// How much likelier an operation becomes when its code attributes name the holder's class.
const CODE_SUPPORT: f64 = 30.0;
/// Growth over time may make an operation this much more or less likely, not more: it is noisy.
const TREND_LIMIT: f64 = 30.0;
/// Slices of the history that the floor must cover for its growth to say anything.
const MIN_SLICES: usize = 6;
/// Counts from one window alone prove less than their likelihood says.
const COUNTS_ALONE: f64 = 0.9;
const HIGHEST: f64 = 0.99;
/// Below this share of the counted requests, traces are taken as sampled.
const SAMPLED_BELOW: f64 = 0.9;

/// Calls that may be counted but not yet traced at the ends of a time, however few there are.
const AT_THE_ENDS: f64 = 2.0;

/// Ranks the operations by how well their calls explain `growth`.
pub fn attribute(growth: &Growth, operations: &Operations, metrics: &Metrics) -> Correlation {
    let (sampling, note) = sampling(operations, metrics);
    let mut notes = vec![note];
    if operations.spans_beyond_limit > 0 {
        notes.push(format!(
            "{} spans were left out: there are more than {} operation names, probably with ids in them",
            grouped(operations.spans_beyond_limit),
            grouped(crate::MAX_OPERATIONS as u64),
        ));
    }
    let mut correlation = Correlation {
        window: operations.window.range(),
        growth: growth.clone(),
        attributions: Vec::new(),
        notes,
    };
    if growth.objects == 0 {
        let note = "the suspect gained no objects in this time, so there is nothing to attribute";
        correlation.notes.push(note.to_owned());
        return correlation;
    }
    let candidates = candidates(growth, operations, metrics, sampling.scale());
    if candidates.is_empty() {
        let note = "no operation of this process ran in this time, as far as its spans tell";
        correlation.notes.push(note.to_owned());
        return correlation;
    }
    correlation.attributions = rank(growth, operations, candidates);
    if sampling == Sampling::Unknown {
        for attribution in &mut correlation.attributions {
            attribution.calls_known = false;
            attribution.doubts.push(UNKNOWN_SHARE.to_owned());
        }
    }
    correlation
}

/// What share of the calls the spans are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sampling {
    /// All of them.
    Complete,
    /// One in so many.
    OneIn(f64),
    /// Nothing tells.
    Unknown,
}

impl Sampling {
    /// The factor from spans to calls.
    const fn scale(self) -> f64 {
        match self {
            Sampling::OneIn(calls) => calls,
            Sampling::Complete | Sampling::Unknown => 1.0,
        }
    }
}

const UNKNOWN_SHARE: &str = "whether traces are sampled is not known; if they are, there were more calls, and each keeps as many fewer objects";

/// What share of the calls the spans are, and how that was found.
fn sampling(operations: &Operations, metrics: &Metrics) -> (Sampling, String) {
    let spans = operations.server_calls as f64;
    let Some(requests) = metrics.requests.filter(|requests| *requests >= 1.0) else {
        let note =
            "calls are counted from spans; no request metric tells whether traces are sampled";
        return (Sampling::Unknown, note.to_owned());
    };
    let counted = format!(
        "{} server spans for {} requests in {}",
        grouped(operations.server_calls),
        grouped(requests.round() as u64),
        leakline_model::duration_text(operations.window.counted.duration()),
    );
    if spans >= requests * SAMPLED_BELOW {
        let note = format!("traces are not sampled: {counted}");
        (Sampling::Complete, note)
    } else if spans > 0.0 && spans + AT_THE_ENDS < requests * SAMPLED_BELOW {
        let calls = requests / spans;
        let note = format!("traces are sampled: {counted}; calls are scaled by {calls:.1}");
        (Sampling::OneIn(calls), note)
    } else {
        let note = format!("whether traces are sampled is not known: {counted}");
        (Sampling::Unknown, note)
    }
}

/// An operation with everything that decides its rank.
struct Candidate {
    index: usize,
    calls: f64,
    low: f64,
    high: f64,
    weight: f64,
    /// The class that a code attribute or the operation's name shares with the holder.
    code: Option<String>,
    /// How growth over time changes the odds; 1 when it says nothing.
    trend: f64,
}

fn candidates(
    growth: &Growth,
    operations: &Operations,
    metrics: &Metrics,
    scale: f64,
) -> Vec<Candidate> {
    let floor = floor_growth(operations.window.history, &metrics.floor);
    let candidates: Vec<Candidate> = operations
        .operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.calls > 0 && keeps_own_objects(operation.kind))
        .map(|(index, operation)| {
            let calls = operation.calls as f64 * scale;
            // a sampled count has a counting error of its own
            let error = if scale > 1.0 {
                1.96 * (operation.calls as f64).sqrt() * scale
            } else {
                0.0
            };
            let low = (operation.calls_at_least as f64 * scale - error).max(0.5);
            let high = operation.calls_at_most as f64 * scale + error;
            let code = code_of_holder(operation, &growth.holder_class);
            let trend = floor
                .as_ref()
                .map_or(1.0, |f| trend(f, &operation.per_slice));
            let support = if code.is_some() { CODE_SUPPORT } else { 1.0 };
            Candidate {
                index,
                calls,
                low,
                high,
                weight: likelihood(growth.objects as f64, calls, low, high) * support * trend,
                code,
                trend,
            }
        })
        .collect();
    prefer_innermost(operations, candidates)
}

/// A CLIENT or PRODUCER span covers waiting for another process, not the code that keeps things.
const fn keeps_own_objects(kind: SpanKind) -> bool {
    !matches!(kind, SpanKind::Client | SpanKind::Producer)
}

/// P(gain | calls): a mixture of "each call keeps exactly n" and "calls keep λ on average".
fn likelihood(gained: f64, calls: f64, low: f64, high: f64) -> f64 {
    // a few objects of the class come and go for reasons of their own
    let stray = (gained * 0.005).max(1.0);
    let mut whole = 0.0;
    for n in 1..=MAX_PER_CALL {
        let n = f64::from(n);
        let (least, most) = (n * low - stray, n * high + stray);
        if least <= gained && gained <= most {
            whole += 0.5_f64.powf(n) / (most - least + 1.0);
        }
    }
    // λ log-normal about 1, one decade wide: a call that keeps thousands of objects is rare
    let decades = (gained / calls).log10();
    let mean = (-decades * decades / 2.0).exp()
        / (gained * std::f64::consts::LN_10 * (2.0 * std::f64::consts::PI).sqrt());
    0.5 * whole + 0.5 * mean
}

/// "None of these": a timer or a thread that no span covers. As likely as an operation with no
/// better match than an average of one, times ten to one against it.
fn likelihood_of_none(gained: f64) -> f64 {
    0.1 * likelihood(gained, gained, f64::INFINITY, 0.0)
}

/// The class, when a `code.*` attribute or the operation's name says that the code of the
/// operation is the holder's.
fn code_of_holder(operation: &OperationCalls, holder_class: &str) -> Option<String> {
    let simple = holder_class.rsplit(['.', '$', '/']).next()?;
    if simple.is_empty() {
        return None;
    }
    let names = operation.code.iter().chain([&operation.operation]);
    names
        .flat_map(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .any(|word| word == simple)
        .then(|| simple.to_owned())
}

/// Growth of the floor in each slice of the history; `None` where the floor was not seen.
fn floor_growth(
    history: TimeRange,
    floor: &[(Timestamp, f64)],
) -> Option<[Option<f64>; HISTORY_SLICES]> {
    let seconds = history.end.seconds_since(history.start);
    let floor: Vec<(f64, f64)> = floor
        .iter()
        .filter(|(_, value)| value.is_finite())
        .map(|(time, value)| (time.seconds_since(history.start), *value))
        .collect();
    let at = |time: f64| -> Option<f64> {
        let after = floor.partition_point(|(t, _)| *t < time);
        let right = floor.get(after)?;
        let left = floor.get(after.checked_sub(1)?)?;
        let share = (time - left.0) / (right.0 - left.0);
        Some(left.1 + share * (right.1 - left.1))
    };
    let edge = |slice: usize| seconds * slice as f64 / HISTORY_SLICES as f64;
    let mut growth = [None; HISTORY_SLICES];
    for (slice, value) in growth.iter_mut().enumerate() {
        // interpolation would invent growth for slices in which nothing was measured
        let measured = floor
            .iter()
            .any(|(t, _)| edge(slice) <= *t && *t <= edge(slice + 1));
        if measured && let (Some(start), Some(end)) = (at(edge(slice)), at(edge(slice + 1))) {
            *value = Some(end - start);
        }
    }
    let covered = growth.iter().flatten().count();
    (covered >= MIN_SLICES).then_some(growth)
}

/// How much better the calls of an operation explain the growth per slice than steady growth
/// would: the ratio of likelihoods of two one-parameter Gaussian fits, held within bounds.
fn trend(growth: &[Option<f64>; HISTORY_SLICES], calls: &[u64; HISTORY_SLICES]) -> f64 {
    let pairs: Vec<(f64, f64)> = growth
        .iter()
        .zip(calls)
        .filter_map(|(growth, calls)| growth.map(|g| (*calls as f64, g)))
        .collect();
    let residue = |x: &dyn Fn(f64) -> f64| -> f64 {
        let xx: f64 = pairs.iter().map(|(c, _)| x(*c) * x(*c)).sum();
        let xy: f64 = pairs.iter().map(|(c, g)| x(*c) * g).sum();
        let slope = if xx > 0.0 { (xy / xx).max(0.0) } else { 0.0 };
        pairs.iter().map(|(c, g)| (g - slope * x(*c)).powi(2)).sum()
    };
    let total: f64 = pairs.iter().map(|(_, g)| g * g).sum();
    // a perfect fit of few slices must not divide by zero
    let least = total * 1e-3;
    if least <= 0.0 {
        return 1.0;
    }
    let steady = residue(&|_| 1.0).max(least);
    let by_calls = residue(&|calls| calls).max(least);
    let ratio = (steady / by_calls).powf(pairs.len() as f64 / 2.0);
    ratio.clamp(1.0 / TREND_LIMIT, TREND_LIMIT)
}

/// Whether two counts are the same but for calls at the edges of the window.
fn same_count(a: f64, b: f64) -> bool {
    (a - b).abs() <= (0.02 * a.max(b)).max(2.0)
}

/// Operation `index` runs nearly always directly below one parent of the same process.
fn steady_parent(operations: &Operations, index: usize) -> Option<usize> {
    let operation = operations.operations.get(index)?;
    let parent = operation.parents.first()?;
    let linked: u64 = operation.parents.iter().map(|p| p.calls).sum();
    // some parents are missed at the edges of the spans that were read
    let nearly_always = parent.calls as f64 >= 0.95 * linked as f64
        && linked as f64 >= 0.9 * operation.calls as f64;
    (parent.index != index && nearly_always).then_some(parent.index)
}

/// Where an operation runs exactly once inside each call of another, both explain the growth
/// alike; the inner one says more precisely where. It stands for both, unless only the code
/// attributes of the outer one name the holder.
fn prefer_innermost(operations: &Operations, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut represented = vec![false; operations.operations.len()];
    for inner in &candidates {
        let outer = steady_parent(operations, inner.index)
            .and_then(|parent| candidates.iter().find(|c| c.index == parent))
            .filter(|outer| same_count(inner.calls, outer.calls))
            // in a recursion each runs inside the other, and neither says more than the other
            .filter(|outer| !ancestors(operations, outer.index).contains(&inner.index));
        let Some(outer) = outer else { continue };
        let outer_names_holder = outer.code.is_some() && inner.code.is_none();
        let lesser = if outer_names_holder { inner } else { outer };
        represented[lesser.index] = true;
    }
    candidates.retain(|c| !represented[c.index]);
    candidates
}

fn rank(growth: &Growth, operations: &Operations, candidates: Vec<Candidate>) -> Vec<Attribution> {
    let all = candidates.iter().map(|c| c.weight).sum::<f64>()
        + likelihood_of_none(growth.objects as f64);
    let mut ranked: Vec<Attribution> = candidates
        .iter()
        .filter_map(|candidate| {
            let operation = operations.operations.get(candidate.index)?;
            let direct = candidate.code.is_some() || candidate.trend > 3.0;
            let highest = if direct { HIGHEST } else { COUNTS_ALONE };
            let confidence = (candidate.weight / all).min(highest);
            let ties = ties(operations, &candidates, candidate);
            Some(describe(
                growth, operations, operation, candidate, confidence, &ties,
            ))
        })
        .collect();
    ranked.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then(b.calls.cmp(&a.calls))
            .then_with(|| a.operation.cmp(&b.operation))
    });
    ranked.truncate(MAX_RANKED);
    ranked
}

/// Rivals called as often, that neither code nor time sets apart.
fn ties<'a>(
    operations: &'a Operations,
    candidates: &[Candidate],
    candidate: &Candidate,
) -> Vec<&'a str> {
    candidates
        .iter()
        .filter(|other| other.index != candidate.index)
        .filter(|other| same_count(other.calls, candidate.calls))
        .filter(|other| {
            let odds = other.weight / candidate.weight;
            0.2 < odds && odds < 5.0
        })
        .filter_map(|other| operations.operations.get(other.index))
        .map(|operation| operation.operation.as_str())
        .collect()
}

fn describe(
    growth: &Growth,
    operations: &Operations,
    operation: &OperationCalls,
    candidate: &Candidate,
    confidence: f64,
    ties: &[&str],
) -> Attribution {
    let gained = growth.objects as f64;
    let (fewest, most) = poisson_interval(gained);
    let per_call = gained / candidate.calls;
    let calls = candidate.calls.round() as u64;
    let mut reasons = vec![format!(
        "{} gained in {} calls: {} per call",
        grouped(growth.objects),
        grouped(calls),
        per_call_text(per_call),
    )];
    let mut doubts = Vec::new();
    if let Some(class) = &candidate.code {
        reasons.push(format!("its spans name {class}, which holds the objects"));
    }
    let slices = operations.window.history.duration() / HISTORY_SLICES as u32;
    if candidate.trend > 3.0 {
        reasons.push(format!(
            "the heap grew when it was called, compared over slices of {}",
            leakline_model::duration_text(slices)
        ));
    } else if candidate.trend < 1.0 / 3.0 {
        doubts.push(format!(
            "the heap did not grow when it was called, compared over slices of {}",
            leakline_model::duration_text(slices)
        ));
    }
    if !ties.is_empty() {
        doubts.push(format!(
            "called as often as {}; counts cannot tell them apart",
            ties.join(", ")
        ));
    }
    if per_call > f64::from(MAX_PER_CALL) {
        doubts.push(format!(
            "with {} calls, each would have to keep {}",
            grouped(calls),
            per_call_text(per_call)
        ));
    }
    Attribution {
        operation: operation.operation.clone(),
        kind: operation.kind,
        calls,
        calls_known: true,
        kept_objects_per_call: per_call,
        interval: (
            fewest / candidate.high.max(candidate.calls),
            most / candidate.low,
        ),
        kept_bytes_per_call: growth.bytes as f64 / candidate.calls,
        confidence,
        runs_inside: entry_operation(operations, candidate.index),
        reasons,
        doubts,
        sample_traces: operation.sample_traces.clone(),
    }
}

/// The SERVER or CONSUMER operation that this one always runs inside, at any depth; the
/// outermost of several.
fn entry_operation(operations: &Operations, index: usize) -> Option<String> {
    ancestors(operations, index)
        .into_iter()
        .filter_map(|ancestor| operations.operations.get(ancestor))
        .rfind(|operation| matches!(operation.kind, SpanKind::Server | SpanKind::Consumer))
        .map(|operation| operation.operation.clone())
}

/// The operations that this one nearly always runs inside, the innermost first.
fn ancestors(operations: &Operations, index: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = index;
    while let Some(parent) = steady_parent(operations, at) {
        if parent == index || found.contains(&parent) {
            break;
        }
        found.push(parent);
        at = parent;
    }
    found
}

/// 95 % interval of a Poisson mean, by Byar's approximation (Breslow and Day 1987, "Statistical
/// Methods in Cancer Research II", equation 2.3); off by less than 1 % from a count of 2 on.
fn poisson_interval(count: f64) -> (f64, f64) {
    let bound =
        |n: f64, sign: f64| n * (1.0 - 1.0 / (9.0 * n) + sign * 1.96 / (3.0 * n.sqrt())).powi(3);
    (bound(count, -1.0).max(0.0), bound(count + 1.0, 1.0))
}

/// `1.00`, `0.031`, `243`: three significant digits, at least.
fn per_call_text(value: f64) -> String {
    match value {
        v if v >= 100.0 => grouped(v.round() as u64),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.1 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the exact interval, from quantiles of the chi-squared distribution.
    #[test]
    fn poisson_intervals_are_close_to_exact() {
        for (count, low, high) in [
            (2.0, 0.2422, 7.2247),
            (10.0, 4.7954, 18.3904),
            (100.0, 81.3639, 121.6272),
            (2_914.0, 2_809.15, 3_021.76),
        ] {
            let interval = poisson_interval(count);
            assert!(
                (interval.0 - low).abs() <= 0.02 * low.max(1.0),
                "{count}: {interval:?}"
            );
            assert!(
                (interval.1 - high).abs() <= 0.01 * high,
                "{count}: {interval:?}"
            );
        }
    }

    #[test]
    fn the_holder_is_found_in_code_attributes_and_names() {
        let check = |code: &[&str], operation: &str, holder: &str, expected: bool| {
            let operation = OperationCalls {
                operation: operation.to_owned(),
                kind: SpanKind::Internal,
                calls: 1,
                calls_at_least: 1,
                calls_at_most: 1,
                errors: 0,
                per_slice: [0; HISTORY_SLICES],
                sample_traces: Vec::new(),
                code: code.iter().map(|&c| c.to_owned()).collect(),
                parents: Vec::new(),
            };
            let found = code_of_holder(&operation, holder).is_some();
            assert_eq!(found, expected, "{code:?} {holder}");
        };
        check(
            &["com.shop.OrderController.create"],
            "x",
            "com.shop.OrderController",
            true,
        );
        check(
            &["com.shop.OrderController", "create"],
            "x",
            "OrderController",
            true,
        );
        check(
            &[],
            "OrderController.create",
            "com.shop.OrderController",
            true,
        );
        check(
            &["com.shop.Orders$Cache.put"],
            "x",
            "com.shop.Orders$Cache",
            true,
        );
        check(
            &["com.shop.OrderControllerTest.create"],
            "x",
            "com.shop.OrderController",
            false,
        );
        check(&["com.shop.Other"], "GET /", "", false);
    }
}
