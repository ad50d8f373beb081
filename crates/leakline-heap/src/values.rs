//! Values that the report needs, taken while the references are read, so that the dump is not
//! read once more: some primitive fields of a few classes of the JDK, and of every primitive
//! array whether it is all zeros and which others are the same ([`Twins`]). Nothing of the values
//! themselves is kept, but for these fields. Looking at single values is `inspect`'s business.
//!
//! Memory: a bit for each object, and what [`Twins`] take.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use leakline_hprof::PrimitiveType;
use rayon::prelude::*;

use crate::bits::{Bits, SharedBits};
use crate::classes::{ClassKind, ClassNumber, Classes, dump_bytes};
use crate::heap_index::encode_fields;
use crate::shapes::Shapes;
use crate::symbols::Symbols;
use crate::twins::{Adder, HashedArrays, Twins, hash};

/// Classes (with their subclasses) of which primitive fields are of interest.
const WATCHED: &[(&str, Watch)] = &[
    ("java.nio.DirectByteBuffer", Watch::Named(&["capacity"])),
    (
        "jdk.internal.foreign.MemorySessionImpl",
        Watch::Named(&["state"]),
    ),
    // anonymous subclasses capture what they free, under names that changed with every release
    (
        "jdk.internal.foreign.MemorySessionImpl$ResourceList$ResourceCleanup",
        Watch::Sizes,
    ),
    ("java.util.zip.Inflater", Watch::Named(&[])),
    ("java.util.zip.Deflater", Watch::Named(&[])),
    // up to JDK 8 there is one for both
    ("java.util.zip.ZStreamRef", Watch::Named(&["address"])),
    (
        "java.util.zip.Inflater$InflaterZStreamRef",
        Watch::Named(&["address"]),
    ),
    (
        "java.util.zip.Deflater$DeflaterZStreamRef",
        Watch::Named(&["address"]),
    ),
    (
        "java.lang.AbstractStringBuilder",
        Watch::Named(&["count", "coder"]),
    ),
    ("java.io.ByteArrayOutputStream", Watch::Named(&["count"])),
];

/// Fields of a class that are of interest.
#[derive(Clone, Copy)]
enum Watch {
    /// In this order, two at most.
    Named(&'static [&'static str]),
    /// Those of type `long` called something with `Size`, the first two.
    Sizes,
}

/// Where the watched fields of a class stand in the dump's description of an instance.
type Watched = [Option<(u32, PrimitiveType)>; 2];

/// What was kept of the values of a dump.
pub(crate) struct Values {
    /// Ordered by object.
    fields: Vec<(u32, [i64; 2])>,
    /// Primitive arrays that have elements, all of them zero.
    pub(crate) zeros: Bits,
    /// Primitive arrays with the same elements.
    pub(crate) twins: Twins,
}

impl Values {
    /// The watched fields of an object, 0 for those that its class does not have; `None` when
    /// its class is not watched.
    pub(crate) fn fields(&self, object: u32) -> Option<[i64; 2]> {
        let found = self
            .fields
            .binary_search_by_key(&object, |(object, _)| *object);
        Some(self.fields.get(found.ok()?)?.1)
    }

    /// All objects of watched classes.
    pub(crate) fn watched(&self) -> impl ExactSizeIterator<Item = (u32, [i64; 2])> + '_ {
        self.fields.iter().copied()
    }
}

encode_fields!(Values {
    fields,
    zeros,
    twins
});

/// Collects values as the records of a dump are passed over, from several threads.
pub(crate) struct ValueRecorder<'r> {
    /// By class.
    watched: Vec<Option<Watched>>,
    /// How many there are.
    objects: usize,
    arrays: HashedArrays,
    zeros: SharedBits,
    fields: Mutex<Vec<(u32, [i64; 2])>>,
    /// The dump, to tell where in it an array stands.
    dump: &'r [u8],
    release: &'r (dyn Fn(Range<u64>) + Sync),
}

impl<'r> ValueRecorder<'r> {
    /// Arrays larger than this are given back to the owner of the dump part by part.
    const PART: usize = 16 << 20;

    pub(crate) fn new(
        classes: &Classes,
        symbols: &Symbols,
        identifier_bytes: u32,
        shapes: &Shapes,
        dump: &'r [u8],
        release: &'r (dyn Fn(Range<u64>) + Sync),
    ) -> Self {
        let numbers = 0..classes.table.len() as u32;
        let objects = shapes.len();
        let is_array = |object: &u32| {
            let class = classes.get(shapes.get(*object).class);
            matches!(class.kind, ClassKind::PrimitiveArray(_))
        };
        let arrays = (0..objects as u32).into_par_iter().filter(is_array).count();
        ValueRecorder {
            watched: numbers
                .map(|class| watched(classes, symbols, identifier_bytes, class))
                .collect(),
            objects,
            arrays: HashedArrays::with_capacity(arrays),
            zeros: SharedBits::new(objects),
            fields: Mutex::default(),
            dump,
            release,
        }
    }

    /// What one thread tells of arrays through.
    pub(crate) fn adder(&self) -> Adder<'_> {
        self.arrays.adder()
    }

    /// Told of each primitive array.
    #[inline]
    pub(crate) fn array(
        &self,
        adder: &mut Adder<'_>,
        object: u32,
        element_type: PrimitiveType,
        elements: &[u8],
    ) {
        let mut state = hash::start(element_type.code(), elements.len());
        let mut any = 0;
        for part in elements.chunks(Self::PART) {
            let (next, bits) = hash::add(state, part);
            (state, any) = (next, any | bits);
            if elements.len() > Self::PART {
                // a difference of addresses: nothing is read through it
                let start = part.as_ptr().addr() - self.dump.as_ptr().addr();
                (self.release)(start as u64..(start + part.len()) as u64);
            }
        }
        adder.add(object, state);
        if any == 0 && !elements.is_empty() {
            self.zeros.insert(object);
        }
    }

    /// Told of each instance, with the bytes of its fields.
    #[inline]
    pub(crate) fn instance(&self, object: u32, class: ClassNumber, fields: &[u8]) {
        if let Some(Some(watched)) = self.watched.get(class as usize) {
            self.keep(object, watched, fields);
        }
    }

    #[cold]
    fn keep(&self, object: u32, watched: &Watched, fields: &[u8]) {
        let value = |field: &Option<(u32, PrimitiveType)>| {
            let (offset, primitive) = (*field)?;
            let bytes = fields.get(offset as usize..)?.get(..primitive.bytes())?;
            let wide = bytes
                .iter()
                .fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
            let unused = 64 - 8 * bytes.len() as u32;
            Some((wide << unused) as i64 >> unused)
        };
        let values = [0, 1].map(|field| value(&watched[field]).unwrap_or(0));
        let mut fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        fields.push((object, values));
    }

    pub(crate) fn finish(self) -> Values {
        let mut fields = self
            .fields
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        fields.sort_by_key(|(object, _)| *object);
        fields.dedup_by_key(|(object, _)| *object);
        Values {
            fields,
            zeros: self.zeros.into_bits(),
            twins: Twins::new(self.arrays, self.objects),
        }
    }
}

fn watched(
    classes: &Classes,
    symbols: &Symbols,
    identifier_bytes: u32,
    class: ClassNumber,
) -> Option<Watched> {
    let name = |class| symbols.name(classes.get(class).name);
    let (_, watch) = classes.ancestry(class).find_map(|ancestor| {
        WATCHED
            .iter()
            .find(|(watched, _)| *watched == name(ancestor))
    })?;
    let mut fields = Vec::new();
    let mut offset = 0;
    for ancestor in classes.ancestry(class) {
        for field in &classes.get(ancestor).fields {
            if let Some(primitive) = field.value_type.primitive() {
                fields.push((symbols.name(field.name), offset, primitive));
            }
            offset += dump_bytes(field.value_type, identifier_bytes);
        }
    }
    let found = |field: &(&str, u32, PrimitiveType)| (field.1, field.2);
    Some(match watch {
        Watch::Named(names) => [0, 1].map(|number| {
            let wanted = names.get(number)?;
            fields.iter().find(|field| field.0 == *wanted).map(found)
        }),
        Watch::Sizes => {
            let mut sizes = fields
                .iter()
                .filter(|field| field.0.ends_with("Size") && field.2 == PrimitiveType::Long);
            [0, 1].map(|_| sizes.next().map(found))
        }
    })
}
