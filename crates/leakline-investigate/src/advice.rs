//! What to change, by the kind of place where objects pile up.

mod sketch;

use leakline_correlate::Attribution;
use leakline_heap::{PathStep, Pattern, Suspect};

use sketch::identifier;

use crate::phrase;
use crate::prose::{Prose, sentence};
use crate::report::Fix;

/// Collections that hold whatever they are given: no limit, no expiry, no weak references.
const PLAIN_COLLECTIONS: [&str; 17] = [
    "java.util.HashMap",
    "java.util.LinkedHashMap",
    "java.util.TreeMap",
    "java.util.Hashtable",
    "java.util.IdentityHashMap",
    "java.util.concurrent.ConcurrentHashMap",
    "java.util.concurrent.ConcurrentSkipListMap",
    "java.util.HashSet",
    "java.util.LinkedHashSet",
    "java.util.TreeSet",
    "java.util.ArrayList",
    "java.util.LinkedList",
    "java.util.ArrayDeque",
    "java.util.Vector",
    "java.util.concurrent.CopyOnWriteArrayList",
    "java.util.concurrent.ConcurrentLinkedQueue",
    "java.util.concurrent.ConcurrentLinkedDeque",
];

/// An interval of objects per call that is wider, as a share of the number, tells no whole number.
const WIDEST: f64 = 0.5;

/// Why the place does not stop growing.
pub(crate) fn why_unbounded(suspect: &Suspect, operation: Option<&Attribution>) -> Prose {
    let place = suspect.path.last().map(|step| step.class.as_str());
    let mut text = match (suspect.pattern, place) {
        (Pattern::Finalizer, _) => Prose::from(
            "Objects with a finalizer stay until the one finalizer thread has run it; it does not keep up.",
        ),
        (Pattern::ThreadStack, _) => Prose::from(
            "A local variable holds as long as its method runs, and this method does not return.",
        ),
        (Pattern::ThreadLocal, _) => Prose::from(
            "The thread belongs to a pool and lives as long as the process, and so does the value of its thread local.",
        ),
        (Pattern::ClassLoader, _) => Prose::from(
            "A class loader stays, with all its classes and their static fields, while anything refers to one object of it.",
        ),
        (_, Some(class)) if PLAIN_COLLECTIONS.contains(&class) => Prose::new()
            .text("It is a plain ")
            .code(class)
            .text(": it has no limit, no expiry and no weak references of its own."),
        (Pattern::Listeners, _) => Prose::from(
            "What registers a listener must also remove it; here more are added than removed.",
        ),
        _ => Prose::from("Nothing in the dump bounds it."),
    };
    // of calls that were not counted, none can be said to have removed nothing
    if let Some(operation) = operation.filter(|operation| operation.calls_known) {
        let per_call = operation.kept_objects_per_call;
        let whole = per_call.round().max(1.0);
        let (low, high) = operation.interval;
        if low <= whole && whole <= high && high - low <= WIDEST * whole {
            let stayed = phrase::number(per_call * operation.calls as f64);
            let calls = phrase::number(operation.calls as f64);
            let each = if whole > 1.0 {
                format!(", {whole} for each")
            } else {
                String::new()
            };
            text = text.text(format!(
                " {stayed} objects stayed after {calls} calls{each}: nothing was removed in that time."
            ));
        }
    }
    text
}

/// The field to change: the last one on the path that belongs to code other than the JDK's, so
/// that a cache inside a service inside a registry is called by its own name.
struct Place {
    /// `OrderController.responseCache`, or what else names the holder.
    name: String,
    /// Whether it is a field of the class, and not of its objects.
    is_static: bool,
}

impl Place {
    fn of(suspect: &Suspect) -> Place {
        let class = |step: &PathStep| step.class.trim_start_matches("class ").to_owned();
        let own = suspect.path.iter().rev().find(|step| {
            let jdk = ["java.", "javax.", "jdk.", "sun."];
            let is_field = step
                .field
                .as_deref()
                .is_some_and(|f| identifier(f).is_some());
            is_field && !jdk.iter().any(|package| class(step).starts_with(package))
        });
        match own {
            Some(
                step @ PathStep {
                    field: Some(field), ..
                },
            ) if suspect.holder.field.is_some() => Place {
                name: format!("{}.{field}", phrase::short_class(&class(step))),
                // a class object holds static fields
                is_static: step.class.starts_with("class "),
            },
            _ => Place {
                name: phrase::holder(&suspect.holder),
                is_static: suspect.holder.root == "static field",
            },
        }
    }
}

/// What to change, in a few words that go on from "Fix: ".
pub(crate) fn in_short(suspect: &Suspect) -> Prose {
    let holder = Prose::new().code(Place::of(suspect).name);
    match suspect.pattern {
        Pattern::Map | Pattern::Queue => Prose::from("bound ").then(holder).text("."),
        Pattern::Listeners => Prose::from("unregister the listeners of ")
            .then(holder)
            .text("."),
        Pattern::ThreadLocal => Prose::from("remove ")
            .then(holder)
            .text(" after each task."),
        Pattern::ClassLoader => Prose::from("cut the reference from ")
            .then(holder)
            .text(" at undeploy."),
        Pattern::Finalizer => Prose::from("replace finalize() by close() and a Cleaner."),
        _ => Prose::from("let ")
            .then(holder)
            .text(" let go of what is done."),
    }
}

/// What to change.
pub(crate) fn fix(suspect: &Suspect, operation: Option<&str>) -> Fix {
    let holder = Place::of(suspect).name;
    let element = phrase::short_class(&suspect.accumulates.class);
    let (by_pattern, mut steps) = match suspect.pattern {
        Pattern::Map => (
            Prose::new()
                .text("Bound ")
                .code(&holder)
                .text(": give it a maximum size, and an expiry if entries go stale."),
            vec![
                Prose::from(
                    "Choose the size from the heap that it may take: entries × bytes per entry, from the table of growth above.",
                ),
                Prose::from(
                    "If every entry has an end of life (an order that is closed, a session that ends), remove it there; the bound is then only a safety net.",
                ),
            ],
        ),
        Pattern::Collection => (
            Prose::new()
                .text("Remove from ")
                .code(&holder)
                .text(" what is no longer needed, or keep only the latest."),
            vec![
                Prose::from(
                    "Find where elements are added, and add the matching removal, in a finally block where the work can fail.",
                ),
                Prose::from("If it is a history, bound it to the latest entries."),
            ],
        ),
        Pattern::Queue => (
            Prose::new()
                .text("Bound ")
                .code(&holder)
                .text(" and decide what happens when it is full: wait, or refuse."),
            vec![
                Prose::from(
                    "Look at the consumer first: is it alive, is it blocked, is it slower than the producers?",
                ),
                Prose::from(
                    "A bounded queue turns the leak into back-pressure that callers can see.",
                ),
            ],
        ),
        Pattern::Listeners => (
            Prose::new()
                .text("Unregister the listeners of ")
                .code(&holder)
                .text(" when their owner ends."),
            vec![
                Prose::from(
                    "Let registration return a handle that removes the listener, and close it with the owner.",
                ),
                Prose::from("Where owners have no clear end, hold listeners weakly."),
            ],
        ),
        Pattern::ThreadLocal => (
            Prose::new()
                .text("Remove the thread local ")
                .code(&holder)
                .text(" at the end of each task."),
            vec![Prose::from(
                "Pool threads live on after the task: whatever sets the value removes it, in a finally block. Setting it to null still keeps the entry.",
            )],
        ),
        Pattern::ThreadStack => (
            match &suspect.holder.frame {
                Some(frame) => Prose::new()
                    .text("Let ")
                    .code(frame)
                    .text(" let go of what it has handled."),
                None => Prose::new()
                    .text("Let the method on the stack of ")
                    .code(&holder)
                    .text(" let go of what it has handled."),
            },
            vec![
                Prose::from(
                    "In a loop that never ends, nothing that grows may be declared outside the loop without a bound.",
                ),
                Prose::from("If the local is a queue that others fill, bound it."),
            ],
        ),
        Pattern::ClassLoader => (
            Prose::new()
                .text("Cut the reference from ")
                .code(&holder)
                .text(" to classes of the unloaded application."),
            vec![
                Prose::from(
                    "Undo at undeploy what was done at deploy: deregister drivers, MBeans, shutdown hooks and listeners; stop the threads and timers that the application started; remove its thread locals.",
                ),
                Prose::from(
                    "The path above names the one reference that keeps the loaders; the others go with it.",
                ),
            ],
        ),
        Pattern::Finalizer => (
            Prose::new()
                .text("Replace finalize() of ")
                .code(&element)
                .text(" by close() and a Cleaner."),
            vec![
                Prose::from(
                    "Look at the finalizer thread in the thread list: if it is blocked, every object with a finalizer waits behind it.",
                ),
                Prose::from(
                    "Close with try-with-resources where objects are used; a Cleaner catches the rest.",
                ),
            ],
        ),
        Pattern::Array | Pattern::LinkedObjects | Pattern::Object => (
            Prose::new()
                .text("Let ")
                .code(&holder)
                .text(" let go of ")
                .code(&element)
                .text(" that are no longer needed."),
            vec![Prose::from(
                "Find where the reference is set, and clear or replace it when the work is done.",
            )],
        ),
    };
    // a field of a framework is not the program's to change
    let text = match suspect.known {
        Some(known) => Prose::from(sentence(known.advice)),
        None => by_pattern,
    };
    if let Some(operation) = operation {
        let text = Prose::new()
            .text("Start reading at ")
            .code(operation)
            .text(": its calls add the objects.");
        steps.insert(0, text);
    }
    Fix {
        text,
        steps,
        code: sketch::sketch(suspect),
        until_then: Prose::from(
            "Until the fix is out, roll back to a version without the growth, or restart the process before memory runs out; more heap only delays it.",
        ),
    }
}

/// The pattern as JSON spells it.
pub(crate) const fn pattern_name(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Map => "map",
        Pattern::Collection => "collection",
        Pattern::Queue => "queue",
        Pattern::Listeners => "listeners",
        Pattern::ThreadLocal => "thread_local",
        Pattern::ThreadStack => "thread_stack",
        Pattern::ClassLoader => "class_loader",
        Pattern::Finalizer => "finalizer",
        Pattern::Array => "array",
        Pattern::LinkedObjects => "linked_objects",
        Pattern::Object => "object",
    }
}
