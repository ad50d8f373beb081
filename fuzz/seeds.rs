//! Writes the inputs that fuzzing starts from into `fuzz/corpus/TARGET`: small heaps in every form
//! that dumps come in. `cargo run --manifest-path fuzz/Cargo.toml --bin seeds`

use std::path::Path;

use leakline_heap::{
    AnalyzeOptions, DumpIdentity, IndexSource, LoadOptions, References, analyze, load, write_index,
};
use leakline_hprof::heap_builder::{Form, HeapBuilder, Layout, ObjectId, Place};
use leakline_hprof::{
    GcRootKind, HeapRecord, HeapRecordWriter, Hprof, HprofWriter, IdentifierSize, PrimitiveType,
    RecordBody, ValueType, Version,
};

fn main() -> std::io::Result<()> {
    let seeds = seeds();
    for target in ["hprof", "redact", "heap"] {
        write(target, &seeds)?;
    }
    let indexes = seeds
        .iter()
        .filter_map(|(name, dump)| Some((name.clone(), index(dump)?)));
    write("index", &indexes.collect::<Vec<_>>())
}

fn write(target: &str, seeds: &[(String, Vec<u8>)]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in seeds {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// The index of a dump, if that can be read.
fn index(dump: &[u8]) -> Option<Vec<u8>> {
    let heap = load(dump, &LoadOptions::default()).ok()?;
    let analysis = analyze(&heap, &AnalyzeOptions::default());
    let source = IndexSource {
        dump: DumpIdentity {
            bytes: dump.len() as u64,
            modified: 0,
            sample: 0,
            whole: 0,
        },
        references: References::Strong,
        problems: Vec::new(),
    };
    let mut index = Vec::new();
    write_index(&heap, &analysis, &source, &mut index).ok()?;
    Some(index)
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut seed = |name: &str, bytes: Vec<u8>| seeds.push((name.to_owned(), bytes));
    let wide = program(IdentifierSize::Eight, Layout::COMPRESSED);
    let narrow = program(IdentifierSize::Four, Layout::NARROW);
    let last = Form {
        roots: Place::Last,
        classes: Place::Last,
        names: Place::Last,
        segment_bytes: Some(300),
        ..Form::default()
    };
    let old = Form {
        version: Version::V1_0_1,
        ..Form::default()
    };
    let whole = wide.build();
    seed("wide", whole.clone());
    seed("wide-last", wide.build_as(&last));
    seed("narrow-old", narrow.build_as(&old));
    let compact = program(IdentifierSize::Eight, Layout::COMPACT_HEADERS);
    seed("compact", compact.build());
    seed("cut", whole[..whole.len() * 3 / 4].to_vec());
    let second = narrow.build_as(&old);
    let records = Hprof::parse(&second).map_or(0, |hprof| hprof.header().length);
    seed("appended", [&second, &second[records..]].concat());
    seed("concatenated", [second, whole].concat());
    seed("android", android().unwrap_or_default());
    seed("agent", agent().unwrap_or_default());
    seeds
}

/// A bit of all that analysis knows by name.
fn program(size: IdentifierSize, layout: Layout) -> HeapBuilder {
    use ValueType::{Int, Object};
    let mut heap = HeapBuilder::with_layout(size, layout);
    let reference = heap
        .class("java.lang.ref.Reference")
        .field("referent", Object)
        .id();
    let mut references = Vec::new();
    let target = heap.bytes(&[1; 40]);
    for name in [
        "SoftReference",
        "WeakReference",
        "PhantomReference",
        "Finalizer",
    ] {
        let class = heap
            .class(&format!("java.lang.ref.{name}"))
            .extends(reference)
            .id();
        references.push(heap.instance(class).set("referent", target).id());
    }
    let node = heap
        .class("java.util.HashMap$Node")
        .field("key", Object)
        .field("value", Object)
        .field("next", Object)
        .id();
    let map = heap
        .class("java.util.HashMap")
        .field("table", Object)
        .field("size", Int)
        .id();
    let order = heap
        .class("shop.Order")
        .field("id", ValueType::Long)
        .field("next", Object)
        .id();
    let nodes: Vec<ObjectId> = (0..20_i64)
        .map(|number| {
            let key = heap.string("ü");
            let value = heap.instance(order).set("id", number).id();
            let node = heap.instance(node).set("key", key).set("value", value);
            node.id()
        })
        .collect();
    let table = heap.object_array(node, &nodes);
    let map = heap.instance(map).set("table", table).set("size", 20).id();
    let mut next = ObjectId::NULL;
    for _ in 0..10 {
        next = heap.instance(order).set("next", next).id();
    }
    let chunk = heap
        .class("jdk.internal.vm.StackChunk")
        .field("parent", Object)
        .field("size", Int)
        .id();
    let chunk = heap.instance(chunk).set("size", 3).id();
    let others = heap.object_array(order, &references);
    let main = heap
        .class("shop.Main")
        .static_field("orders", map)
        .static_field("chain", next)
        .static_field("others", others)
        .static_field("chunk", chunk)
        .static_field("limit", 7_i32)
        .id();
    heap.root(main, GcRootKind::StickyClass);
    let held = heap.longs(&[1, 2]);
    heap.thread("main")
        .frame("shop.Main", "run", 3)
        .local(held)
        .id();
    heap
}

/// The records that Android adds.
fn android() -> std::io::Result<Vec<u8>> {
    let size = IdentifierSize::Four;
    let mut writer = HprofWriter::new(Vec::new(), Version::V1_0_3, size, None)?;
    writer.record(&RecordBody::Utf8 {
        id: 1,
        text: b"app",
    })?;
    let mut heap = HeapRecordWriter::new(size);
    heap.record(&HeapRecord::HeapInfo {
        heap_id: 0x41,
        name_id: 1,
    })?;
    heap.record(&HeapRecord::PrimitiveArrayWithoutData {
        object_id: 0x100,
        trace_serial: 0,
        element_type: PrimitiveType::Int,
        length: 9,
    })?;
    for kind in [
        GcRootKind::InternedString,
        GcRootKind::Finalizing,
        GcRootKind::Debugger,
        GcRootKind::ReferenceCleanup,
        GcRootKind::VmInternal,
        GcRootKind::JniMonitor {
            thread_serial: 1,
            frame: None,
        },
        GcRootKind::Unreachable,
    ] {
        heap.gc_root(leakline_hprof::GcRoot {
            object_id: 0x100,
            kind,
        })?;
    }
    writer.heap_segment(&heap)?;
    writer.record(&RecordBody::HeapDumpEnd)?;
    writer.finish()
}

/// The records that profiling agents write, and a heap whose length was never filled in.
fn agent() -> std::io::Result<Vec<u8>> {
    let size = IdentifierSize::Four;
    let mut writer = HprofWriter::new(Vec::new(), Version::V1_0_1, size, None)?;
    writer.record(&RecordBody::UnloadClass { serial: 1 })?;
    writer.record(&RecordBody::StartThread {
        thread_serial: 1,
        object_id: 0x100,
        trace_serial: 1,
        name_id: 1,
        group_name_id: 1,
        parent_group_name_id: 1,
    })?;
    writer.record(&RecordBody::HeapSummary(Default::default()))?;
    writer.record(&RecordBody::AllocSites {
        flags: 0,
        cutoff_ratio: 0.5,
        totals: Default::default(),
        count: 1,
        sites: &[0; 25],
    })?;
    writer.record(&RecordBody::CpuSamples {
        total: 1,
        count: 1,
        traces: &[0; 8],
    })?;
    writer.record(&RecordBody::ControlSettings {
        flags: 3,
        trace_depth: 4,
    })?;
    writer.record(&RecordBody::EndThread { thread_serial: 1 })?;
    let mut heap = HeapRecordWriter::new(size);
    for object in 1..10 {
        heap.object_array(0x100 * object, 1, 0x10, [0x100, 0x200].into_iter())?;
    }
    writer.heap_dump(&heap)?;
    let mut bytes = writer.finish()?;
    let length = bytes.len() - heap.as_bytes().len() - 4;
    bytes[length..length + 4].fill(0);
    Ok(bytes)
}
