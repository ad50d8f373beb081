//! What is called a leak, and in which words.

mod support;

use expect_test::{Expect, expect};
use leakline_hprof::heap_builder::ObjectId;
use leakline_hprof::{GcRootKind, ValueType};
use support::{Program, suspects};

fn check(build: impl FnOnce(&mut Program), expected: Expect) {
    let mut program = Program::new();
    build(&mut program);
    expected.assert_eq(&suspects(&program.analyze()));
}

#[test]
fn static_map() {
    check(
        |program| {
            let orders = program.instances("shop.Order", 5_000, 200);
            let cache = program.concurrent_map(&orders);
            program.static_field("shop.OrderController", "responseCache", cache);
        },
        expect![[r#"
            static OrderController.responseCache → ConcurrentHashMap holds 5,000 Order (1.24 MiB, 100 %) [Map]
              shop.OrderController responseCache by static field
        "#]],
    );
}

#[test]
fn field_of_an_object_far_from_its_root() {
    check(
        |program| {
            let orders = program.instances("shop.Order", 5_000, 200);
            let cache = program.map(&orders);
            let controller = program.class("shop.OrderController", &["responseCache"]);
            let controller = program
                .heap
                .instance(controller)
                .set("responseCache", cache)
                .id();
            let others = program.instances("shop.Bean", 50, 16);
            let beans = program.map(&[&others[..], &[controller]].concat());
            let container = program.class("org.springframework.Container", &["beans"]);
            let container = program.heap.instance(container).set("beans", beans).id();
            program.static_field("shop.Main", "container", container);
        },
        expect![[r#"
            static Main.container → Container.beans → HashMap → OrderController.responseCache → HashMap holds 5,000 Order (1.24 MiB, 100 %) [Map]
              shop.OrderController responseCache by static field
        "#]],
    );
}

#[test]
fn several_leaks_of_one_class_are_several_suspects() {
    check(
        |program| {
            let sessions = program.instances("app.Session", 4_000, 400);
            let sessions = program.map(&sessions);
            let dialogs = program.instances("app.Dialog", 300, 4_000);
            let listeners = program.list(&dialogs);
            let class = program.static_field("app.Main", "sessions", sessions);
            program
                .heap
                .class("app.Main")
                .static_field("listeners", listeners)
                .id();
            let _ = class;
        },
        expect![[r#"
            static Main.sessions → HashMap holds 4,000 Session (1.76 MiB, 60 %) [Map]
              app.Main sessions by static field
            static Main.listeners → ArrayList holds 300 Dialog (1.16 MiB, 40 %) [Listeners]
              app.Main listeners by static field
        "#]],
    );
}

#[test]
fn listeners_named_by_a_wrapper() {
    check(
        |program| {
            let dialogs = program.instances("app.Dialog", 300, 4_000);
            let listeners = program.list(&dialogs);
            let bus = program.class("app.EventBus", &["listeners"]);
            let bus = program.heap.instance(bus).set("listeners", listeners).id();
            program.static_field("app.Main", "BUS", bus);
        },
        expect![[r#"
            static Main.BUS → EventBus.listeners → ArrayList holds 300 Dialog (1.16 MiB, 100 %) [Listeners]
              app.Main BUS by static field
        "#]],
    );
}

#[test]
fn many_holders_each_below_any_threshold() {
    check(
        |program| {
            let tenant = program.class("app.Tenant", &["orders"]);
            let tenants: Vec<ObjectId> = (0..40)
                .map(|_| {
                    let orders = program.instances("app.Order", 400, 100);
                    let orders = program.list(&orders);
                    program.heap.instance(tenant).set("orders", orders).id()
                })
                .collect();
            let tenants = program.map(&tenants);
            program.static_field("app.Main", "TENANTS", tenants);
        },
        expect![[r#"
            static Main.TENANTS → HashMap → Tenant.orders → ArrayList holds 16,000 Order (2.14 MiB, 100 %) [Collection]
              app.Tenant orders by static field
        "#]],
    );
}

#[test]
fn held_twice_so_that_nothing_dominates() {
    check(
        |program| {
            let pages = program.instances("app.Page", 600, 4_000);
            let left = program.heap.object_array(program.object, &pages);
            let right = program.heap.object_array(program.object, &pages);
            program.static_field("app.Left", "PAGES", left);
            program.static_field("app.Right", "PAGES", right);
        },
        expect![[r#"
            static Left.PAGES → Object[] holds 600 Page (2.31 MiB, 100 %), held as well by static Right.PAGES → Object[] [Array]
              app.Left PAGES by static field
              but an array has a fixed length, unless it is replaced by a longer one
        "#]],
    );
}

#[test]
fn thread_local_of_a_pool() {
    check(
        |program| {
            let key = program.thread_local();
            program.static_field("app.Context", "HISTORY", key);
            program.class("java.lang.Thread", &["name", "threadLocals"]);
            for number in 0..4 {
                let requests = program.instances("app.Request", 200, 2_000);
                let history = program.list(&requests);
                let locals = program.thread_locals(key, history);
                program
                    .heap
                    .thread(&format!("http-{number}"))
                    .frame("jdk.internal.misc.Unsafe", "park", 0)
                    .set("threadLocals", locals)
                    .id();
            }
        },
        expect![[r#"
            ThreadLocal Context.HISTORY of 4 threads http-* → ArrayList holds 800 Request (1.55 MiB, 100 %) [ThreadLocal]
              app.Context HISTORY by thread local, http-*
        "#]],
    );
}

#[test]
fn local_variable_of_a_thread() {
    check(
        |program| {
            let tasks = program.instances("app.Task", 3_000, 400);
            let queue = program.queue(&tasks);
            program
                .heap
                .thread("consumer")
                .frame("java.lang.Object", "wait", 0)
                .local(queue)
                .frame("app.Consumer", "run", 17)
                .local(queue)
                .id();
        },
        expect![[r#"
            local variable of Consumer.run in thread consumer → LinkedBlockingQueue holds 3,000 Task (1.30 MiB, 100 %) [ThreadStack]
              app.Consumer - by thread stack, consumer, app.Consumer.run (Consumer.java:17)
              but a local variable lets go when its method returns
        "#]],
    );
}

#[test]
fn a_buffer_in_each_of_many_threads() {
    check(
        |program| {
            for number in 0..200 {
                let buffer = program.bytes(6_000);
                program
                    .heap
                    .thread(&format!("worker-{number}"))
                    .frame("java.util.concurrent.locks.LockSupport", "park", 0)
                    .frame("app.Server", "request", 10)
                    .local(buffer)
                    .id();
            }
        },
        expect![[r#"
            200 threads worker-* hold 200 byte[] in a local variable of Server.request (1.16 MiB, 100 %) [ThreadStack]
              app.Server - by thread stack, worker-*, app.Server.request (Server.java:10)
              but a local variable lets go when its method returns
        "#]],
    );
}

#[test]
fn chain_of_linked_objects() {
    check(
        |program| {
            let node = program.class("app.Node", &["next"]);
            let mut head = ObjectId::NULL;
            for _ in 0..100_000 {
                head = program.heap.instance(node).set("next", head).id();
            }
            program.static_field("app.Log", "head", head);
        },
        expect![[r#"
            static Log.head links 100,000 Node (1.53 MiB, 100 %) [LinkedObjects]
              app.Log head by static field
        "#]],
    );
}

#[test]
fn class_loaders_of_redeployed_code() {
    check(
        |program| {
            let loader_class = program.class("app.PluginLoader", &[]);
            let plugins: Vec<ObjectId> = (0..40)
                .map(|_| {
                    let loader = program.heap.instance(loader_class).id();
                    let config = program.bytes(40_000);
                    let plugin = program
                        .heap
                        .class_of_loader("plug.Plugin", loader)
                        .static_field("CONFIG", config)
                        .id();
                    program.heap.instance(plugin).id()
                })
                .collect();
            let registry = program.map(&plugins);
            program.static_field("app.Main", "REGISTRY", registry);
        },
        expect![[r#"
            static Main.REGISTRY → HashMap holds 40 Plugin that keep their class loaders (1.53 MiB, 100 %) [ClassLoader]
              app.Main REGISTRY by static field
        "#]],
    );
}

#[test]
fn backlog_of_the_finalizer() {
    check(
        |program| {
            let slow = program.instances("app.Slow", 1_000, 1_000);
            program.finalizers(&slow);
        },
        expect![[r#"
            1,000 Slow wait for their finalizer (0.98 MiB, 98 %) [Finalizer]
              app.Slow - by finalizer
        "#]],
    );
}

#[test]
fn inner_objects_that_keep_their_outer_ones() {
    check(
        |program| {
            let outer = program.class("app.Document", &["text"]);
            let inner = program.class("app.Document$Cursor", &["this$0"]);
            let mut cursors = Vec::new();
            for _ in 0..4 {
                let text = program.bytes(400_000);
                let document = program.heap.instance(outer).set("text", text).id();
                for _ in 0..50 {
                    cursors.push(program.heap.instance(inner).set("this$0", document).id());
                }
            }
            let cursors = program.list(&cursors);
            program.static_field("app.Editor", "cursors", cursors);
        },
        expect![[r#"
            static Editor.cursors → ArrayList holds 200 Document$Cursor, which keep 4 Document through this$0 (1.53 MiB, 100 %) [Collection]
              app.Editor cursors by static field
        "#]],
    );
}

#[test]
fn references_of_native_code() {
    check(
        |program| {
            for image in program.instances("app.Image", 500, 3_000) {
                program
                    .heap
                    .root(image, GcRootKind::JniGlobal { reference_id: 1 });
            }
        },
        expect![[r#"
            JNI global roots hold 500 Image (1.45 MiB, 100 %) [Object]
              app.Image - by JNI global
        "#]],
    );
}

#[test]
fn a_cache_that_evicts_is_no_suspect() {
    check(
        |program| {
            let entries = program.instances("app.Order", 3_000, 300);
            let cache = program.evicting_map(&entries);
            program.static_field("app.Main", "lru", cache);
        },
        expect![""],
    );
}

#[test]
fn a_collection_at_its_limit_is_no_suspect() {
    let bounded_to = |limit: i32, expected: Expect| {
        check(
            |program| {
                let entries = program.instances("app.Order", 3_000, 300);
                let entries = program.concurrent_map(&entries);
                let cache = program
                    .heap
                    .class("app.Cache")
                    .field("maximumSize", ValueType::Int)
                    .field("entries", ValueType::Object)
                    .id();
                let cache = program.heap.instance(cache);
                let cache = cache.set("maximumSize", limit).set("entries", entries).id();
                program.static_field("app.Main", "cache", cache);
            },
            expected,
        );
    };
    bounded_to(3_000, expect![""]);
    bounded_to(
        9_000,
        expect![[r#"
        static Main.cache → Cache.entries → ConcurrentHashMap holds 3,000 Order (1.04 MiB, 100 %) [Map]
          app.Main cache by static field
          but Cache.maximumSize bounds it to 9,000, which it is far from
    "#]],
    );
    bounded_to(
        1_000,
        expect![[r#"
        static Main.cache → Cache.entries → ConcurrentHashMap holds 3,000 Order (1.04 MiB, 100 %) [Map]
          app.Main cache by static field
    "#]],
    );
}

#[test]
fn a_collection_at_the_limit_of_a_constant_is_no_suspect() {
    check(
        |program| {
            let entries = program.instances("app.Order", 3_000, 300);
            let entries = program.list(&entries);
            let class = program
                .heap
                .class("app.Recent")
                .field("orders", ValueType::Object);
            let class = class.static_field("MAX_ENTRIES", 3_000).id();
            let recent = program.heap.instance(class).set("orders", entries).id();
            program.static_field("app.Main", "recent", recent);
        },
        expect![""],
    );
}

#[test]
fn a_buffer_that_is_written_round_and_round_is_no_suspect() {
    let with_number = |number: i32, expected: Expect| {
        check(
            |program| {
                let ticks = program.instances("app.Tick", 3_000, 300);
                let ticks = program.heap.object_array(program.object, &ticks);
                let ring = program
                    .heap
                    .class("app.Ring")
                    .field("number", ValueType::Int)
                    .field("ticks", ValueType::Object)
                    .id();
                let ring = program.heap.instance(ring);
                let ring = ring.set("number", number).set("ticks", ticks).id();
                program.static_field("app.Main", "ring", ring);
            },
            expected,
        );
    };
    with_number(1_234, expect![""]);
    // a list of the program's own that is full
    with_number(
        3_000,
        expect![[r#"
        static Main.ring → Ring.ticks → Object[] holds 3,000 Tick (996 KiB, 100 %) [Array]
          app.Main ring by static field
          but an array has a fixed length, unless it is replaced by a longer one
    "#]],
    );
}

#[test]
fn many_classes_that_hold_the_same_way() {
    check(
        |program| {
            for number in 0..30 {
                let rows = program.instances("app.Row", 120, 300);
                let rows = program.list(&rows);
                program.static_field(&format!("app.Dao{number}"), "cache", rows);
            }
        },
        expect![[r#"
            static Dao0.cache and 29 alike → ArrayList holds 3,600 Row (1.17 MiB, 100 %) [Collection]
              app.Dao0 cache by static field
              but none of the places that are alike holds much by itself
        "#]],
    );
}

#[test]
fn an_array_in_a_local_variable() {
    check(
        |program| {
            let orders = program.instances("app.Order", 3_000, 300);
            let orders = program.heap.object_array(program.object, &orders);
            let thread = program.class("java.lang.Thread", &["name"]);
            program
                .heap
                .thread_of_class(thread, "batch")
                .frame("app.Batch", "run", 7)
                .local(orders)
                .id();
        },
        expect![[r#"
            local variable of Batch.run in thread batch → Object[] holds 3,000 Order (996 KiB, 100 %) [ThreadStack]
              app.Batch - by thread stack, batch, app.Batch.run (Batch.java:7)
              but a local variable lets go when its method returns
              but an array has a fixed length, unless it is replaced by a longer one
        "#]],
    );
}

#[test]
fn what_a_recursion_holds() {
    check(
        |program| {
            let levels: Vec<ObjectId> = (0..300)
                .map(|_| {
                    let visited = program.instances("app.Visit", 5, 1_000);
                    program.list(&visited)
                })
                .collect();
            let mut thread = program.heap.thread("walker");
            for level in levels {
                thread = thread.frame("app.Walker", "descend", 7).local(level);
            }
            thread.id();
        },
        expect![[r#"
            local variable of Walker.descend in thread walker → ArrayList holds 1,500 Visit (1.49 MiB, 100 %) [ThreadStack]
              app.Walker - by thread stack, walker, app.Walker.descend (Walker.java:7)
              but a local variable lets go when its method returns
        "#]],
    );
}

#[test]
fn constants_of_an_enum_are_one_holder() {
    check(
        |program| {
            let above = program.class("java.lang.Enum", &[]);
            let state = program.heap.class("app.State").extends(above);
            let state = state.field("orders", ValueType::Object).id();
            for number in 0..40 {
                let orders = program.instances("app.Order", 100, 300);
                let orders = program.list(&orders);
                let constant = program.heap.instance(state).set("orders", orders).id();
                program.static_field("app.State", &format!("S{number}"), constant);
            }
        },
        expect![[r#"
            static State.<constants> → State.orders → ArrayList holds 4,000 Order (1.30 MiB, 100 %) [Collection]
              app.State orders by static field
        "#]],
    );
}

#[test]
fn a_list_of_many_classes() {
    check(
        |program| {
            let mut all = Vec::new();
            for number in 0..12 {
                all.extend(program.instances(&format!("app.Event{number}"), 200, 300));
            }
            let log = program.list(&all);
            program.static_field("app.Log", "EVENTS", log);
        },
        expect![[r#"
            static Log.EVENTS → ArrayList holds 2,400 objects of 12 classes, such as Event0 (799 KiB, 100 %) [Collection]
              app.Log EVENTS by static field
        "#]],
    );
}

#[test]
fn soft_caches_are_not_held() {
    check(
        |program| {
            let images = program.instances("app.Image", 500, 5_000);
            let soft: Vec<ObjectId> = images.iter().map(|image| program.soft(*image)).collect();
            let cache = program.map(&soft);
            program.static_field("app.Main", "IMAGES", cache);
        },
        expect![""],
    );
}

#[test]
fn what_the_runtime_and_agents_keep_is_no_suspect() {
    check(
        |program| {
            let modules = program.instances("java.lang.module.Descriptor", 3_000, 300);
            let modules = program.map(&modules);
            program.static_field("java.lang.ModuleLayer", "BOOT", modules);
            let types = program.instances("net.bytebuddy.Type", 3_000, 300);
            let types = program.map(&types);
            program.static_field("io.opentelemetry.javaagent.Pool", "CACHE", types);
        },
        expect![""],
    );
}

#[test]
fn a_small_heap_has_none() {
    check(
        |program| {
            let orders = program.instances("shop.Order", 500, 100);
            let cache = program.map(&orders);
            program.static_field("shop.OrderController", "recent", cache);
        },
        expect![""],
    );
}
