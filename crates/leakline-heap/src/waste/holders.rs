//! Who holds what is wasted: the places of it merged by the field that a programmer would change.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Tallies, Tally};
use crate::collections::{Owner, Role, owner};
use crate::graph::NONE;
use crate::places::{Edge, Places};
use crate::report::{WasteHolder, WasteKind, WasteRow};
use crate::symbols::Symbol;

/// Less waste of one kind is not worth a line: nobody changes a program for a hundredth of its
/// heap, nor for a mebibyte.
const LEAST_SHARE: f64 = 0.01;
const LEAST_BYTES: u64 = 1 << 20;
/// Holders listed of each row.
const HOLDERS: usize = 10;

/// Libraries of collections, which are not to blame for what is in them.
const COLLECTIONS: &[&str] = &[
    "com.google.common.collect.",
    "gnu.trove.",
    "it.unimi.dsi.fastutil.",
    "kotlin.collections.",
    "org.apache.commons.collections",
    "org.eclipse.collections.",
    "scala.collection.",
];

type Rows = BTreeMap<(WasteKind, String), BTreeMap<(String, String), Tally>>;

/// Rows that are worth a change in a heap of so many bytes.
pub(super) fn rows(places: &Places, tallies: &Tallies, heap_bytes: u64) -> Vec<WasteRow> {
    let least = LEAST_BYTES.max((heap_bytes as f64 * LEAST_SHARE) as u64);
    let mut rows = Rows::new();
    for (&(kind, class, place), tally) in tallies {
        let of = places
            .symbols
            .name(wasting(places, class, place))
            .to_owned();
        let holders = rows.entry((kind, of)).or_default();
        let sum = holders.entry(holder(places, place)).or_default();
        sum.objects += tally.objects;
        sum.bytes += tally.bytes;
    }
    let mut rows: Vec<WasteRow> = rows
        .into_iter()
        .map(|((kind, class), holders)| row(kind, class, holders))
        .filter(|row| row.bytes >= least)
        .collect();
    rows.sort_by(|a, b| (b.bytes, a.kind, &a.class).cmp(&(a.bytes, b.kind, &b.class)));
    rows
}

fn row(kind: WasteKind, class: String, holders: BTreeMap<(String, String), Tally>) -> WasteRow {
    let mut held_by: Vec<WasteHolder> = holders
        .into_iter()
        .map(|((class, field), tally)| WasteHolder {
            class,
            field,
            objects: tally.objects,
            bytes: tally.bytes,
        })
        .collect();
    let row = WasteRow {
        kind,
        class,
        objects: held_by.iter().map(|holder| holder.objects).sum(),
        bytes: held_by.iter().map(|holder| holder.bytes).sum(),
        held_by: Vec::new(),
    };
    held_by.sort_by_key(|holder| Reverse((holder.bytes, holder.objects)));
    held_by.truncate(HOLDERS);
    WasteRow { held_by, ..row }
}

/// What to call the object: an array inside a collection is the collection.
fn wasting(places: &Places, class: Symbol, place: u32) -> Symbol {
    let mut place = place;
    while place != NONE && place != 0 {
        let at = &places.places[place as usize];
        match at.role {
            Role::Inner => place = at.parent,
            Role::Container(_) if at.class != class => return at.class,
            _ => break,
        }
    }
    class
}

/// The nearest field on the way to a place that is not the runtime's or a collection's own, with
/// its class; otherwise the one furthest up. Without any, what the way begins with.
fn holder(places: &Places, place: u32) -> (String, String) {
    if place == NONE {
        return ("softly or weakly held".to_owned(), String::new());
    }
    let name = |symbol: Symbol| places.symbols.name(symbol);
    let mut found = (
        name(places.places[place as usize].class).to_owned(),
        String::new(),
    );
    let mut at = place;
    while at != 0 {
        let here = &places.places[at as usize];
        let above = &places.places[here.parent as usize];
        let split = |text: &str| {
            let (class, field) = text.rsplit_once('.').unwrap_or(("", text));
            (class.to_owned(), field.to_owned())
        };
        let class = name(above.class);
        let class = class.strip_prefix("class ").unwrap_or(class);
        let link = match here.edge {
            Edge::Static(field) | Edge::Field(field) => {
                Some((class.to_owned(), name(field).to_owned()))
            }
            Edge::Local(text) | Edge::ThreadLocal(text) if !name(text).is_empty() => {
                Some(split(name(text)))
            }
            Edge::Thread(text) => Some((format!("thread {}", name(text)), String::new())),
            Edge::Root(kind) if found.1.is_empty() => {
                Some((found.0.clone(), kind.text().to_owned()))
            }
            _ => None,
        };
        if let Some(link) = link {
            let is_blamed = owner(&link.0) > Owner::Platform
                && !COLLECTIONS.iter().any(|prefix| link.0.starts_with(prefix))
                && !matches!(here.edge, Edge::Thread(_) | Edge::Root(_));
            if is_blamed {
                return link;
            }
            if !link.1.is_empty() || found.1.is_empty() {
                found = link;
            }
        }
        at = here.parent;
    }
    found
}
