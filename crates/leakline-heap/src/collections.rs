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

/// Last parts of the names of classes inside collections of `java.util`.
const INNER: &[&str] = &[
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

/// Whether the class only wraps another collection.
fn is_wrapper(class: &str) -> bool {
    class.strip_prefix("java.util.").is_some_and(|name| {
        WRAPPERS.contains(&name)
            // unmodifiable, synchronized, checked, and sets made from maps
            || name.starts_with("Collections$")
    })
}

/// Whether the class is a node, entry or bin inside a JDK collection, or an array of them.
fn is_inner(class: &str) -> bool {
    let element = class.trim_end_matches("[]");
    (element.starts_with("java.util.") || element.starts_with("java.lang.ThreadLocal"))
        && element
            .rsplit_once('$')
            .is_some_and(|(_, last)| INNER.contains(&last))
}

/// Whether the class is a collection of the JDK.
pub(crate) fn is_container(class: &str) -> bool {
    container(class).is_some()
}

/// Whether the class is one of nodes or entries inside a JDK collection.
pub(crate) fn is_node(class: &str) -> bool {
    is_inner(class) && !class.ends_with("[]")
}

fn container(class: &str) -> Option<Pattern> {
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

/// The role of an object of `class` that a field (`by_field`) or an array element of an object
/// with `holder`'s class and role refers to.
pub(crate) fn role(class: &str, holder: Option<(&str, Role)>, by_field: bool) -> Role {
    if is_inner(class) {
        return Role::Inner;
    }
    let within = match holder {
        Some((name, Role::Container(_))) if by_field => Some(name),
        // the map of a set, the array of that map
        Some((name, Role::Inner)) if by_field && container(name).is_some() => Some(name),
        _ => None,
    };
    let is_array = class.ends_with("[]");
    if let Some(within) = within
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
