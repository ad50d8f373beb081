//! Shallow sizes as the JVM counts them.
//!
//! A dump does not say how large an object was: fields are written without header and padding,
//! and references as wide as ids even when the JVM compressed them. But ids are addresses, and
//! in a collected heap most objects stand side by side. So every layout that HotSpot uses is
//! tried on pairs of neighbours; the one whose sizes most often reach exactly to the next object,
//! and least often beyond it, is the one that the JVM used. Classes whose instances are then
//! still off (fields that the JVM injects, padding against false sharing) are corrected by their
//! own gaps.
//!
//! A stack chunk has the frames of an unmounted virtual thread behind its fields; the dump says
//! how many words, and no more.
//!
//! A class object takes what `java.lang.Class` does, injected fields included (measured by the
//! tightest gap), and the static fields of the class that it stands for.

use leakline_hprof::{PrimitiveType, Version};

use crate::classes::{ClassKind, Classes, Field};
use crate::graph::SIZE_UNIT;
use crate::heap_index::encode_fields;
use crate::index::AddressIndex;
use crate::passes::ShapeKind;
use crate::shapes::{ShapeNumber, ShapeNumbers};

/// How a JVM lays out objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    /// Bytes before the first field.
    header: u32,
    /// Bytes of a reference.
    reference: u32,
    /// Bytes before the first array element; elements of eight bytes are aligned to eight.
    array_header: u32,
    /// Sizes are multiples of this.
    alignment: u32,
}

encode_fields!(Layout {
    header,
    reference,
    array_header,
    alignment
});

const fn layout(header: u32, reference: u32, array_header: u32) -> Layout {
    Layout {
        header,
        reference,
        array_header,
        alignment: 8,
    }
}

/// 64-bit HotSpot; the most common first, for it wins ties.
const WIDE: [Layout; 7] = [
    // compressed references and class pointers: the default below 32 GiB
    layout(12, 4, 16),
    // compressed class pointers alone: the default above, and with ZGC
    layout(12, 8, 16),
    // compact object headers (JDK 24 and later)
    layout(8, 4, 12),
    layout(8, 8, 12),
    // nothing compressed; since JDK 22 array elements start right behind the length
    layout(16, 8, 24),
    layout(16, 8, 20),
    layout(16, 4, 24),
];
/// 32-bit HotSpot, and Android.
const NARROW: [Layout; 1] = [layout(8, 4, 12)];

/// Compressed references reach this far, with the usual alignment.
const COMPRESSED_LIMIT: u64 = 32 << 30;
/// Neighbours looked at.
const SAMPLE: u64 = 1 << 20;
/// Objects side by side that are looked at together, so that the sample is spread out.
const RUN: u64 = 256;
/// Fewer neighbours prove nothing.
const LEAST_SAMPLE: u64 = 64;

/// What sizes are computed from.
pub(crate) struct SizeInput<'i> {
    pub(crate) version: Version,
    pub(crate) identifier_bytes: u32,
    pub(crate) classes: &'i Classes,
    pub(crate) index: &'i AddressIndex,
    /// All shapes.
    pub(crate) kinds: &'i [ShapeKind],
    /// By object.
    pub(crate) shape_of: &'i [ShapeNumber],
}

/// Size of the objects of every shape in units of [`SIZE_UNIT`], and the layout that was
/// recognised.
pub(crate) fn sizes(input: &SizeInput<'_>) -> (Vec<u32>, Layout) {
    let candidates: &[Layout] = match input.identifier_bytes {
        4 => &NARROW,
        _ => &WIDE,
    };
    let alignment = alignment(input.index);
    let candidates: Vec<Layout> = candidates
        .iter()
        .map(|layout| Layout {
            alignment,
            ..*layout
        })
        .collect();
    let evidence = Evidence::gather(input, &candidates);
    let layout = evidence.layout;
    let mut instance_sizes: Vec<u32> = (0..input.classes.table.len() as u32)
        .map(|class| evidence.instance_size(input, class))
        .collect();
    // class objects of primitive types are plain instances
    let class_class = &mut instance_sizes[input.classes.class_class as usize];
    let mirror_base = evidence.mirror_base.unwrap_or(*class_class);
    *class_class = layout.align(u64::from(mirror_base)) as u32;
    let array_element: Vec<Option<u32>> = input
        .classes
        .table
        .iter()
        .map(|class| element_bytes(class.kind, layout.reference))
        .collect();

    let size = |kind: &ShapeKind| match (kind.mirror_of, array_element[kind.class as usize]) {
        (Some(class), _) => {
            let class = input.classes.get(class);
            let base = if class.described { mirror_base } else { 0 };
            layout.align(u64::from(base) + u64::from(class.static_bytes(layout.reference)))
        }
        (None, Some(element)) => layout.array_size(element, u64::from(kind.length)),
        (None, None) => {
            u64::from(instance_sizes[kind.class as usize]) + layout.stack_bytes(kind.length)
        }
    };
    let mut sizes: Vec<u32> = input.kinds.iter().map(|kind| units(size(kind))).collect();
    // they exist by inference alone
    sizes[ShapeNumbers::UNDESCRIBED as usize] = 0;
    (sizes, layout)
}

/// What all addresses are multiples of, eight bytes at least.
fn alignment(index: &AddressIndex) -> u32 {
    if u64::from(index.len()) < LEAST_SAMPLE {
        return 8;
    }
    1 << index.alignment_bits().clamp(3, 8)
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(SIZE_UNIT)).unwrap_or(u32::MAX)
}

fn element_bytes(kind: ClassKind, reference: u32) -> Option<u32> {
    match kind {
        ClassKind::Plain => None,
        ClassKind::ObjectArray => Some(reference),
        ClassKind::PrimitiveArray(element) => Some(element.bytes() as u32),
    }
}

impl crate::classes::Class {
    fn static_bytes(&self, reference: u32) -> u32 {
        self.static_primitive_bytes + self.static_references * reference
    }
}

impl Layout {
    /// Bytes of an array of so many references.
    pub(crate) fn reference_array_size(&self, length: u64) -> u64 {
        self.array_size(self.reference, length)
    }

    /// Bytes of an array of so many bytes.
    pub(crate) fn byte_array_size(&self, length: u64) -> u64 {
        self.array_size(1, length)
    }

    fn align(&self, bytes: u64) -> u64 {
        bytes.next_multiple_of(u64::from(self.alignment))
    }

    fn array_size(&self, element: u32, length: u64) -> u64 {
        let header = if element == 8 {
            self.array_header.next_multiple_of(8)
        } else {
            self.array_header
        };
        self.align(u64::from(header) + u64::from(element) * length)
    }

    /// What HotSpot appends to a stack chunk of so many words: these, and a map with a bit for
    /// each reference that could stand in them.
    fn stack_bytes(&self, words: u32) -> u64 {
        const WORD: u64 = 8;
        let words = u64::from(words);
        let bits = words * WORD / u64::from(self.reference);
        WORD * (words + bits.div_ceil(8 * WORD))
    }

    fn instance_size(&self, classes: &Classes, class: u32) -> u32 {
        let mut lineage: Vec<u32> = classes.ancestry(class).collect();
        lineage.reverse();
        let mut packing = Packing {
            end: self.header,
            holes: Vec::new(),
        };
        for class in lineage {
            packing.add(&classes.get(class).fields, self.reference);
        }
        self.align(u64::from(packing.end)) as u32
    }
}

/// Fields of a class and its superclasses put one after the other, as HotSpot does since JDK 15:
/// primitive fields by falling size, then references; holes are filled first.
struct Packing {
    end: u32,
    /// Start and length of gaps left by alignment.
    holes: Vec<(u32, u32)>,
}

impl Packing {
    fn add(&mut self, fields: &[Field], reference: u32) {
        let primitives = [8, 4, 2, 1].into_iter().flat_map(|bytes| {
            fields
                .iter()
                .filter(move |field| primitive_bytes(field) == Some(bytes))
                .map(move |_| bytes)
        });
        let references = fields
            .iter()
            .filter(|field| primitive_bytes(field).is_none())
            .map(|_| reference);
        for bytes in primitives.chain(references) {
            self.place(bytes);
        }
    }

    fn place(&mut self, bytes: u32) {
        let best = self
            .holes
            .iter()
            .enumerate()
            .filter(|(_, (start, length))| start.next_multiple_of(bytes) + bytes <= start + length)
            .min_by_key(|(_, (_, length))| *length)
            .map(|(position, hole)| (position, *hole));
        if let Some((position, (start, length))) = best {
            self.holes.remove(position);
            let at = start.next_multiple_of(bytes);
            self.leave(start, at);
            self.leave(at + bytes, start + length);
        } else {
            let at = self.end.next_multiple_of(bytes);
            self.leave(self.end, at);
            self.end = at + bytes;
        }
    }

    fn leave(&mut self, from: u32, to: u32) {
        if from < to {
            self.holes.push((from, to - from));
        }
    }
}

fn primitive_bytes(field: &Field) -> Option<u32> {
    field
        .value_type
        .primitive()
        .map(|p: PrimitiveType| p.bytes() as u32)
}

/// What the gaps between neighbours say.
struct Evidence {
    layout: Layout,
    /// Whether the gaps were enough to tell; then single classes are corrected by them.
    measured: bool,
    /// Whether nearly all neighbours are as close as can be.
    is_compact: bool,
    gaps: Vec<ClassGaps>,
    /// Bytes of a class object without static fields.
    mirror_base: Option<u32>,
    /// By class: bytes by which all kinds of instances below it are larger than their fields.
    inherited: Vec<u32>,
}

/// Bytes of a class object before its static fields: the number that, with the static fields and
/// rounded up, reaches most often exactly to the next object.
fn mirror_base(classes: &Classes, layout: &Layout, gaps: &[(u32, u32)]) -> Option<u32> {
    const LEAST_CLASSES: usize = 16;
    if gaps.len() < LEAST_CLASSES {
        return None;
    }
    let statics = |class: u32| classes.get(class).static_bytes(layout.reference);
    let least = gaps
        .iter()
        .map(|(class, gap)| gap.saturating_sub(layout.align(u64::from(statics(*class))) as u32))
        .filter(|base| *base >= layout.header)
        .min()?;
    (least..least + 2 * layout.alignment)
        .step_by(4)
        .min_by_key(|base| {
            let score = |(class, gap): &(u32, u32)| {
                let size = layout.align(u64::from(base + statics(*class)));
                match size.cmp(&u64::from(*gap)) {
                    std::cmp::Ordering::Equal => -1i64,
                    std::cmp::Ordering::Greater => 1,
                    std::cmp::Ordering::Less => 0,
                }
            };
            gaps.iter().map(score).sum::<i64>()
        })
}

/// Padding of fields that are kept apart (`@Contended`: threads, pools): 128 bytes on either side.
const PADDING: std::ops::RangeInclusive<u32> = 256..=288;
/// The JVM injects no more than this into one class: virtual threads have three words, modules and
/// class loaders one, method handles two.
const MOST_INJECTED: u32 = 32;
/// As much is believed where dead objects leave holes, which look the same.
const LIKELY_INJECTED: u32 = 16;

/// Distances from instances of one class to the next object.
#[derive(Clone, Copy, Default)]
struct ClassGaps {
    least: u32,
    seen: u32,
    seen_least: u32,
}

impl ClassGaps {
    fn add(&mut self, gap: u32) {
        self.seen += 1;
        if self.seen == 1 || gap < self.least {
            self.least = gap;
            self.seen_least = 1;
        } else if gap == self.least {
            self.seen_least += 1;
        }
    }
}

impl Evidence {
    fn gather(input: &SizeInput<'_>, candidates: &[Layout]) -> Evidence {
        let classes = input.classes;
        let mut greatest = 0u64;
        let mut gaps = vec![ClassGaps::default(); classes.table.len()];
        let mut scores = vec![(0i64, 0u64); candidates.len()];
        let mut sampled = 0u64;
        let mut mirror_gaps: Vec<(u32, u32)> = Vec::new();
        let mut stack_gaps: Vec<(u32, u32, u64)> = Vec::new();
        let predicted: Vec<Vec<u32>> = candidates
            .iter()
            .map(|layout| {
                (0..classes.table.len() as u32)
                    .map(|class| layout.instance_size(classes, class))
                    .collect()
            })
            .collect();
        let stride = (u64::from(input.index.len()) / SAMPLE).max(1);
        let mut previous: Option<u64> = None;
        for (number, id) in input.index.ids().enumerate() {
            greatest = id;
            let Some(gap) = previous.replace(id).map(|previous| id - previous) else {
                continue;
            };
            let object = number - 1;
            let shape = input.shape_of[object];
            let kind = &input.kinds[shape as usize];
            if let Some(of) = kind.mirror_of {
                mirror_gaps.push((of, u32::try_from(gap).unwrap_or(u32::MAX)));
                continue;
            }
            if shape == ShapeNumbers::UNDESCRIBED || !(number as u64 / RUN).is_multiple_of(stride) {
                continue;
            }
            let class = classes.get(kind.class);
            if !class.described {
                continue;
            }
            if class.stack_words_at.is_some() {
                stack_gaps.push((kind.class, kind.length, gap));
                continue;
            }
            sampled += 1;
            let gap32 = u32::try_from(gap).unwrap_or(u32::MAX);
            if class.kind == ClassKind::Plain {
                gaps[kind.class as usize].add(gap32);
            }
            for ((layout, sizes), score) in candidates.iter().zip(&predicted).zip(&mut scores) {
                let size = match element_bytes(class.kind, layout.reference) {
                    Some(element) => layout.array_size(element, u64::from(kind.length)),
                    None => u64::from(sizes[kind.class as usize]),
                };
                match size.cmp(&gap) {
                    std::cmp::Ordering::Equal => {
                        score.0 += 1;
                        score.1 += 1;
                    }
                    std::cmp::Ordering::Greater => score.0 -= 1,
                    std::cmp::Ordering::Less => {}
                }
            }
        }
        let best = (0..candidates.len())
            .rev()
            .max_by_key(|candidate| scores[*candidate].0)
            .unwrap_or(0);
        let measured = sampled >= LEAST_SAMPLE && scores[best].1 * 2 >= sampled;
        let layout = match (measured, candidates) {
            (true, _) => candidates[best],
            (false, [_, uncompressed, ..]) if greatest >= COMPRESSED_LIMIT => *uncompressed,
            (false, _) => candidates[0],
        };
        for (class, words, gap) in stack_gaps {
            if let Some(fields) = gap.checked_sub(layout.stack_bytes(words)) {
                gaps[class as usize].add(u32::try_from(fields).unwrap_or(u32::MAX));
            }
        }
        let mut evidence = Evidence {
            layout,
            measured,
            is_compact: scores[best].1 * 20 >= sampled * 19,
            gaps,
            mirror_base: None,
            inherited: vec![0; classes.table.len()],
        };
        if measured {
            evidence.mirror_base = mirror_base(classes, &layout, &mirror_gaps);
            evidence.find_inherited(classes, &predicted[best]);
        }
        evidence
    }

    /// Classes of which every kind of instance is larger than its fields: the JVM injects fields
    /// into them (class loaders) or pads them (threads).
    fn find_inherited(&mut self, classes: &Classes, predicted: &[u32]) {
        const KINDS: u32 = 3;
        let mut excess = vec![(u32::MAX, 0u32); classes.table.len()];
        for (class, gaps) in self.gaps.iter().enumerate() {
            if gaps.seen == 0 {
                continue;
            }
            for ancestor in classes.ancestry(class as u32) {
                let (least, kinds) = &mut excess[ancestor as usize];
                *least = (*least).min(gaps.least.saturating_sub(predicted[class]));
                *kinds += 1;
            }
        }
        for (number, (least, kinds)) in excess.into_iter().enumerate() {
            if kinds >= KINDS && least > 0 && self.is_plausible(least) {
                self.inherited[number] = least;
            }
        }
    }

    /// Whether instances can be so much larger than their fields.
    fn is_plausible(&self, excess: u32) -> bool {
        let injected = match self.is_compact {
            true => MOST_INJECTED,
            false => LIKELY_INJECTED,
        };
        excess <= injected || PADDING.contains(&excess)
    }

    fn instance_size(&self, input: &SizeInput<'_>, class: u32) -> u32 {
        let described = input.classes.get(class);
        if !described.described {
            return self.layout.align(u64::from(self.layout.header)) as u32;
        }
        if input.version == Version::V1_0_3 {
            // Android writes the true size
            return described.dump_size;
        }
        let computed = self.layout.instance_size(input.classes, class);
        if !self.measured {
            return computed;
        }
        let mut ancestry = input.classes.ancestry(class);
        let inherited = ancestry
            .find_map(|ancestor| Some(self.inherited[ancestor as usize]).filter(|more| *more > 0))
            .unwrap_or(0);
        let gaps = self.gaps[class as usize];
        if gaps.seen == 0 {
            return computed + inherited;
        }
        // objects cannot overlap, and the fields of a stack chunk are known to the JVM alone
        if gaps.least < computed || described.stack_words_at.is_some() {
            return gaps.least;
        }
        let excess = gaps.least - computed;
        // a hole is rarely as wide as padding, and two equal ones are rare where there are few
        let enough = match (PADDING.contains(&excess), self.is_compact) {
            (true, true) => 1,
            (true, false) | (false, true) => 2,
            (false, false) => 3,
        };
        let agree = gaps.seen_least >= enough && gaps.seen_least * 2 >= gaps.seen;
        let is_closer = (inherited..=inherited + self.layout.alignment).contains(&excess);
        if (agree && self.is_plausible(excess)) || (inherited > 0 && is_closer) {
            return gaps.least;
        }
        computed + inherited.min(excess)
    }
}
