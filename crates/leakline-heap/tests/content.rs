//! What the content of objects says: native memory behind them, and waste.

mod support;

use expect_test::{Expect, expect};
use leakline_heap::{Analysis, AnalyzeOptions, LoadOptions, analyze, load};
use leakline_hprof::heap_builder::{ClassId, ObjectId};
use leakline_hprof::{PrimitiveType, ValueType};
use support::{Program, suspects};

use ValueType::{Byte, Int, Long, Object};

/// Classes of the JDK that keep native memory.
struct Buffers {
    buffer: ClassId,
    cleaner: ClassId,
    deallocator: ClassId,
    unmapper: ClassId,
}

impl Buffers {
    fn new(program: &mut Program) -> Buffers {
        let heap = &mut program.heap;
        let abstract_buffer = heap
            .class("java.nio.Buffer")
            .field("position", Int)
            .field("capacity", Int)
            .field("segment", Object)
            .id();
        let buffer = heap
            .class("java.nio.DirectByteBuffer")
            .extends(abstract_buffer)
            .field("att", Object)
            .field("cleaner", Object)
            .field("fd", Object)
            .id();
        let cleaner = heap
            .class("jdk.internal.ref.Cleaner")
            .field("next", Object)
            .field("thunk", Object)
            .id();
        let deallocator = heap.class("java.nio.DirectByteBuffer$Deallocator").id();
        let unmapper = heap
            .class("sun.nio.ch.FileChannelImpl$DefaultUnmapper")
            .id();
        Buffers {
            buffer,
            cleaner,
            deallocator,
            unmapper,
        }
    }

    fn of(&self, program: &mut Program, capacity: i32, thunk: ClassId) -> ObjectId {
        let heap = &mut program.heap;
        let thunk = heap.instance(thunk).id();
        let cleaner = heap.instance(self.cleaner).set("thunk", thunk).id();
        heap.instance(self.buffer)
            .set("capacity", capacity)
            .set("cleaner", cleaner)
            .id()
    }

    fn allocated(&self, program: &mut Program, capacity: i32) -> ObjectId {
        self.of(program, capacity, self.deallocator)
    }

    fn slice(&self, program: &mut Program, of: ObjectId, capacity: i32) -> ObjectId {
        let slice = program.heap.instance(self.buffer);
        slice.set("capacity", capacity).set("att", of).id()
    }

    /// One that only has an address: of native code, or of Netty.
    fn wrapped(&self, program: &mut Program, capacity: i32) -> ObjectId {
        let buffer = program.heap.instance(self.buffer);
        buffer.set("capacity", capacity).id()
    }
}

fn native(analysis: &Analysis) -> String {
    let native = &analysis.report.native;
    let mut out = format!(
        "{} by {} objects, {} unreachable\n",
        native.bytes, native.objects, native.unreachable_bytes
    );
    for row in &native.kinds {
        out += &format!("{:?}: {} by {}\n", row.kind, row.bytes, row.objects);
    }
    for holder in &native.holders {
        out += &format!(
            "{}: {} by {} {}\n",
            holder.path, holder.bytes, holder.objects, holder.class
        );
    }
    out
}

fn check_native(build: impl FnOnce(&mut Program, &Buffers), expected: Expect) {
    let mut program = Program::new();
    let buffers = Buffers::new(&mut program);
    build(&mut program, &buffers);
    let analysis = program.analyze();
    expected.assert_eq(&(native(&analysis) + &suspects(&analysis)));
}

#[test]
fn direct_buffers_are_a_suspect_by_their_native_size() {
    check_native(
        |program, buffers| {
            let list: Vec<ObjectId> = (0..200)
                .map(|_| buffers.allocated(program, 1 << 20))
                .collect();
            let list = program.list(&list);
            program.static_field("app.Uploads", "buffers", list);
            // as much heap as there may be elsewhere
            let others = program.instances("app.Other", 40, 100_000);
            for (number, other) in others.into_iter().enumerate() {
                program.static_field(&format!("app.Part{number}"), "other", other);
            }
        },
        expect![[r#"
            209715200 by 200 objects, 0 unreachable
            DirectBuffers: 209715200 by 200
            static Uploads.buffers → ArrayList: 209715200 by 200 java.nio.DirectByteBuffer
            static Uploads.buffers → ArrayList holds 200 DirectByteBuffer (17.1 KiB, and 200 MiB of native memory) [Collection]
              app.Uploads buffers by static field
        "#]],
    );
}

#[test]
fn views_and_freed_buffers_keep_nothing() {
    check_native(
        |program, buffers| {
            let buffer = buffers.allocated(program, 1000);
            let slice = buffers.slice(program, buffer, 400);
            let freed = buffers.allocated(program, 5000);
            let cleaner = program.heap.instance(buffers.cleaner).id();
            program.heap.set(cleaner, "next", cleaner);
            program.heap.set(freed, "cleaner", cleaner);
            let all = program.list(&[slice, freed]);
            program.static_field("app.Views", "views", all);
            buffers.allocated(program, 70_000);
        },
        expect![[r#"
            1000 by 1 objects, 70000 unreachable
            DirectBuffers: 1000 by 1
        "#]],
    );
}

#[test]
fn mapped_files_and_memory_of_native_code_do_not_count() {
    check_native(
        |program, buffers| {
            let mapped = buffers.of(program, 30 << 20, buffers.unmapper);
            program.static_field("app.Index", "file", mapped);
            // the JDK's image of modules
            let image = buffers.wrapped(program, 122 << 20);
            program.static_field("jdk.internal.jimage.BasicImageReader", "map", image);
            // Netty allocates without a cleaner
            let chunk = program.class("io.netty.buffer.PoolChunk", &["memory"]);
            let memory = buffers.wrapped(program, 4 << 20);
            let chunk = program.heap.instance(chunk).set("memory", memory).id();
            program.static_field("app.Server", "chunk", chunk);
        },
        expect![[r#"
            4194304 by 1 objects, 0 unreachable
            DirectBuffers: 4194304 by 1
            MappedFiles: 31457280 by 1
            WrappedMemory: 127926272 by 1
            static Server.chunk → PoolChunk.memory: 4194304 by 1 java.nio.DirectByteBuffer
        "#]],
    );
}

#[test]
fn arenas_and_streams_of_zlib() {
    check_native(
        |program, _| {
            let heap = &mut program.heap;
            let cleanup = heap
                .class("jdk.internal.foreign.MemorySessionImpl$ResourceList$ResourceCleanup")
                .field("next", Object)
                .id();
            let of_segment = heap
                .class("jdk.internal.foreign.SegmentFactories$1")
                .extends(cleanup)
                .field("val$allocationBase", Long)
                .field("val$allocationSize", Long)
                .field("val$cleanupByteSize", Long)
                .id();
            let mut next = ObjectId::NULL;
            for _ in 0..3 {
                let cleanup = heap.instance(of_segment);
                next = cleanup
                    .set("val$allocationBase", 0x7fff_0000_i64)
                    .set("val$allocationSize", 1016_i64)
                    .set("val$cleanupByteSize", 1000_i64)
                    .set("next", next)
                    .id();
            }
            let list = heap
                .class("jdk.internal.foreign.MemorySessionImpl$ResourceList")
                .field("fst", Object)
                .id();
            let list = heap.instance(list).set("fst", next).id();
            let session = heap
                .class("jdk.internal.foreign.MemorySessionImpl")
                .field("resourceList", Object)
                .id();
            let confined = heap
                .class("jdk.internal.foreign.ConfinedSession")
                .extends(session)
                .id();
            let session = heap.instance(confined).set("resourceList", list).id();
            program.static_field("app.Model", "arena", session);

            let heap = &mut program.heap;
            let reference = heap
                .class("java.util.zip.Deflater$DeflaterZStreamRef")
                .field("address", Long)
                .id();
            let deflater = heap
                .class("java.util.zip.Deflater")
                .field("zsRef", Object)
                .id();
            let deflaters: Vec<ObjectId> = [0x7fff_1000_i64, 0, 0x7fff_2000]
                .into_iter()
                .map(|address| {
                    let reference = heap.instance(reference).set("address", address).id();
                    heap.instance(deflater).set("zsRef", reference).id()
                })
                .collect();
            let deflaters = program.list(&deflaters);
            program.static_field("app.Zip", "deflaters", deflaters);
        },
        expect![[r#"
            527336 by 3 objects, 0 unreachable
            ForeignMemory: 3048 by 1
            ZipStreams: 524288 by 2
            static Zip.deflaters → ArrayList: 524288 by 2 java.util.zip.Deflater
            static Model.arena: 3048 by 1 jdk.internal.foreign.ConfinedSession
        "#]],
    );
}

#[test]
fn growth_of_native_memory_is_growth() {
    let dump = |count| {
        let mut program = Program::new();
        let buffers = Buffers::new(&mut program);
        let list: Vec<ObjectId> = (0..count)
            .map(|_| buffers.allocated(&mut program, 1 << 20))
            .collect();
        let list = program.list(&list);
        program.static_field("app.Uploads", "buffers", list);
        let orders = program.instances("app.Order", 2_000, 1_000);
        let orders = program.map(&orders);
        program.static_field("app.Orders", "all", orders);
        program.heap.build()
    };
    let analyze_after = |bytes: &[u8], earlier: &[leakline_heap::HeapSummary]| {
        let heap = load(bytes, &LoadOptions::default()).expect("the dump can be read");
        let options = AnalyzeOptions {
            earlier,
            ..AnalyzeOptions::default()
        };
        analyze(&heap, &options)
    };
    let first = analyze_after(&dump(50), &[]);
    let second = analyze_after(&dump(150), &[first.summary]);
    let growth: Vec<_> = second.report.suspects.iter().map(|s| &s.growth).collect();
    expect![[r#"
        static Uploads.buffers → ArrayList holds 150 DirectByteBuffer (13.0 KiB, and 150 MiB of native memory) [Collection]
          app.Uploads buffers by static field
          but two dumps cannot tell steady growth from warm-up; a third can
        [Some(SuspectGrowth { objects: [50, 150], bytes: [52433040, 157299040], kind: Recent, rate: GrowthRate { objects: 100.0, bytes: 104866000.0, per: Dump } })]"#]].assert_eq(&format!("{}{growth:?}", suspects(&second)));
}

fn check_waste(build: impl FnOnce(&mut Program), expected: Expect) {
    let mut program = Program::new();
    // as every JVM has them
    let texts: Vec<ObjectId> = (0..40)
        .map(|number| program.heap.string(&format!("the name of {number}")))
        .collect();
    let numbers: Vec<ObjectId> = (1..40)
        .map(|number| program.heap.ints(&[number; 8]))
        .collect();
    let tables = program.list(&[texts, numbers].concat());
    program.static_field("java.lang.System", "tables", tables);
    build(&mut program);
    expected.assert_eq(&waste(&program.analyze()));
}

fn waste(analysis: &Analysis) -> String {
    let waste = &analysis.report.waste;
    let mut out = String::new();
    for row in &waste.rows {
        out += &format!(
            "{:?}: {} by {} {}\n",
            row.kind, row.bytes, row.objects, row.class
        );
        for holder in &row.held_by {
            out += &format!(
                "  {}.{}: {} by {}\n",
                holder.class, holder.field, holder.bytes, holder.objects
            );
        }
    }
    if !waste.has_values {
        out += "no values\n";
    }
    out
}

#[test]
fn strings_with_the_same_text() {
    check_waste(
        |program| {
            // 56 bytes each: 24 and 32
            let customers: Vec<ObjectId> = (0..30_000)
                .map(|number| {
                    let country = program.heap.string(["Norway, Oslo", "Sweden"][number % 2]);
                    let class = program.class("app.Customer", &["country"]);
                    program.heap.instance(class).set("country", country).id()
                })
                .collect();
            let customers = program.list(&customers);
            program.static_field("app.Main", "customers", customers);
        },
        expect![[r#"
            DuplicateStrings: 1559896 by 29998 java.lang.String
              app.Customer.country: 1559896 by 29998
        "#]],
    );
}

#[test]
fn arrays_with_the_same_content_or_none() {
    check_waste(
        |program| {
            let pages: Vec<ObjectId> = (0..300).map(|_| program.bytes(8176)).collect();
            let pages = program.list(&pages);
            program.static_field("app.Main", "pages", pages);
            let tables: Vec<ObjectId> = (0..300)
                .map(|_| {
                    let elements = vec![7; 8176];
                    program.heap.primitive_array(PrimitiveType::Long, elements)
                })
                .collect();
            let tables = program.list(&tables);
            program.static_field("app.Main", "tables", tables);
        },
        expect![[r#"
            ZeroArrays: 2457600 by 300 byte[]
              app.Main.pages: 2457600 by 300
            DuplicateArrays: 2449408 by 299 long[]
              app.Main.tables: 2449408 by 299
        "#]],
    );
}

#[test]
fn collections_by_how_full_they_are() {
    check_waste(
        |program| {
            let class = program.class("app.Order", &["lines", "tags"]);
            let element = program.heap.instance(class).id();
            let orders: Vec<ObjectId> = (0..10_000)
                .map(|_| {
                    let mut slots = vec![ObjectId::NULL; 64];
                    slots[0] = element;
                    let lines = program.list(&slots);
                    let tags = program.map(&[]);
                    let order = program.heap.instance(class);
                    order.set("lines", lines).set("tags", tags).id()
                })
                .collect();
            let orders = program.list(&orders);
            program.static_field("app.Main", "orders", orders);
            let mut slots = vec![ObjectId::NULL; 400_000];
            slots[3] = element;
            let table = program.heap.object_array(class, &slots);
            program.static_field("app.Main", "table", table);
        },
        expect![[r#"
            SparseCollections: 2480000 by 10000 java.util.ArrayList
              app.Order.lines: 2480000 by 10000
            SparseArrays: 1599992 by 1 app.Order[]
              app.Main.table: 1599992 by 1
        "#]],
    );
}

#[test]
fn boxed_values_that_are_not_those_of_the_runtime() {
    check_waste(
        |program| {
            let class = program.heap.class("java.lang.Integer").field("value", Int);
            let class = class.id();
            let mut boxes = |count| -> Vec<ObjectId> {
                (0..count)
                    .map(|value: i32| program.heap.instance(class).set("value", value).id())
                    .collect()
            };
            let (cached, own) = (boxes(256), boxes(100_000));
            let cache = program.heap.object_array(class, &cached);
            program.static_field("java.lang.Integer$IntegerCache", "cache", cache);
            let all = program.map(&[cached, own].concat());
            program.static_field("app.Main", "counts", all);
        },
        expect![[r#"
            BoxedValues: 1600000 by 100000 java.lang.Integer
              app.Main.counts: 1600000 by 100000
        "#]],
    );
}

#[test]
fn buffers_of_text() {
    check_waste(
        |program| {
            let builder = program
                .heap
                .class("java.lang.AbstractStringBuilder")
                .field("value", Object)
                .field("count", Int)
                .field("coder", Byte)
                .id();
            let builder = program
                .heap
                .class("java.lang.StringBuilder")
                .extends(builder)
                .id();
            let mut all = Vec::new();
            for number in 0..600 {
                let value = program.bytes(8176);
                // a quarter of UTF-16 is half of the bytes
                let coder = i8::from(number % 2 == 0);
                let builder = program.heap.instance(builder);
                all.push(
                    builder
                        .set("value", value)
                        .set("count", 2000)
                        .set("coder", coder)
                        .id(),
                );
            }
            let all = program.list(&all);
            program.static_field("app.Main", "builders", all);
        },
        expect![[r#"
            ZeroArrays: 2457600 by 300 byte[]
              app.Main.builders: 2457600 by 300
            LooseBuffers: 1852800 by 300 java.lang.StringBuilder
              app.Main.builders: 1852800 by 300
        "#]],
    );
}

#[test]
fn thread_locals_that_are_gone() {
    check_waste(
        |program| {
            program.class("java.lang.Thread", &["name", "threadLocals"]);
            for number in 0..4 {
                let value = program.heap.bytes(&vec![number + 1; 400_000]);
                let locals = program.thread_locals(ObjectId::NULL, value);
                program
                    .heap
                    .thread(&format!("worker-{number}"))
                    .set("threadLocals", locals)
                    .id();
            }
        },
        expect![[r#"
            DeadThreadLocals: 1600160 by 4 java.lang.ThreadLocal$ThreadLocalMap$Entry
              thread worker-*.: 1600160 by 4
        "#]],
    );
}

#[test]
fn a_dump_without_values_does_not_call_everything_equal() {
    let mut program = Program::new();
    let pages: Vec<ObjectId> = (0..300).map(|_| program.bytes(8176)).collect();
    let pages = program.list(&pages);
    program.static_field("app.Main", "pages", pages);
    expect![[r#"
        no values
    "#]]
    .assert_eq(&waste(&program.analyze()));
}
