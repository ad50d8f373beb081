//! Objects, bytes and retained bytes by class.

use crate::graph::{Heap, SIZE_UNIT};
use crate::report::ClassRow;
use crate::retention::{Retention, Visitor};
use crate::symbols::Symbol;

/// Sums by class name, gathered on a walk through the dominator tree. Classes of the same name
/// from different loaders share a row.
struct Histogram<'h, 'a> {
    heap: &'h Heap<'a>,
    retention: &'h Retention<'h>,
    rows: Vec<Row>,
}

#[derive(Clone, Default)]
struct Row {
    objects: u64,
    bytes: u64,
    retained: u64,
    /// How many objects of the class the walk is inside of.
    open: u32,
}

/// The histogram of everything reachable.
pub(crate) fn histogram(heap: &Heap<'_>, retention: &Retention) -> Vec<ClassRow> {
    let mut histogram = Histogram {
        heap,
        retention,
        rows: vec![Row::default(); heap.symbols.len()],
    };
    retention.walk(heap, &mut histogram);
    histogram.into_rows()
}

impl Visitor for Histogram<'_, '_> {
    #[inline]
    fn enter(&mut self, object: u32) {
        let shape = self.heap.shapes.get(object);
        let row = &mut self.rows[shape.name.0 as usize];
        row.objects += 1;
        row.bytes += u64::from(shape.size) * SIZE_UNIT;
        row.open += 1;
    }

    #[inline]
    fn enter_owned(&mut self, _: u32, _: u32, object: u32) {
        self.enter(object);
    }

    /// What an object retains counts only when no other of its class retains the object.
    #[inline]
    fn leave(&mut self, object: u32) {
        let shape = self.heap.shapes.get(object);
        let row = &mut self.rows[shape.name.0 as usize];
        row.open -= 1;
        if row.open == 0 {
            row.retained += self.retention.bytes(object);
        }
    }

    #[inline]
    fn visit_leaf(&mut self, _: u32, _: u32, object: u32) {
        let shape = self.heap.shapes.get(object);
        let row = &mut self.rows[shape.name.0 as usize];
        let bytes = u64::from(shape.size) * SIZE_UNIT;
        row.objects += 1;
        row.bytes += bytes;
        if row.open == 0 {
            row.retained += bytes;
        }
    }
}

impl Histogram<'_, '_> {
    /// Most bytes first.
    fn into_rows(self) -> Vec<ClassRow> {
        let heap = self.heap;
        let mut rows: Vec<ClassRow> = self
            .rows
            .into_iter()
            .enumerate()
            .filter(|(_, row)| row.objects > 0)
            .map(|(name, row)| ClassRow {
                class: heap.name(Symbol(name as u32)).to_owned(),
                objects: row.objects,
                shallow_bytes: row.bytes,
                retained_bytes: row.retained,
            })
            .collect();
        rows.sort_by(|a, b| {
            (b.shallow_bytes, b.objects)
                .cmp(&(a.shallow_bytes, a.objects))
                .then_with(|| a.class.cmp(&b.class))
        });
        rows
    }
}
