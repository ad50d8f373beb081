//! Memory outside of the heap that objects of the heap keep allocated.
//!
//! It is counted at the object with whose death it is freed: a direct buffer that has a cleaner
//! (not the slices and views of it), a session of the foreign-memory API, a stream of zlib. So it
//! is held by whatever holds that object, and is followed down the tree of places as bytes of the
//! heap are. Files mapped into memory are told apart, for the system can take their pages back,
//! and so is memory that native code owns and merely gives access to, as the JDK does with its
//! image of modules.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::graph::Heap;
use crate::reachability::Strength;
use crate::report::{NativeKind, NativeMemory, NativeRow};

/// What native memory the objects of a heap keep.
#[derive(Default)]
pub(crate) struct Native {
    /// Reachable objects with which native memory would be freed, and its bytes; by object.
    pub(crate) owners: Vec<(u32, u64)>,
    /// Sums; the holders are left open.
    pub(crate) memory: NativeMemory,
}

/// Libraries that allocate memory on their own and give it to buffers without a cleaner.
const ALLOCATORS: &[&str] = &["io.netty."];

/// What zlib allocates for a stream with the settings that the JDK uses, by its documentation
/// (`zconf.h`): windows of 32 KiB, and memory level 8 for compression.
const DEFLATER_BYTES: u64 = (1 << (15 + 2)) + (1 << (8 + 9));
const INFLATER_BYTES: u64 = (1 << 15) + (7 << 10);

/// What a buffer's memory is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Buffer {
    /// Allocated for it.
    Own,
    /// A mapped file.
    Mapped,
    /// Somebody else's: it has no cleaner, and is no view of another buffer.
    Wrapped,
}

impl Native {
    pub(crate) fn of(heap: &Heap<'_>, strengths: &[Strength]) -> Native {
        let mut found: Vec<(u32, NativeKind, u64)> = Vec::new();
        let mut wrapped = Vec::new();
        for (object, [value, _]) in heap.values.watched() {
            let bytes = u64::try_from(value).unwrap_or(0);
            match heap.class_name(object) {
                "java.nio.DirectByteBuffer" | "java.nio.DirectByteBufferR" => {
                    match buffer(heap, object) {
                        Some(Buffer::Own) => found.push((object, NativeKind::DirectBuffers, bytes)),
                        Some(Buffer::Mapped) => {
                            found.push((object, NativeKind::MappedFiles, bytes));
                        }
                        Some(Buffer::Wrapped) => wrapped.push((object, bytes)),
                        None => {}
                    }
                }
                "java.util.zip.Deflater" if is_open(heap, object) => {
                    found.push((object, NativeKind::ZipStreams, DEFLATER_BYTES));
                }
                "java.util.zip.Inflater" if is_open(heap, object) => {
                    found.push((object, NativeKind::ZipStreams, INFLATER_BYTES));
                }
                // a session, if it has resources
                _ => match session_bytes(heap, object) {
                    0 => {}
                    bytes => found.push((object, NativeKind::ForeignMemory, bytes)),
                },
            }
        }
        let allocated = allocated_without_cleaner(heap, &wrapped);
        found.extend(wrapped.into_iter().map(|(object, bytes)| {
            let kind = match allocated.binary_search(&object) {
                Ok(_) => NativeKind::DirectBuffers,
                Err(_) => NativeKind::WrappedMemory,
            };
            (object, kind, bytes)
        }));
        Native::sum(found, strengths)
    }

    fn sum(found: Vec<(u32, NativeKind, u64)>, strengths: &[Strength]) -> Native {
        let mut native = Native::default();
        let mut kinds: BTreeMap<NativeKind, (u64, u64)> = BTreeMap::new();
        for (object, kind, bytes) in found.into_iter().filter(|(.., bytes)| *bytes > 0) {
            let is_reachable = strengths[object as usize] != Strength::Unreachable;
            if kind.is_allocated() && is_reachable {
                native.owners.push((object, bytes));
                native.memory.objects += 1;
                native.memory.bytes = native.memory.bytes.saturating_add(bytes);
            } else if kind.is_allocated() {
                let unreachable = &mut native.memory.unreachable_bytes;
                *unreachable = unreachable.saturating_add(bytes);
            }
            if is_reachable {
                let (objects, sum) = kinds.entry(kind).or_default();
                (*objects, *sum) = (*objects + 1, sum.saturating_add(bytes));
            }
        }
        native.owners.sort_unstable();
        let row = |(kind, (objects, bytes))| NativeRow {
            kind,
            objects,
            bytes,
        };
        native.memory.kinds = kinds.into_iter().map(row).collect();
        native
    }
}

/// `None` for views of other buffers and of memory segments, and for buffers that were freed.
fn buffer(heap: &Heap<'_>, object: u32) -> Option<Buffer> {
    let is_view = ["att", "segment"]
        .iter()
        .any(|field| heap.field(object, field).is_some());
    if is_view {
        return None;
    }
    let Some(cleaner) = heap.field(object, "cleaner") else {
        return Some(Buffer::Wrapped);
    };
    // one that has run is out of the list of cleaners and refers to itself
    if heap.field(cleaner, "next") == Some(cleaner) {
        return None;
    }
    let unmaps = |thunk| heap.class_name(thunk).ends_with("Unmapper");
    let is_mapped =
        heap.field(object, "fd").is_some() || heap.field(cleaner, "thunk").is_some_and(unmaps);
    Some(if is_mapped {
        Buffer::Mapped
    } else {
        Buffer::Own
    })
}

/// Whether a stream of zlib has not been ended.
fn is_open(heap: &Heap<'_>, stream: u32) -> bool {
    let address = heap
        .field(stream, "zsRef")
        .and_then(|reference| heap.values.fields(reference));
    address.is_some_and(|[address, _]| address != 0)
}

/// What is freed when a session of `java.lang.foreign` ends: the sizes in its list of resources.
fn session_bytes(heap: &Heap<'_>, object: u32) -> u64 {
    let Some(list) = heap.field(object, "resourceList") else {
        return 0;
    };
    let mut bytes = 0u64;
    let mut next = heap.field(list, "fst");
    // a damaged dump may have a list that runs in circles
    for _ in 0..heap.values.watched().len() {
        let Some(resource) = next else { break };
        let sizes = heap.values.fields(resource).unwrap_or_default();
        // what was asked for, and that with its alignment
        let size = sizes.into_iter().max().unwrap_or(0);
        bytes = bytes.saturating_add(u64::try_from(size).unwrap_or(0));
        next = heap.field(resource, "next");
    }
    bytes
}

/// Those of the buffers that an object of one of the [`ALLOCATORS`] refers to; sorted.
fn allocated_without_cleaner(heap: &Heap<'_>, buffers: &[(u32, u64)]) -> Vec<u32> {
    let of_allocator: Vec<bool> = heap
        .classes
        .table
        .iter()
        .map(|class| {
            let name = heap.name(class.name);
            ALLOCATORS.iter().any(|prefix| name.starts_with(prefix))
        })
        .collect();
    if buffers.is_empty() || !of_allocator.contains(&true) {
        return Vec::new();
    }
    let mut referred: Vec<u32> = (0..heap.len() as u32)
        .into_par_iter()
        .filter(|object| of_allocator[heap.class_number(*object) as usize])
        .flat_map_iter(|object| heap.row(object).iter().copied())
        .filter(|target| {
            buffers
                .binary_search_by_key(target, |(object, _)| *object)
                .is_ok()
        })
        .collect();
    referred.sort_unstable();
    referred.dedup();
    referred
}
