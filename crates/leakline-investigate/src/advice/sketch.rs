//! The change as Java, where the kind of place has a usual form.

use leakline_heap::{Pattern, Suspect};

use super::Place;
use crate::phrase;

/// The change as Java; `None` where it has no usual form.
pub(super) fn sketch(suspect: &Suspect) -> Option<String> {
    let names = Names::of(suspect);
    match suspect.pattern {
        Pattern::Map => Some(names.map()),
        Pattern::Collection => Some(names.collection()),
        Pattern::Queue => Some(names.queue()),
        Pattern::Listeners => Some(names.listeners()),
        Pattern::ThreadLocal => Some(names.thread_local()),
        Pattern::Finalizer => Some(names.finalizer()),
        Pattern::ThreadStack
        | Pattern::ClassLoader
        | Pattern::Array
        | Pattern::LinkedObjects
        | Pattern::Object => None,
    }
}

/// Names that are Java identifiers, whatever the dump calls them.
struct Names {
    field: String,
    element: String,
    key: String,
    /// `static `, or nothing for an instance field.
    of_class: &'static str,
}

impl Names {
    fn of(suspect: &Suspect) -> Self {
        let place = Place::of(suspect);
        let field = place.name.rsplit('.').next().unwrap_or("");
        let key = suspect.accumulates.key_class.as_deref().unwrap_or("");
        Names {
            field: identifier(field).unwrap_or("items").to_owned(),
            element: class_name(&suspect.accumulates.class).unwrap_or_else(|| "Object".to_owned()),
            key: class_name(key).unwrap_or_else(|| "Key".to_owned()),
            of_class: if place.is_static { "static " } else { "" },
        }
    }

    fn map(&self) -> String {
        let Names {
            field,
            element,
            key,
            of_class,
        } = self;
        format!(
            "\
// com.github.ben-manes.caffeine:caffeine
private {of_class}final Cache<{key}, {element}> {field} =
    Caffeine.newBuilder()
        .maximumSize(10_000)
        .expireAfterAccess(Duration.ofMinutes(10))
        .build();

// without a library: evicts the least recently used
private {of_class}final Map<{key}, {element}> {field} =
    Collections.synchronizedMap(new LinkedHashMap<>(16, 0.75f, true) {{
      @Override protected boolean removeEldestEntry(Map.Entry<{key}, {element}> eldest) {{
        return size() > 10_000;
      }}
    }});"
        )
    }

    fn collection(&self) -> String {
        let Names {
            field,
            element,
            of_class,
            ..
        } = self;
        format!(
            "\
private {of_class}final Deque<{element}> {field} = new ArrayDeque<>();

{of_class}synchronized void remember({element} item) {{
  {field}.addLast(item);
  if ({field}.size() > 1_000) {{
    {field}.removeFirst();
  }}
}}"
        )
    }

    fn queue(&self) -> String {
        let Names {
            field,
            element,
            of_class,
            ..
        } = self;
        format!(
            "\
private {of_class}final BlockingQueue<{element}> {field} = new ArrayBlockingQueue<>(10_000);

if (!{field}.offer(item, 100, TimeUnit.MILLISECONDS)) {{
  throw new RejectedExecutionException(\"{field} is full\");
}}"
        )
    }

    fn listeners(&self) -> String {
        let Names {
            field,
            element,
            of_class,
            ..
        } = self;
        format!(
            "\
{of_class}AutoCloseable register({element} listener) {{
  {field}.add(listener);
  return () -> {field}.remove(listener);
}}"
        )
    }

    fn thread_local(&self) -> String {
        let field = &self.field;
        format!(
            "\
try {{
  {field}.set(value);
  handle(request);
}} finally {{
  {field}.remove();
}}"
        )
    }

    fn finalizer(&self) -> String {
        let element = &self.element;
        format!(
            "\
private static final Cleaner CLEANER = Cleaner.create();

final class {element} implements AutoCloseable {{
  private final Cleaner.Cleanable cleanable = CLEANER.register(this, new Release(handle));
  @Override public void close() {{
    cleanable.clean();
  }}
}}"
        )
    }
}

/// The simple name of a class, as code that imports it writes it; arrays stay arrays.
fn class_name(class: &str) -> Option<String> {
    let element = class.trim_end_matches("[]");
    let dimensions = (class.len() - element.len()) / 2;
    let simple = phrase::short_class(element);
    let simple = identifier(simple.rsplit('$').next().unwrap_or(""))?;
    Some(format!("{simple}{}", "[]".repeat(dimensions)))
}

/// The name, if Java allows it.
pub(super) fn identifier(name: &str) -> Option<&str> {
    let mut characters = name.chars();
    let valid = characters
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_');
    valid.then_some(name)
}
