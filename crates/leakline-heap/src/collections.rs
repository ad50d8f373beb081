//! What is known of collections: which classes are containers, which are their inner workings,
//! and which packages belong to whom. Data, so that reports can speak of `ConcurrentHashMap`
//! instead of `ConcurrentHashMap$Node[]` and name the application's class, not the JDK's.

use crate::report::Pattern;

/// Containers by what they are. Names without `java.util.`.
const CONTAINERS: &[(&str, Pattern)] = &[
    ("HashMap", Pattern::Map),
    ("LinkedHashMap", Pattern::Map),
    ("TreeMap", Pattern::Map),
    ("Hashtable", Pattern::Map),
    ("Properties", Pattern::Map),
    ("IdentityHashMap", Pattern::Map),
    ("WeakHashMap", Pattern::Map),
    ("EnumMap", Pattern::Map),
    ("concurrent.ConcurrentHashMap", Pattern::Map),
    ("concurrent.ConcurrentSkipListMap", Pattern::Map),
    ("ImmutableCollections$MapN", Pattern::Map),
    ("ImmutableCollections$Map1", Pattern::Map),
    ("HashSet", Pattern::Collection),
    ("LinkedHashSet", Pattern::Collection),
    ("TreeSet", Pattern::Collection),
    ("concurrent.ConcurrentSkipListSet", Pattern::Collection),
    (
        "concurrent.ConcurrentHashMap$KeySetView",
        Pattern::Collection,
    ),
    ("concurrent.CopyOnWriteArrayList", Pattern::Collection),
    ("concurrent.CopyOnWriteArraySet", Pattern::Collection),
    ("ArrayList", Pattern::Collection),
    ("LinkedList", Pattern::Collection),
    ("Vector", Pattern::Collection),
    ("Stack", Pattern::Collection),
    ("Arrays$ArrayList", Pattern::Collection),
    ("ImmutableCollections$ListN", Pattern::Collection),
    ("ImmutableCollections$List12", Pattern::Collection),
    ("ImmutableCollections$SetN", Pattern::Collection),
    ("ImmutableCollections$Set12", Pattern::Collection),
    ("ArrayDeque", Pattern::Queue),
    ("PriorityQueue", Pattern::Queue),
    ("concurrent.ArrayBlockingQueue", Pattern::Queue),
    ("concurrent.ConcurrentLinkedQueue", Pattern::Queue),
    ("concurrent.ConcurrentLinkedDeque", Pattern::Queue),
    ("concurrent.DelayQueue", Pattern::Queue),
    ("concurrent.LinkedBlockingQueue", Pattern::Queue),
    ("concurrent.LinkedBlockingDeque", Pattern::Queue),
    ("concurrent.LinkedTransferQueue", Pattern::Queue),
    ("concurrent.PriorityBlockingQueue", Pattern::Queue),
    (
        "concurrent.ScheduledThreadPoolExecutor$DelayedWorkQueue",
        Pattern::Queue,
    ),
];

/// Containers around another container, which is then an inner working.
const WRAPPERS: &[&str] = &[
    "HashSet",
    "LinkedHashSet",
    "TreeSet",
    "Properties",
    "concurrent.ConcurrentSkipListSet",
    "concurrent.ConcurrentHashMap$KeySetView",
    "concurrent.CopyOnWriteArraySet",
    "concurrent.DelayQueue",
];

/// Containers of the JDK outside `java.util`'s public classes, by full name.
const OTHER_CONTAINERS: &[(&str, Pattern)] = &[
    ("java.util.TaskQueue", Pattern::Queue),
    (
        "jdk.internal.ref.CleanerImpl$CleanableList",
        Pattern::Collection,
    ),
    ("com.google.common.cache.LocalCache", Pattern::Map),
];

/// Packages of libraries whose classes are collections if their names say so.
const COLLECTION_PACKAGES: &[&str] = &[
    "com.carrotsearch.hppc.",
    "com.google.common.collect.",
    "gnu.trove.",
    "io.netty.util.collection.",
    "io.netty.util.internal.",
    "io.vavr.collection.",
    "it.unimi.dsi.fastutil.",
    "kotlin.collections.",
    "kotlinx.collections.immutable.",
    "org.agrona.collections.",
    "org.apache.commons.collections.",
    "org.apache.commons.collections4.",
    "org.eclipse.collections.impl.",
    "org.jctools.maps.",
    "org.jctools.queues.",
    "reactor.util.concurrent.",
    "scala.collection.",
];

/// Words in the names of such classes, and what they are; the last word that occurs counts.
const COLLECTION_WORDS: &[(&str, Pattern)] = &[
    ("Map", Pattern::Map),
    ("Table", Pattern::Map),
    ("Multimap", Pattern::Map),
    ("Trie", Pattern::Map),
    ("Queue", Pattern::Queue),
    ("Deque", Pattern::Queue),
    ("List", Pattern::Collection),
    ("Set", Pattern::Collection),
    ("Bag", Pattern::Collection),
    ("Multiset", Pattern::Collection),
    ("Stack", Pattern::Collection),
    ("Vector", Pattern::Collection),
    ("Buffer", Pattern::Collection),
    ("Collection", Pattern::Collection),
];

/// Collections to which nothing can be added, by the beginning of their names.
const IMMUTABLE: &[&str] = &[
    "com.google.common.collect.Immutable",
    "com.google.common.collect.Regular",
    "com.google.common.collect.Singleton",
    "java.util.Collections$Singleton",
    "java.util.EnumMap",
    "java.util.ImmutableCollections$",
    "java.util.JumboEnumSet",
    "java.util.RegularEnumSet",
    "java.util.concurrent.ArrayBlockingQueue",
];

/// Words in the name of a number that is a limit.
const LIMIT_WORDS: &[&str] = &["max", "maximum", "limit", "capacity", "bound"];
/// Words in the name of a number that limits something else than how many there may be, or tells
/// how many there have been at most.
const OTHER_LIMIT_WORDS: &[&str] = &[
    "active",
    "age",
    "alive",
    "attempts",
    "bytes",
    "connections",
    "current",
    "delay",
    "depth",
    "idle",
    "initial",
    "interval",
    "length",
    "level",
    "millis",
    "minutes",
    "ms",
    "nanos",
    "observed",
    "peak",
    "priority",
    "retries",
    "seconds",
    "seen",
    "threads",
    "time",
    "timeout",
    "ttl",
    "used",
    "value",
    "wait",
];

/// Last parts of the names of classes inside collections.
const INNER: &[&str] = &[
    "DualNode",
    "Entry",
    "ForwardingNode",
    "HashEntry",
    "HeadIndex",
    "Index",
    "Node",
    "QNode",
    "Segment",
    "TreeBin",
    "TreeNode",
];

/// Holds the value that one thread has of one `ThreadLocal`.
pub(crate) const THREAD_LOCAL_ENTRY: &str = "java.lang.ThreadLocal$ThreadLocalMap$Entry";

/// An array behind a class.
const ATOMIC_ARRAY: &str = "java.util.concurrent.atomic.AtomicReferenceArray";

/// What a class is within a structure of objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub(crate) enum Role {
    /// A collection or an array: its elements matter.
    Container(Pattern),
    /// Part of a collection's workings: hidden from people.
    Inner,
    /// Anything else.
    Plain,
}

/// Whether nothing can be added to a collection of this class.
pub(crate) fn is_immutable(class: &str) -> bool {
    IMMUTABLE.iter().any(|known| class.starts_with(known))
}

/// Whether the class shows another collection and lets nobody add to it.
pub(crate) fn is_view(class: &str) -> bool {
    class.starts_with("java.util.Collections$Unmodifiable")
}

/// Whether a field of this name limits how many there may be: `maximumSize`, `MAX_ENTRIES`.
pub(crate) fn is_limit(name: &str) -> bool {
    let words = words(name);
    let any = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    any(LIMIT_WORDS) && !any(OTHER_LIMIT_WORDS)
}

/// The words of a name: `maximumSize`, `MAX_SIZE`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for character in name.chars() {
        if !character.is_alphanumeric() || character.is_uppercase() && before.is_lowercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphanumeric()) {
            word.extend(character.to_lowercase());
        }
        before = character;
    }
    words
}

/// Whether the class only wraps another collection.
pub(crate) fn is_wrapper(class: &str) -> bool {
    class.strip_prefix("java.util.").is_some_and(|name| {
        WRAPPERS.contains(&name)
            // unmodifiable, synchronized, checked, and sets made from maps
            || name.starts_with("Collections$")
    })
}

/// Whether the class is a node, entry or bin inside a collection, or an array of them.
fn is_inner(class: &str) -> bool {
    let element = class.trim_end_matches("[]");
    if element.starts_with("java.util.")
        || element.starts_with("java.lang.ThreadLocal")
        || element.starts_with("jdk.internal.ref.CleanerImpl$CleanableList$")
    {
        return element
            .rsplit_once('$')
            .is_some_and(|(_, last)| INNER.contains(&last));
    }
    // `LocalCache$StrongAccessEntry`, `HashMap$Node`, `BitmapIndexedMapNode`
    (is_of_collection_package(element)
        || element.starts_with("com.google.common.cache.LocalCache$"))
        && ["Entry", "Node", "Segment", "ValueReference"]
            .iter()
            .any(|part| element.ends_with(part))
}

fn is_of_collection_package(class: &str) -> bool {
    COLLECTION_PACKAGES
        .iter()
        .any(|package| class.starts_with(package))
}

/// Whether the class is a collection.
pub(crate) fn is_container(class: &str) -> bool {
    container(class).is_some()
}

/// Whether the class is one of nodes or entries inside a JDK collection.
pub(crate) fn is_node(class: &str) -> bool {
    is_inner(class) && !class.ends_with("[]")
}

fn container(class: &str) -> Option<Pattern> {
    if class.ends_with("[]") {
        return None;
    }
    let other = OTHER_CONTAINERS.iter().find(|(known, _)| *known == class);
    if let Some((_, pattern)) = other {
        return Some(*pattern);
    }
    if is_of_collection_package(class) {
        return container_by_words(short_name(class));
    }
    let name = class.strip_prefix("java.util.")?;
    if name.starts_with("Collections$") {
        let map = name.contains("Map") && !name.contains("FromMap");
        return Some(if map {
            Pattern::Map
        } else {
            Pattern::Collection
        });
    }
    CONTAINERS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, pattern)| *pattern)
}

/// What a class of a collection library is: the last word of its name that says it.
fn container_by_words(name: &str) -> Option<Pattern> {
    // `ArrayListMultimap$WrappedList` wraps, `Object2IntOpenHashMap$MapEntrySet` shows a part
    let name = name.split('$').next().unwrap_or(name);
    COLLECTION_WORDS
        .iter()
        .filter_map(|(word, pattern)| Some((name.rfind(word)?, word.len(), pattern)))
        .max_by_key(|(position, length, _)| (*position + *length, *length))
        .map(|(_, _, pattern)| *pattern)
}

/// The role of an object of `class` that a field (`by_field`) or an array element of an object
/// with `holder`'s class and role refers to.
pub(crate) fn role(class: &str, holder: Option<(&str, Role)>, by_field: bool) -> Role {
    if is_inner(class) {
        return Role::Inner;
    }
    let within = match holder {
        Some((name, Role::Container(_))) if by_field => Some(name),
        // the map of a set, the array of that map; the table of a segment
        Some((name, Role::Inner))
            if by_field && (container(name).is_some() || name.ends_with("Segment")) =>
        {
            Some(name)
        }
        // what an atomic array keeps its elements in
        Some((ATOMIC_ARRAY, _)) if by_field => Some(ATOMIC_ARRAY),
        _ => None,
    };
    let is_array = class.ends_with("[]") || class == ATOMIC_ARRAY;
    if let Some(within) = within
        && !is_primitive_array(class)
        && (is_array || is_wrapper(within) && container(class).is_some())
    {
        return Role::Inner;
    }
    match container(class) {
        Some(pattern) => Role::Container(pattern),
        // arrays of primitives hold no objects
        None if is_array && !is_primitive_array(class) => Role::Container(Pattern::Array),
        None => Role::Plain,
    }
}

/// Different classes that play the same part in one collection, under one name: a bin of a hash
/// map is a list of nodes or a tree of them, as it happens.
pub(crate) fn canonical(class: &str) -> &str {
    match class {
        "java.util.HashMap$TreeNode" => "java.util.HashMap$Node",
        // hidden classes are numbered anew in every run
        lambda if lambda.contains("$$Lambda") => {
            let end = lambda
                .find("$$Lambda")
                .map_or(lambda.len(), |start| start + 8);
            &lambda[..end]
        }
        "java.util.concurrent.ConcurrentHashMap$TreeNode"
        | "java.util.concurrent.ConcurrentHashMap$TreeBin"
        | "java.util.concurrent.ConcurrentHashMap$ForwardingNode" => {
            "java.util.concurrent.ConcurrentHashMap$Node"
        }
        // other hidden classes are named after their address
        other => match other.find("+0x").or_else(|| other.find("/0x")) {
            Some(end) => &other[..end],
            None => other,
        },
    }
}

/// Whether the class is one of the runtime in which it registers what others hold: executors and
/// their threads, since JDK 19, and what is to be closed when it is forgotten.
pub(crate) fn keeps_books(class: &str) -> bool {
    class.starts_with("jdk.internal.vm.") || class == "jdk.internal.ref.CleanerFactory"
}

/// Whether the class is made at run time for one place in the code: a lambda, a proxy. What it
/// captures or stands for says more.
pub(crate) fn is_generated(class: &str) -> bool {
    class.contains("$$Lambda")
        || short_name(class)
            .strip_prefix("$Proxy")
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether the class is an array of primitive values.
pub(crate) fn is_primitive_array(class: &str) -> bool {
    class
        .strip_suffix("[]")
        .is_some_and(|element| !element.ends_with("[]") && is_primitive(element))
}

fn is_primitive(name: &str) -> bool {
    matches!(
        name,
        "boolean" | "char" | "float" | "double" | "byte" | "short" | "int" | "long"
    )
}

/// To whom a class belongs; the later, the more it explains a leak.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    /// The runtime itself.
    Platform,
    /// Agents that watch the program.
    Agent,
    /// Frameworks and libraries.
    Library,
    /// The program.
    Application,
}

const PLATFORM: &[&str] = &[
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "org.w3c.dom.",
    "org.xml.sax.",
    "org.ietf.jgss.",
    "android.",
    "androidx.",
    "com.android.",
    "dalvik.",
    "libcore.",
];
const AGENTS: &[&str] = &[
    "io.opentelemetry.",
    "net.bytebuddy.",
    "org.jacoco.",
    "com.ibm.lang.",
];
const LIBRARIES: &[&str] = &[
    "ch.qos.",
    "com.fasterxml.",
    "com.google.common.",
    "com.google.protobuf.",
    "com.github.benmanes.",
    "com.mysql.",
    "com.zaxxer.",
    "freemarker.",
    "groovy.",
    "io.grpc.",
    "io.micrometer.",
    "io.micronaut.",
    "io.netty.",
    "io.quarkus.",
    "io.undertow.",
    "io.vertx.",
    "jakarta.",
    "kotlin.",
    "kotlinx.",
    "okhttp3.",
    "okio.",
    "org.aopalliance.",
    "org.apache.",
    "org.aspectj.",
    "org.eclipse.",
    "org.glassfish.",
    "org.hibernate.",
    "org.jboss.",
    "org.joda.",
    "org.postgresql.",
    "org.reactivestreams.",
    "org.slf4j.",
    "org.springframework.",
    "org.thymeleaf.",
    "org.yaml.",
    "reactor.",
    "scala.",
];

/// Whose class this is, by its name.
pub(crate) fn owner(class: &str) -> Owner {
    let element = class.trim_end_matches("[]");
    let any = |prefixes: &[&str]| prefixes.iter().any(|prefix| element.starts_with(prefix));
    if is_primitive(element) || any(PLATFORM) {
        Owner::Platform
    } else if any(AGENTS) {
        Owner::Agent
    } else if any(LIBRARIES) {
        Owner::Library
    } else {
        Owner::Application
    }
}

/// A class's name without its package: `Map$Entry`, `byte[]`.
pub(crate) fn short_name(class: &str) -> &str {
    // a hidden class's name may have dots behind its slash
    let end = class.find('/').unwrap_or(class.len());
    class[..end]
        .rfind('.')
        .map_or(class, |dot| &class[dot + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_depend_on_the_holder() {
        let check = |class, holder, by_field, expected| {
            assert_eq!(role(class, holder, by_field), expected, "{class}");
        };
        let map = Role::Container(Pattern::Map);
        let set = Role::Container(Pattern::Collection);
        check("java.util.HashMap", None, true, map);
        check(
            "java.util.HashMap",
            Some(("java.util.HashSet", set)),
            true,
            Role::Inner,
        );
        check(
            "java.util.HashMap",
            Some(("java.util.HashMap$Node", Role::Inner)),
            true,
            map,
        );
        check(
            "java.util.HashMap$Node[]",
            Some(("java.util.HashMap", Role::Inner)),
            true,
            Role::Inner,
        );
        check(
            "java.lang.Object[]",
            Some(("java.util.ArrayList", set)),
            true,
            Role::Inner,
        );
        check(
            "java.lang.Object[]",
            Some(("java.lang.Object[]", Role::Inner)),
            false,
            Role::Container(Pattern::Array),
        );
        check(
            "java.util.HashMap$Node",
            Some(("java.util.HashMap$Node[]", Role::Inner)),
            false,
            Role::Inner,
        );
        check("app.Node", None, true, Role::Plain);
        check("byte[]", None, true, Role::Plain);
    }

    #[test]
    fn limits_and_collections_of_libraries() {
        for name in [
            "maximumSize",
            "MAX_ENTRIES",
            "limit",
            "maxWeight",
            "capacity",
        ] {
            assert!(is_limit(name), "{name}");
        }
        for name in ["maxAgeMillis", "MAX_VALUE", "maxIdleTime", "size", "climax"] {
            assert!(!is_limit(name), "{name}");
        }
        let map = Some(Pattern::Map);
        let check = |class, expected| assert_eq!(container(class), expected, "{class}");
        check("it.unimi.dsi.fastutil.longs.Long2ObjectOpenHashMap", map);
        check(
            "it.unimi.dsi.fastutil.objects.ObjectOpenHashSet",
            Some(Pattern::Collection),
        );
        check("scala.collection.mutable.ListMap", map);
        check(
            "org.jctools.queues.MpscUnboundedArrayQueue",
            Some(Pattern::Queue),
        );
        check("it.unimi.dsi.fastutil.Hash", None);
    }

    #[test]
    fn names_and_owners() {
        assert_eq!(short_name("com.acme.Order$Line[]"), "Order$Line[]");
        assert_eq!(short_name("Order"), "Order");
        assert_eq!(short_name("a.b.C$$Lambda/0x1.2"), "C$$Lambda/0x1.2");
        assert_eq!(owner("byte[]"), Owner::Platform);
        assert_eq!(owner("byteme.Thing"), Owner::Application);
        assert_eq!(owner("org.springframework.X[]"), Owner::Library);
        assert_eq!(owner("io.opentelemetry.sdk.X"), Owner::Agent);
    }
}
