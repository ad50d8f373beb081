//! Label sets, the identity of a series, and matchers that select them.

use std::fmt;
use std::sync::Arc;

/// One name and its value. Names may be any UTF-8 text, as Prometheus 3 allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The name, for example `job`. The metric's own name stands under `__name__`.
    pub name: Arc<str>,
    /// The value; never empty inside [`Labels`], because an empty value means "no such label".
    pub value: Arc<str>,
}

/// A label set: sorted by name, each name once, no empty values. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[Label]>);

impl Labels {
    /// The label that holds the metric's name.
    pub const METRIC_NAME: &str = "__name__";

    /// From pairs in any order. Of a repeated name the last value stays; empty values are dropped.
    pub fn new<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<Arc<str>>,
        V: Into<Arc<str>>,
    {
        let mut labels: Vec<Label> = pairs
            .into_iter()
            .map(|(name, value)| Label {
                name: name.into(),
                value: value.into(),
            })
            .collect();
        // a stable sort keeps repeated names in order, so that the last one can be chosen
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        let mut unique: Vec<Label> = Vec::with_capacity(labels.len());
        for label in labels {
            match unique.last_mut() {
                Some(last) if last.name == label.name => *last = label,
                _ => unique.push(label),
            }
        }
        unique.retain(|label| !label.value.is_empty());
        Labels(unique.into())
    }

    /// The value under `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let i = self
            .0
            .binary_search_by(|label| (*label.name).cmp(name))
            .ok()?;
        Some(&self.0[i].value)
    }

    /// The metric's name; empty when there is none.
    pub fn metric_name(&self) -> &str {
        self.get(Self::METRIC_NAME).unwrap_or("")
    }

    /// All labels, sorted by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// How many labels there are, the metric's name included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = &'a Label;
    type IntoIter = std::slice::Iter<'a, Label>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// As Prometheus writes it: `jvm_memory_used_bytes{job="orders"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        let mut separator = "{";
        for label in self
            .iter()
            .filter(|label| &*label.name != Self::METRIC_NAME)
        {
            write!(f, "{separator}{}={:?}", label.name, label.value)?;
            separator = ",";
        }
        if separator == "," {
            f.write_str("}")
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOperator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
}

/// A condition on one label. A missing label counts as the empty value, as in PromQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label's name.
    pub name: Arc<str>,
    /// How to compare.
    pub operator: MatchOperator,
    /// What to compare with.
    pub value: Arc<str>,
}

impl Matcher {
    /// `name = value`.
    pub fn equal(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Matcher {
            name: name.into(),
            operator: MatchOperator::Equal,
            value: value.into(),
        }
    }

    /// `__name__ = name`.
    pub fn metric(name: impl Into<Arc<str>>) -> Self {
        Self::equal(Labels::METRIC_NAME, name)
    }

    /// Whether `labels` meet the condition.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.name).unwrap_or("");
        match self.operator {
            MatchOperator::Equal => value == &*self.value,
            MatchOperator::NotEqual => value != &*self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_canonical() {
        let labels = Labels::new([("b", "1"), ("a", "2"), ("b", "3"), ("c", "")]);
        assert_eq!(labels.to_string(), r#"{a="2",b="3"}"#);
        assert_eq!(labels.get("b"), Some("3"));
        assert_eq!(labels.get("c"), None);
        assert_eq!(labels, Labels::new([("a", "2"), ("b", "3")]));
        assert_eq!(Labels::new([("__name__", "up")]).to_string(), "up");
    }

    #[test]
    fn a_missing_label_is_the_empty_value() {
        let labels = Labels::new([("__name__", "up")]);
        assert!(Matcher::equal("job", "").matches(&labels));
        assert!(!Matcher::equal("job", "x").matches(&labels));
        assert!(Matcher::metric("up").matches(&labels));
    }
}
