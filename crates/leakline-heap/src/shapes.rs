//! Class and size of every object in four bytes: objects that share both have the same shape.
//!
//! What tells shapes apart stands at the head of each record, so that the first pass over a dump
//! can number them before any class is known ([`ShapeNumbers`]). What a shape is, and how large
//! its objects are, is settled afterwards once for each shape.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use leakline_hprof::{HeapRecord, PrimitiveType};

use crate::classes::ClassNumber;
use crate::heap_index::encode_fields;
use crate::symbols::Symbol;

/// What objects of one shape have in common, as their records say it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ShapeKey {
    /// An object that no record describes.
    Undescribed,
    /// The class object of the class with this id.
    Class(u64),
    /// An object that is neither a class nor an array, of the class with this id.
    Instance(u64),
    /// An array of references: the id of its class, and its length.
    ObjectArray(u64, u32),
    /// An array of primitive values, and its length.
    PrimitiveArray(PrimitiveType, u32),
}

impl ShapeKey {
    /// `None` for records that describe no object.
    #[inline]
    pub(crate) fn of(record: &HeapRecord<'_>) -> Option<ShapeKey> {
        Some(match *record {
            HeapRecord::Instance { class_id, .. } => ShapeKey::Instance(class_id),
            HeapRecord::ObjectArray {
                class_id, elements, ..
            } => ShapeKey::ObjectArray(class_id, elements.len() as u32),
            HeapRecord::PrimitiveArray {
                element_type,
                length,
                ..
            }
            | HeapRecord::PrimitiveArrayWithoutData {
                element_type,
                length,
                ..
            } => ShapeKey::PrimitiveArray(element_type, length),
            HeapRecord::Class(class) => ShapeKey::Class(class.class_id),
            HeapRecord::GcRoot(_) | HeapRecord::HeapInfo { .. } => return None,
        })
    }

    /// Ids of classes are multiples of eight: multiplying spreads what is above.
    #[inline]
    fn hash(&self) -> u64 {
        let (id, rest) = match *self {
            ShapeKey::Undescribed => (0, 0),
            ShapeKey::Class(id) => (id, 1),
            ShapeKey::Instance(id) => (id, 2),
            ShapeKey::ObjectArray(id, length) => (id, u64::from(length) << 2 | 3),
            ShapeKey::PrimitiveArray(element, length) => {
                (u64::from(element.code()), u64::from(length) << 2 | 3)
            }
        };
        (id ^ rest.rotate_left(40)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Position of a shape among all of a dump.
pub(crate) type ShapeNumber = u32;

/// Numbers shapes as several threads meet them. Which number a shape gets depends on who meets
/// it first, so nothing that is reported may depend on it.
pub(crate) struct ShapeNumbers(Mutex<Numbering>);

struct Numbering {
    keys: Vec<ShapeKey>,
    numbers: HashMap<ShapeKey, ShapeNumber>,
}

impl ShapeNumbers {
    /// The number of [`ShapeKey::Undescribed`].
    pub(crate) const UNDESCRIBED: ShapeNumber = 0;

    pub(crate) fn new() -> ShapeNumbers {
        ShapeNumbers(Mutex::new(Numbering {
            keys: vec![ShapeKey::Undescribed],
            numbers: HashMap::from([(ShapeKey::Undescribed, Self::UNDESCRIBED)]),
        }))
    }

    fn number(&self, key: ShapeKey) -> ShapeNumber {
        let mut numbering = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Numbering { keys, numbers } = &mut *numbering;
        *numbers.entry(key).or_insert_with(|| {
            keys.push(key);
            keys.len() as u32 - 1
        })
    }

    /// All shapes, by number.
    pub(crate) fn into_keys(self) -> Vec<ShapeKey> {
        let numbering = self.0.into_inner();
        numbering.unwrap_or_else(PoisonError::into_inner).keys
    }
}

/// Finds numbers of shapes for one thread: a direct-mapped cache in front of what threads share.
pub(crate) struct ShapeFinder<'n> {
    numbers: &'n ShapeNumbers,
    cache: Vec<(ShapeKey, ShapeNumber)>,
}

impl<'n> ShapeFinder<'n> {
    const ENTRY_BITS: u32 = 10;

    pub(crate) fn new(numbers: &'n ShapeNumbers) -> Self {
        let empty = (ShapeKey::Undescribed, ShapeNumbers::UNDESCRIBED);
        ShapeFinder {
            numbers,
            cache: vec![empty; 1 << Self::ENTRY_BITS],
        }
    }

    #[inline]
    pub(crate) fn number(&mut self, key: ShapeKey) -> ShapeNumber {
        let entry = &mut self.cache[(key.hash() >> (64 - Self::ENTRY_BITS)) as usize];
        if entry.0 != key {
            *entry = (key, self.numbers.number(key));
        }
        entry.1
    }
}

/// What is the same for many objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) class: ClassNumber,
    /// Of the class.
    pub(crate) name: Symbol,
    /// In units of [`SIZE_UNIT`](crate::graph::SIZE_UNIT).
    pub(crate) size: u32,
    /// Whether its objects surely refer to nothing but the class.
    pub(crate) is_leaf: bool,
}

/// The shapes of all objects.
pub(crate) struct Shapes<'a> {
    table: Vec<Shape>,
    of: Cow<'a, [ShapeNumber]>,
}

encode_fields!(Shape {
    class,
    name,
    size,
    is_leaf
});
encode_fields!(Shapes<'a> { table, of });

impl Shapes<'_> {
    /// `of` holds positions in `table`, by object.
    pub(crate) fn new(table: Vec<Shape>, of: Vec<ShapeNumber>) -> Shapes<'static> {
        Shapes {
            table,
            of: of.into(),
        }
    }

    /// Number of objects.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    #[inline]
    pub(crate) fn get(&self, object: u32) -> &Shape {
        &self.table[self.of[object as usize] as usize]
    }
}
