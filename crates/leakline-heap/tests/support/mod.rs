//! Heaps as programs of the JDK would have them, for tests.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;

use leakline_heap::{Analysis, AnalyzeOptions, LoadOptions, References, analyze, load};
use leakline_hprof::heap_builder::{ClassId, HeapBuilder, ObjectId};
use leakline_hprof::{GcRootKind, IdentifierSize, PrimitiveType, ValueType};

/// A heap builder that knows some of the JDK's collections.
pub(crate) struct Program {
    pub(crate) heap: HeapBuilder,
    pub(crate) object: ClassId,
    classes: BTreeMap<String, ClassId>,
    map: ClassId,
    node: ClassId,
    list: ClassId,
    concurrent_map: ClassId,
    concurrent_node: ClassId,
    queue: ClassId,
    queue_node: ClassId,
    weak_reference: ClassId,
    soft_reference: ClassId,
    phantom_reference: ClassId,
    finalizer: ClassId,
    thread_local: ClassId,
    thread_local_map: ClassId,
    entry: ClassId,
}

use ValueType::{Int, Object};

impl Program {
    pub(crate) fn new() -> Program {
        let mut heap = HeapBuilder::new(IdentifierSize::Eight);
        let object = heap.class("java.lang.Object").id();
        let mut class = |name: &str, fields: &[(&str, ValueType)], extends: Option<ClassId>| {
            let mut class = heap.class(name);
            if let Some(superclass) = extends {
                class = class.extends(superclass);
            }
            for (name, value_type) in fields {
                class = class.field(name, *value_type);
            }
            class.id()
        };
        let node_fields = [("key", Object), ("value", Object), ("next", Object)];
        let reference = class("java.lang.ref.Reference", &[("referent", Object)], None);
        let weak_reference = class("java.lang.ref.WeakReference", &[], Some(reference));
        let final_reference = class("java.lang.ref.FinalReference", &[], Some(reference));
        let concurrent_fields = [("key", Object), ("val", Object), ("next", Object)];
        let map = class(
            "java.util.HashMap",
            &[("table", Object), ("size", Int)],
            None,
        );
        let node = class("java.util.HashMap$Node", &node_fields, None);
        let list = class(
            "java.util.ArrayList",
            &[("elementData", Object), ("size", Int)],
            None,
        );
        let concurrent_map = class(
            "java.util.concurrent.ConcurrentHashMap",
            &[("table", Object)],
            None,
        );
        let concurrent_node = class(
            "java.util.concurrent.ConcurrentHashMap$Node",
            &concurrent_fields,
            None,
        );
        let queue = class(
            "java.util.concurrent.LinkedBlockingQueue",
            &[("head", Object), ("last", Object)],
            None,
        );
        let queue_node = class(
            "java.util.concurrent.LinkedBlockingQueue$Node",
            &[("item", Object), ("next", Object)],
            None,
        );
        let soft_reference = class("java.lang.ref.SoftReference", &[], Some(reference));
        let phantom_reference = class("java.lang.ref.PhantomReference", &[], Some(reference));
        let finalizer = class(
            "java.lang.ref.Finalizer",
            &[("next", Object)],
            Some(final_reference),
        );
        let thread_local = class("java.lang.ThreadLocal", &[], None);
        let thread_local_map = class(
            "java.lang.ThreadLocal$ThreadLocalMap",
            &[("table", Object)],
            None,
        );
        let entry = class(
            "java.lang.ThreadLocal$ThreadLocalMap$Entry",
            &[("value", Object)],
            Some(weak_reference),
        );
        Program {
            heap,
            object,
            map,
            node,
            list,
            concurrent_map,
            concurrent_node,
            queue,
            queue_node,
            soft_reference,
            phantom_reference,
            finalizer,
            thread_local,
            thread_local_map,
            entry,
            weak_reference,
            classes: BTreeMap::new(),
        }
    }

    pub(crate) fn class(&mut self, name: &str, references: &[&str]) -> ClassId {
        if let Some(class) = self.classes.get(name) {
            return *class;
        }
        let mut class = self.heap.class(name);
        for field in references {
            class = class.field(field, Object);
        }
        let class = class.id();
        self.classes.insert(name.to_owned(), class);
        class
    }

    /// A class object with a static field, rooted.
    pub(crate) fn static_field(&mut self, class: &str, field: &str, value: ObjectId) -> ClassId {
        let class = self.heap.class(class).static_field(field, value).id();
        self.heap.root(class, GcRootKind::StickyClass);
        class
    }

    /// Instances with a `byte[]` each in the field `body`.
    pub(crate) fn instances(&mut self, class: &str, count: usize, bytes: usize) -> Vec<ObjectId> {
        let class = self.class(class, &["body"]);
        (0..count)
            .map(|_| {
                let body = self.bytes(bytes);
                self.heap.instance(class).set("body", body).id()
            })
            .collect()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> ObjectId {
        self.heap
            .primitive_array(PrimitiveType::Byte, vec![0; count])
    }

    pub(crate) fn map(&mut self, values: &[ObjectId]) -> ObjectId {
        let nodes: Vec<ObjectId> = values
            .iter()
            .map(|value| self.heap.instance(self.node).set("value", *value).id())
            .collect();
        self.map_of_nodes(&nodes)
    }

    pub(crate) fn map_of_nodes(&mut self, nodes: &[ObjectId]) -> ObjectId {
        let table = self.heap.object_array(self.node, nodes);
        self.heap.instance(self.map).set("table", table).id()
    }

    pub(crate) fn node_class(&self) -> ClassId {
        self.node
    }

    pub(crate) fn keyed_map(&mut self, keys: &[ObjectId], values: &[ObjectId]) -> ObjectId {
        let nodes: Vec<ObjectId> = keys
            .iter()
            .zip(values)
            .map(|(key, value)| {
                let node = self.heap.instance(self.node);
                node.set("key", *key).set("value", *value).id()
            })
            .collect();
        let table = self.heap.object_array(self.node, &nodes);
        self.heap.instance(self.map).set("table", table).id()
    }

    /// A map that extends `LinkedHashMap`, as caches do to evict their eldest entry.
    pub(crate) fn evicting_map(&mut self, values: &[ObjectId]) -> ObjectId {
        let table = self.heap.object_array(self.object, values);
        let linked = self.class("java.util.LinkedHashMap", &["table"]);
        let class = self.heap.class("app.Lru").extends(linked).id();
        self.heap.instance(class).set("table", table).id()
    }

    pub(crate) fn concurrent_map(&mut self, values: &[ObjectId]) -> ObjectId {
        let nodes: Vec<ObjectId> = values
            .iter()
            .map(|value| {
                self.heap
                    .instance(self.concurrent_node)
                    .set("val", *value)
                    .id()
            })
            .collect();
        let table = self.heap.object_array(self.concurrent_node, &nodes);
        self.heap
            .instance(self.concurrent_map)
            .set("table", table)
            .id()
    }

    pub(crate) fn list(&mut self, elements: &[ObjectId]) -> ObjectId {
        let array = self.heap.object_array(self.object, elements);
        self.heap.instance(self.list).set("elementData", array).id()
    }

    pub(crate) fn queue(&mut self, items: &[ObjectId]) -> ObjectId {
        let mut next = ObjectId::NULL;
        let mut last = ObjectId::NULL;
        for item in items.iter().rev() {
            let node = self
                .heap
                .instance(self.queue_node)
                .set("item", *item)
                .set("next", next);
            next = node.id();
            if last == ObjectId::NULL {
                last = next;
            }
        }
        self.heap
            .instance(self.queue)
            .set("head", next)
            .set("last", last)
            .id()
    }

    pub(crate) fn weak(&mut self, referent: ObjectId) -> ObjectId {
        self.heap
            .instance(self.weak_reference)
            .set("referent", referent)
            .id()
    }

    pub(crate) fn soft(&mut self, referent: ObjectId) -> ObjectId {
        self.heap
            .instance(self.soft_reference)
            .set("referent", referent)
            .id()
    }

    pub(crate) fn phantom(&mut self, referent: ObjectId) -> ObjectId {
        self.heap
            .instance(self.phantom_reference)
            .set("referent", referent)
            .id()
    }

    /// The queue of the finalizer, rooted, in front of these objects.
    pub(crate) fn finalizers(&mut self, waiting: &[ObjectId]) {
        let mut next = ObjectId::NULL;
        for object in waiting {
            let finalizer = self
                .heap
                .instance(self.finalizer)
                .set("referent", *object)
                .set("next", next);
            next = finalizer.id();
        }
        let finalizer = self
            .heap
            .class("java.lang.ref.Finalizer")
            .static_field("unfinalized", next)
            .id();
        self.heap.root(finalizer, GcRootKind::StickyClass);
    }

    pub(crate) fn thread_local(&mut self) -> ObjectId {
        self.heap.instance(self.thread_local).id()
    }

    /// What a thread's field `threadLocals` refers to.
    pub(crate) fn thread_locals(&mut self, key: ObjectId, value: ObjectId) -> ObjectId {
        let entry = self
            .heap
            .instance(self.entry)
            .set("referent", key)
            .set("value", value)
            .id();
        let table = self.heap.object_array(self.entry, &[entry]);
        self.heap
            .instance(self.thread_local_map)
            .set("table", table)
            .id()
    }

    pub(crate) fn analyze(&self) -> Analysis {
        analyze_bytes(&self.heap.build())
    }
}

pub(crate) fn analyze_bytes(bytes: &[u8]) -> Analysis {
    analyze_as(bytes, References::Strong)
}

pub(crate) fn analyze_as(bytes: &[u8], references: References) -> Analysis {
    let options = LoadOptions {
        references,
        ..LoadOptions::default()
    };
    analyze(
        &load(bytes, &options).expect("the dump can be read"),
        &AnalyzeOptions::default(),
    )
}

/// The suspects as people read them, one a line, with pattern, holder and what speaks against.
pub(crate) fn suspects(analysis: &Analysis) -> String {
    let mut out = String::new();
    for suspect in &analysis.report.suspects {
        let holder = &suspect.holder;
        out += &format!("{} [{:?}]\n", suspect.sentence, suspect.pattern);
        let field = holder.field.as_deref().unwrap_or("-");
        out += &format!("  {} {} by {}", holder.class, field, holder.root);
        for part in [&holder.thread, &holder.frame].into_iter().flatten() {
            out += &format!(", {part}");
        }
        out.push('\n');
        for evidence in &suspect.counter_evidence {
            out += &format!("  but {evidence}\n");
        }
    }
    out
}
