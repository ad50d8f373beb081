//! The findings on a heap dump, as plain values. Their JSON form (`leakline.heap-report/1`) and
//! the texts for people are made elsewhere.

use leakline_model::Timestamp;

/// Everything found in one dump.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeapReport {
    /// The dump itself.
    pub dump: DumpFacts,
    /// Sums over the whole heap.
    pub totals: Totals,
    /// What objects keep allocated outside of the heap.
    pub native: NativeMemory,
    /// What the heap could do without.
    pub waste: Waste,
    /// What probably leaks, most convincing first; empty for a healthy heap.
    pub suspects: Vec<Suspect>,
    /// What is as large as a suspect, but did not grow between the dumps; empty with a single one.
    pub not_growing: Vec<Suspect>,
    /// Bytes of all reachable objects in each dump that was compared, oldest first, this one last.
    pub reachable_bytes: Vec<u64>,
    /// When each of them was taken.
    pub compared: Vec<Option<Timestamp>>,
    /// What was wrong with the dumps as a series, for people: of another process, given twice, out
    /// of order. Filled by who chooses the dumps to compare.
    pub comparison_problems: Vec<String>,
    /// Classes by shallow size, largest first.
    pub histogram: Vec<ClassRow>,
    /// The largest objects that nothing but a GC root dominates, by retained size.
    pub dominators: Vec<DominatorRow>,
    /// Threads by retained size, largest first.
    pub threads: Vec<ThreadRow>,
}

/// What the dump is.
#[derive(Clone, Debug, PartialEq)]
pub struct DumpFacts {
    /// `hprof`.
    pub format: &'static str,
    /// `jvm`.
    pub runtime: &'static str,
    /// Bytes of an object id in the file: 4 or 8.
    pub identifier_size: u8,
    /// From the dump's header; `None` when it has none.
    pub taken_at: Option<Timestamp>,
    /// False when part of it is missing or unreadable.
    pub complete: bool,
    /// What was wrong with it, for people.
    pub problems: Vec<String>,
}

impl Default for DumpFacts {
    fn default() -> Self {
        DumpFacts {
            format: "hprof",
            runtime: "jvm",
            identifier_size: 8,
            taken_at: None,
            complete: true,
            problems: Vec::new(),
        }
    }
}

/// Sums over the heap. `objects` and `bytes` count everything that is reachable; `*_only_bytes` are
/// the parts of it that are held by nothing stronger. Unreachable objects stand apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Reachable objects (class objects included).
    pub objects: u64,
    /// Their shallow sizes.
    pub bytes: u64,
    /// Loaded classes.
    pub classes: u64,
    /// Distinct objects that are GC roots.
    pub gc_roots: u64,
    /// Objects that no root reaches.
    pub unreachable_objects: u64,
    /// Their shallow sizes.
    pub unreachable_bytes: u64,
    /// Shallow sizes of objects reachable only through a soft reference.
    pub soft_only_bytes: u64,
    /// Shallow sizes of objects that only their finalizer keeps: the collector frees them after it
    /// ran.
    pub finalizer_only_bytes: u64,
    /// Shallow sizes of objects reachable only through a weak reference.
    pub weak_only_bytes: u64,
    /// Shallow sizes of objects reachable only through a phantom reference.
    pub phantom_only_bytes: u64,
}

/// Memory outside of the heap that objects keep allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeMemory {
    /// Reachable objects with which native memory would be freed.
    pub objects: u64,
    /// That memory. Mapped files and wrapped memory do not count.
    pub bytes: u64,
    /// What unreachable objects still keep, until the collector finds them.
    pub unreachable_bytes: u64,
    /// What it is, by kind, and in the same way what does not count; of reachable objects.
    pub kinds: Vec<NativeRow>,
    /// Who holds the objects that count, most bytes first; only what is strongly held.
    pub holders: Vec<NativeHolder>,
}

/// Native memory of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeRow {
    /// What it is.
    pub kind: NativeKind,
    /// Objects that keep it.
    pub objects: u64,
    /// Its size; capacity of buffers, whatever is in them.
    pub bytes: u64,
}

/// A kind of native memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NativeKind {
    /// Of `ByteBuffer.allocateDirect`, and of Netty's own allocations.
    DirectBuffers,
    /// Allocated from an `Arena`, one object for each that is not closed. Of the global arena
    /// nothing is known.
    ForeignMemory,
    /// Of `Inflater` and `Deflater` that were not ended: what zlib documents to allocate.
    ZipStreams,
    /// Files mapped into memory: the system can take their pages back.
    MappedFiles,
    /// Memory that native code owns, and gives access to through a buffer.
    WrappedMemory,
}

impl NativeKind {
    /// Whether it is memory that the process keeps as long as the object lives.
    pub fn is_allocated(self) -> bool {
        !matches!(self, NativeKind::MappedFiles | NativeKind::WrappedMemory)
    }
}

/// A place that holds native memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeHolder {
    /// The place, as a path of fields from a root: `static Server.buffers → ArrayList`.
    pub path: String,
    /// The class of the objects that keep it.
    pub class: String,
    /// How many keep any.
    pub objects: u64,
    /// Bytes outside of the heap.
    pub bytes: u64,
}

/// Memory that holds nothing, or what is there already; of all reachable objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waste {
    /// By kind and class, most bytes first. Only what is worth a change: a mebibyte, and a
    /// hundredth of the heap. What is wasteful in two ways counts in both.
    pub rows: Vec<WasteRow>,
    /// False when the dump holds no values, as a redacted one: then what depends on them is not
    /// told.
    pub has_values: bool,
}

/// Waste of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasteRow {
    /// What is wasteful about it.
    pub kind: WasteKind,
    /// Class of the objects; for arrays inside a collection, of the collection.
    pub class: String,
    /// How many objects waste something.
    pub objects: u64,
    /// What they waste.
    pub bytes: u64,
    /// Who holds them, most bytes first; the first ten.
    pub held_by: Vec<WasteHolder>,
}

/// A field behind which memory is wasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasteHolder {
    /// The class that declares the field; a thread, or how else it is held, where there is none.
    pub class: String,
    /// The field, or the method of the local variable; empty where there is none.
    pub field: String,
    /// How many objects.
    pub objects: u64,
    /// What they waste.
    pub bytes: u64,
}

/// A kind of waste. What is wasted of an object stands with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WasteKind {
    /// Strings whose text another has: the string, and its array unless another shares it.
    DuplicateStrings,
    /// Primitive arrays, not of strings, with the content of another: all of each but one.
    DuplicateArrays,
    /// Primitive arrays full of zeros: all.
    ZeroArrays,
    /// Collections without elements: the collection and its array.
    EmptyCollections,
    /// Collections that use at most a quarter of their array: the unused slots.
    SparseCollections,
    /// Other arrays of references of which at most a quarter is used: likewise.
    SparseArrays,
    /// `StringBuilder`, `ByteArrayOutputStream` and the like of which at most a quarter is used:
    /// the unused bytes.
    LooseBuffers,
    /// Boxed values, but for those that the JDK makes once for all: all, for the value would fit
    /// where the reference to it is.
    BoxedValues,
    /// Entries of thread-locals that are gone: what they retain until the thread ends.
    DeadThreadLocals,
}

/// Something that probably leaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// The finding as one sentence, for example `static OrderController.responseCache →
    /// ConcurrentHashMap holds 8,000,000 Order (2.21 GiB, 91 %)`.
    pub sentence: String,
    /// Bytes that would be freed if the holder let go.
    pub retained_bytes: u64,
    /// `retained_bytes` as a fraction of the reachable heap, 0 to 1.
    pub share: f64,
    /// Bytes outside of the heap that would be freed as well.
    pub native_bytes: u64,
    /// Who holds it.
    pub holder: Holder,
    /// What piles up there.
    pub accumulates: Accumulated,
    /// From the GC root to the object where things pile up.
    pub path: Vec<PathStep>,
    /// How many more there are than in the dump before; `None` with a single dump.
    pub growth: Option<SuspectGrowth>,
    /// How sure this is, 0 to 1.
    pub confidence: f64,
    /// What speaks against it being a leak, as sentences.
    pub counter_evidence: Vec<String>,
    /// What most of its bytes are, if that is waste: `1.56 MiB of it are duplicate strings`. Like
    /// all waste it follows from values, which a redacted dump does not have.
    pub waste: Option<String>,
    /// What is known of the holder's shape, for the advice on a fix.
    pub pattern: Pattern,
    /// What the holder is, when it is a field of the JDK or of a framework that is known for it.
    pub known: Option<KnownHolder>,
}

/// A field of the JDK or of a framework in which objects of applications pile up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownHolder {
    /// What it is: `the work queue of an executor`.
    pub name: &'static str,
    /// What makes it grow and what to do, without a full stop.
    pub advice: &'static str,
}

/// The kind of place where objects pile up; decides the advice on a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// A map that is filled and not emptied.
    Map,
    /// A list or set that is filled and not emptied.
    Collection,
    /// A queue that is filled faster than emptied.
    Queue,
    /// A list of listeners or callbacks that are never removed.
    Listeners,
    /// A thread-local value of a pooled thread.
    ThreadLocal,
    /// A local variable of a running thread.
    ThreadStack,
    /// Class loaders of redeployed code that something still refers to.
    ClassLoader,
    /// Objects that wait for their finalizer.
    Finalizer,
    /// An array.
    Array,
    /// A linked structure of the application's own.
    LinkedObjects,
    /// Anything else: one object that retains much.
    Object,
}

/// Who holds the leaked memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Class that declares the field, or whose frame has the local variable.
    pub class: String,
    /// The field; `None` for a local variable.
    pub field: Option<String>,
    /// What roots it: `static field`, `thread local`, `thread stack`, `JNI global`, ...
    pub root: String,
    /// The thread's name, when a thread holds it.
    pub thread: Option<String>,
    /// The stack frame (`RefB.consume (RefB.java:17)`), when a local variable holds it.
    pub frame: Option<String>,
}

/// What piles up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accumulated {
    /// The class of the elements, in the application's words: `Order`, not `ConcurrentHashMap$Node`.
    pub class: String,
    /// The class of the keys under which they stand, where a map holds them.
    pub key_class: Option<String>,
    /// How many.
    pub objects: u64,
    /// Bytes that they retain together.
    pub bytes: u64,
}

/// One step of a path from a GC root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathStep {
    /// Class of the object.
    pub class: String,
    /// The field, array slot or local variable *of this object* that leads to the next step;
    /// `None` at the last step.
    pub field: Option<String>,
    /// The object's id in the dump: its address.
    pub object_id: u64,
}

/// Change of one place over dumps, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct SuspectGrowth {
    /// Number of accumulated objects in each dump.
    pub objects: Vec<u64>,
    /// Retained bytes in each dump, those outside of the heap included.
    pub bytes: Vec<u64>,
    /// In which manner it changes.
    pub kind: GrowthKind,
    /// How fast, since it began to grow.
    pub rate: GrowthRate,
}

impl SuspectGrowth {
    /// Objects gained per minute; `None` where the dumps do not tell when they were taken.
    pub fn objects_per_minute(&self) -> Option<f64> {
        (self.rate.per == Per::Minute).then_some(self.rate.objects)
    }

    /// Bytes gained from the first to the last dump.
    pub fn gained_bytes(&self) -> u64 {
        match (self.bytes.first(), self.bytes.last()) {
            (Some(first), Some(last)) => last.saturating_sub(*first),
            _ => 0,
        }
    }
}

/// In which manner a size changes over dumps. An interval between two dumps counts as growth if
/// its rate is at least a quarter of the average rate since the first dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GrowthKind {
    /// In every interval since it began, two at least, and not ever slower.
    Steady,
    /// In several intervals with rests between them.
    Stairs,
    /// In the last interval alone, which may be the only one: steady growth or warm-up, who knows.
    Recent,
    /// Early, and then no more; or ever slower, down to a quarter of the rate at first.
    WarmUp,
    /// It falls back by more than half of what it gains.
    Fluctuating,
    /// It hardly changes: by less than a thousandth.
    Flat,
    /// It loses, and gains back less than half of that.
    Shrinking,
}

impl GrowthKind {
    /// As JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            GrowthKind::Steady => "steady",
            GrowthKind::Stairs => "stairs",
            GrowthKind::Recent => "recent",
            GrowthKind::WarmUp => "warm_up",
            GrowthKind::Fluctuating => "fluctuating",
            GrowthKind::Flat => "flat",
            GrowthKind::Shrinking => "shrinking",
        }
    }

    /// Whether more growth must be expected.
    pub fn goes_on(self) -> bool {
        self <= GrowthKind::Recent
    }
}

/// How fast a place grows: the median over all pairs of dumps, so that an odd one does not count;
/// of [`GrowthKind::Stairs`] the average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrowthRate {
    /// Objects per unit.
    pub objects: f64,
    /// Bytes per unit.
    pub bytes: f64,
    /// The unit.
    pub per: Per,
}

/// What growth is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Minutes, by the times in the dumps' headers.
    Minute,
    /// From one dump to the next, where the headers do not tell the times.
    Dump,
}

/// One class of the histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassRow {
    /// Class name as in source: `java.lang.String`, `byte[]`.
    pub class: String,
    /// Reachable instances.
    pub objects: u64,
    /// Their shallow sizes.
    pub shallow_bytes: u64,
    /// Retained size of the set of all instances, counted by dominators: instances below
    /// another instance of the same class are not counted twice.
    pub retained_bytes: u64,
}

/// One large object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DominatorRow {
    /// The object's id in the dump: its address.
    pub object_id: u64,
    /// Its class; for a class object, `class ` and the name of what it represents.
    pub class: String,
    /// Its own size.
    pub shallow_bytes: u64,
    /// Bytes that would be freed with it.
    pub retained_bytes: u64,
}

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRow {
    /// Its name.
    pub name: String,
    /// Bytes that only this thread keeps: its object and its local variables.
    pub retained_bytes: u64,
    /// Its stack, innermost first: `RefB.consume (RefB.java:17)`.
    pub frames: Vec<String>,
    /// Its largest local variables.
    pub locals: Vec<LocalRow>,
}

/// One object that a stack frame refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRow {
    /// Index into the thread's frames; `None` when the dump does not say.
    pub frame: Option<u32>,
    /// Its class.
    pub class: String,
    /// Bytes that would be freed with it.
    pub retained_bytes: u64,
}

/// What grew between dumps of one process, ranked.
#[derive(Clone, Debug, PartialEq)]
pub struct GrowthRow {
    /// The place, as a path of fields from a root: `static OrderController.responseCache →
    /// ConcurrentHashMap`. Equal places of different dumps have equal texts.
    pub path: String,
    /// What piles up there.
    pub class: String,
    /// How many, how large and how fast.
    pub growth: SuspectGrowth,
}
