//! Files the objects that only their owners refer to, and sums up.

use std::hash::Hasher;

use super::{Edge, PlaceHasher, Search};
use crate::classes::ClassKind;
use crate::graph::{NONE, SIZE_UNIT};
use crate::retention::Visitor;

/// The walk through the dominator tree that files what the search for shortest paths left out,
/// and sums up.
pub(super) struct Filing<'s, 'a> {
    search: Search<'s, 'a>,
    /// By place: how many of its objects the walk is inside of.
    open: Vec<u32>,
    /// Places that references led to lately.
    leads: Vec<(Lead, u32)>,
}

/// Where a reference leads from objects of a class in a place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Lead {
    place: u32,
    class: u32,
    /// Position of the field; 0 for elements.
    position: u32,
    target_class: u32,
}

impl Lead {
    const KEPT: usize = 1 << 12;
    /// From no place, as no object is.
    const NOWHERE: Lead = Lead {
        place: NONE,
        class: 0,
        position: 0,
        target_class: 0,
    };

    fn slot(&self) -> usize {
        let mut hasher = PlaceHasher::default();
        for part in [self.place, self.class, self.position, self.target_class] {
            hasher.write_u32(part);
        }
        (hasher.finish() >> 32) as usize % Self::KEPT
    }
}

impl<'s, 'a> Filing<'s, 'a> {
    pub(super) fn new(search: Search<'s, 'a>) -> Self {
        Filing {
            open: vec![0; search.found.places.len()],
            search,
            leads: vec![(Lead::NOWHERE, NONE); Lead::KEPT],
        }
    }

    pub(super) fn into_search(self) -> Search<'s, 'a> {
        self.search
    }

    /// Files an owned object under the place of its owner, if that has one; gives its place.
    #[inline]
    fn file(&mut self, owner: u32, position: u32, object: u32) -> u32 {
        let search = &mut self.search;
        let known = search.found.place_of[object as usize];
        let place = search.found.place_of[owner as usize];
        if known != NONE || place == NONE {
            return known;
        }
        let class = search.heap.class_number(owner);
        let lead = Lead {
            place,
            class,
            position: match search.heap.classes.get(class).kind {
                ClassKind::Plain => position,
                _ => 0,
            },
            target_class: search.heap.class_number(object),
        };
        let (known, found) = &mut self.leads[lead.slot()];
        if *known != lead {
            let edge = search.edge(owner, position as usize);
            let filed = search.place_behind(owner, object, edge);
            // which thread-local an entry belongs to depends on the entry
            if matches!(edge, Edge::ThreadLocal(_)) {
                search.put(object, place, filed);
                return filed;
            }
            (*known, *found) = (lead, filed);
        }
        search.put(object, place, *found);
        *found
    }

    #[inline]
    fn weigh(&mut self, object: u32, number: usize, retained: u64) {
        let place = &mut self.search.found.places[number];
        if self.open[number] == 0 {
            place.retained += retained;
        }
        let (heaviest, most) = place.heaviest;
        if retained > most || heaviest == NONE || (retained == most && object < heaviest) {
            place.heaviest = (object, retained);
        }
    }

    #[inline]
    fn count(&mut self, number: usize, bytes: u64) {
        let place = &mut self.search.found.places[number];
        place.objects += 1;
        place.own_bytes += bytes;
        if self.open.len() <= number {
            self.open.resize(number + 1, 0);
        }
    }
}

impl Visitor for Filing<'_, '_> {
    #[inline]
    fn enter(&mut self, object: u32) {
        let shape = self.search.heap.shapes.get(object);
        let place = self.search.found.place_of[object as usize];
        if place != NONE {
            self.count(place as usize, u64::from(shape.size) * SIZE_UNIT);
            self.open[place as usize] += 1;
        }
    }

    #[inline]
    fn enter_owned(&mut self, owner: u32, position: u32, object: u32) {
        self.file(owner, position, object);
        self.enter(object);
    }

    /// Objects below another of the same place are retained by that one already.
    #[inline]
    fn leave(&mut self, object: u32) {
        let retained = self.search.retention.bytes(object);
        let place = self.search.found.place_of[object as usize];
        if place != NONE {
            self.open[place as usize] -= 1;
            self.weigh(object, place as usize, retained);
        }
    }

    #[inline]
    fn visit_leaf(&mut self, owner: u32, position: u32, object: u32) {
        let shape = self.search.heap.shapes.get(object);
        let place = self.file(owner, position, object);
        if place != NONE {
            let bytes = u64::from(shape.size) * SIZE_UNIT;
            self.count(place as usize, bytes);
            self.weigh(object, place as usize, bytes);
        }
    }
}
