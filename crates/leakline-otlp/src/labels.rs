//! Label sets for the series of one request.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use leakline_model::{Label, Labels, Resource};
use opentelemetry_proto::tonic::common::v1::KeyValue;

use crate::Translation;
use crate::names::label_name;
use crate::resource::resource;
use crate::text::value_text;

/// Resource attributes that are told as `job` and `instance`.
const IDENTITY: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

/// Makes label sets. Every distinct name and value is allocated once per request, the labels of a
/// resource once per resource, those of a point once however many series it makes.
pub(crate) struct Labeller<'a> {
    translation: &'a Translation,
    pub(crate) target_info: Arc<str>,
    metric_name: Arc<str>,
    bound_name: Arc<str>,
    quantile_name: Arc<str>,
    /// Label names by attribute key; `None` for a key that no name can be made of.
    names: HashMap<&'a str, Option<Arc<str>>>,
    values: HashMap<&'a str, Arc<str>>,
    /// `job` and `instance` of the resource at hand.
    identity: Vec<Label>,
    /// Labels from promoted attributes of the resource at hand.
    promoted: Vec<Label>,
    /// Labels of the point at hand, without the metric's name; of a repeated name the last counts.
    point: Vec<Label>,
    /// Room to sort the attributes of a point by label name and key.
    sorted: Vec<(Arc<str>, &'a str, Arc<str>)>,
}

impl<'a> Labeller<'a> {
    pub(crate) fn new(translation: &'a Translation) -> Self {
        Labeller {
            translation,
            target_info: "target_info".into(),
            metric_name: Labels::METRIC_NAME.into(),
            bound_name: "le".into(),
            quantile_name: "quantile".into(),
            names: HashMap::new(),
            values: HashMap::new(),
            identity: Vec::new(),
            promoted: Vec::new(),
            point: Vec::new(),
            sorted: Vec::new(),
        }
    }

    /// Turns to the points of a resource.
    pub(crate) fn begin_resource(&mut self, attributes: &'a [KeyValue]) -> Resource {
        let resource = resource(attributes);
        self.identity.clear();
        self.identity.push(label("job", resource.service()));
        if !resource.instance().is_empty() {
            self.identity.push(label("instance", resource.instance()));
        }
        self.promoted.clear();
        for key in &self.translation.promoted_attributes {
            if let (Some(name), Some(value)) = (label_name(key), resource.get(key)) {
                self.promoted.push(label(name, value));
            }
        }
        resource
    }

    /// Turns to a point with these attributes. Answers whether every key could be made a label
    /// name; attributes where it could not are left out.
    pub(crate) fn begin_point(&mut self, attributes: &'a [KeyValue]) -> bool {
        self.point.clear();
        self.point.extend_from_slice(&self.promoted);
        self.attributes(attributes.iter())
    }

    /// Turns to `target_info`: the attributes of the resource that are not its identity. Answers
    /// whether there are any.
    pub(crate) fn target_attributes(&mut self, attributes: &'a [KeyValue]) -> bool {
        self.point.clear();
        self.attributes(
            attributes
                .iter()
                .filter(|attribute| !IDENTITY.contains(&attribute.key.as_str())),
        );
        self.point.len() > self.identity.len()
    }

    /// The labels of the point at hand under a metric name, with one more label if given.
    pub(crate) fn labels(&self, metric_name: &Arc<str>, extra: Option<&Label>) -> Labels {
        let metric_name = Label {
            name: Arc::clone(&self.metric_name),
            value: Arc::clone(metric_name),
        };
        Labels::new(
            self.point
                .iter()
                .chain([&metric_name])
                .chain(extra)
                .map(|label| (Arc::clone(&label.name), Arc::clone(&label.value))),
        )
    }

    /// `le` with the upper bound of a bucket.
    pub(crate) fn bound_label(&self, bound: f64) -> Label {
        number_label(&self.bound_name, bound)
    }

    /// `quantile` from 0 to 1.
    pub(crate) fn quantile_label(&self, quantile: f64) -> Label {
        number_label(&self.quantile_name, quantile)
    }

    fn attributes(&mut self, attributes: impl Iterator<Item = &'a KeyValue>) -> bool {
        let mut all_named = true;
        self.sorted.clear();
        for attribute in attributes {
            let value = value_text(attribute.value.as_ref());
            let name = self
                .names
                .entry(&attribute.key)
                .or_insert_with_key(|key| label_name(key).map(Arc::from));
            match name {
                // to Prometheus an empty label is an absent one
                Some(_) if value.is_empty() => {}
                Some(name) => {
                    let value = match value {
                        Cow::Borrowed(text) => {
                            let interned = self.values.entry(text);
                            Arc::clone(interned.or_insert_with(|| text.into()))
                        }
                        Cow::Owned(text) => text.into(),
                    };
                    self.sorted.push((Arc::clone(name), &attribute.key, value));
                }
                None => all_named = false,
            }
        }
        // keys that became the same name have their values joined in the order of the keys
        self.sorted.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let first = self.point.len();
        for (name, _, value) in self.sorted.drain(..) {
            match self.point.get_mut(first..).and_then(<[Label]>::last_mut) {
                Some(last) if last.name == name => {
                    last.value = format!("{};{value}", last.value).into();
                }
                _ => self.point.push(Label { name, value }),
            }
        }
        self.point.extend_from_slice(&self.identity);
        // sorted once here, so that sorting again for every series of the point is cheap
        self.point.sort_by(|a, b| a.name.cmp(&b.name));
        all_named
    }
}

fn label(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Label {
    Label {
        name: name.into(),
        value: value.into(),
    }
}

/// Numbers in labels have no exponent, and no fraction where it is zero.
fn number_label(name: &Arc<str>, number: f64) -> Label {
    let value = if number == f64::INFINITY {
        "+Inf".into()
    } else if number == f64::NEG_INFINITY {
        "-Inf".into()
    } else {
        number.to_string().into()
    };
    Label {
        name: Arc::clone(name),
        value,
    }
}
