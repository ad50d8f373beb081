//! Objects, bytes and retained bytes by class.

use crate::graph::{Heap, SIZE_UNIT};
use crate::report::ClassRow;
use crate::shapes::Shape;
use crate::symbols::Symbol;

/// Sums by class name, gathered on a walk through the dominator tree. Classes of the same name
/// from different loaders share a row.
pub(crate) struct Histogram<'h, 'a> {
    heap: &'h Heap<'a>,
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

impl<'h, 'a> Histogram<'h, 'a> {
    pub(crate) fn new(heap: &'h Heap<'a>) -> Self {
        Histogram {
            heap,
            rows: vec![Row::default(); heap.symbols.len()],
        }
    }

    #[inline]
    pub(crate) fn enter(&mut self, shape: &Shape) {
        let row = &mut self.rows[shape.name.0 as usize];
        row.objects += 1;
        row.bytes += u64::from(shape.size) * SIZE_UNIT;
        row.open += 1;
    }

    /// What an object retains counts only when no other of its class retains the object.
    #[inline]
    pub(crate) fn leave(&mut self, shape: &Shape, retained: u64) {
        let row = &mut self.rows[shape.name.0 as usize];
        row.open -= 1;
        if row.open == 0 {
            row.retained += retained;
        }
    }

    /// Enters and leaves an object that retains nothing but itself.
    #[inline]
    pub(crate) fn visit_leaf(&mut self, shape: &Shape) {
        let row = &mut self.rows[shape.name.0 as usize];
        let bytes = u64::from(shape.size) * SIZE_UNIT;
        row.objects += 1;
        row.bytes += bytes;
        if row.open == 0 {
            row.retained += bytes;
        }
    }

    /// Most bytes first.
    pub(crate) fn into_rows(self) -> Vec<ClassRow> {
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
