//! Which operation runs inside which, learnt from parent ids as spans stream by.

use std::collections::{BTreeMap, HashMap, VecDeque};

use leakline_model::{Span, SpanId, TraceId};

/// How many spans are remembered to find the parent, or the children, of another: about 5 MB.
/// Relations between spans further apart in the stream than this are missed, not wrong.
pub const SEEN_SPANS: usize = 65_536;

/// An operation that calls another one, directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Index into [`Operations::operations`](crate::Operations::operations).
    pub index: usize,
    /// How many of the child's calls were seen directly below it.
    pub calls: u64,
}

/// What is known of a span id: the span itself, or so far only that others name it as parent.
#[derive(Default)]
struct Seen {
    operation: Option<usize>,
    /// Operations of children that came first, with their number.
    waiting: Vec<(usize, u64)>,
}

/// Pairs children with parents in whatever order the two arrive: stores sort by start, so
/// parents come first; exporters write spans as they end, so children do.
#[derive(Default)]
pub(crate) struct Nesting {
    seen: HashMap<(TraceId, SpanId), Seen>,
    /// Keys of `seen`, oldest first.
    order: VecDeque<(TraceId, SpanId)>,
    /// Calls by child and parent.
    pairs: BTreeMap<(usize, usize), u64>,
}

impl Nesting {
    /// Takes in one span, which is a call of the operation with this index.
    pub(crate) fn observe(&mut self, span: &Span, operation: usize) {
        let own = self.entry((span.trace_id, span.span_id));
        own.operation = Some(operation);
        for (child, calls) in std::mem::take(&mut own.waiting) {
            *self.pairs.entry((child, operation)).or_default() += calls;
        }
        let Some(parent_id) = span.parent_id else {
            return;
        };
        let parent = self.entry((span.trace_id, parent_id));
        if let Some(parent_operation) = parent.operation {
            *self.pairs.entry((operation, parent_operation)).or_default() += 1;
            return;
        }
        match parent
            .waiting
            .iter_mut()
            .find(|(child, _)| *child == operation)
        {
            Some((_, calls)) => *calls += 1,
            None => parent.waiting.push((operation, 1)),
        }
    }

    /// The parents of each of `operations` operations, most calls first.
    pub(crate) fn parents(&self, operations: usize) -> Vec<Vec<Parent>> {
        let mut parents = vec![Vec::new(); operations];
        for (&(child, index), &calls) in &self.pairs {
            if let Some(list) = parents.get_mut(child) {
                list.push(Parent { index, calls });
            }
        }
        for list in &mut parents {
            list.sort_by(|a, b| b.calls.cmp(&a.calls).then(a.index.cmp(&b.index)));
        }
        parents
    }

    fn entry(&mut self, key: (TraceId, SpanId)) -> &mut Seen {
        if !self.seen.contains_key(&key) {
            if self.order.len() >= SEEN_SPANS
                && let Some(oldest) = self.order.pop_front()
            {
                self.seen.remove(&oldest);
            }
            self.order.push_back(key);
        }
        self.seen.entry(key).or_default()
    }
}
