//! A place in words: the chain of fields that leads to it, and who on that chain is to blame.

use crate::collections::{Owner, Role, owner, short_name};
use crate::place_tree::{PlaceTree, Step};
use crate::report::Holder;
use crate::roots::RootKind;

/// One named link of a chain.
#[derive(Clone, Debug)]
struct Link {
    kind: LinkKind,
    /// Class that declares the field; whose frame, or which thread, otherwise.
    class: String,
    field: String,
    /// The place that it leads to.
    node: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LinkKind {
    Static,
    Field,
    ThreadLocal,
    Local,
    Root,
    Finalizer,
}

/// The chain of fields to a place, and the thread at its beginning.
pub(crate) struct Wording<'t> {
    tree: &'t PlaceTree,
    node: usize,
    links: Vec<Link>,
    /// Node of the threads, when the chain begins with them, and their name.
    thread: Option<(usize, String)>,
}

/// Links shown of a chain at most.
const SHOWN_LINKS: usize = 3;

impl<'t> Wording<'t> {
    /// `thread_name` is the full name of the thread, where there is but one; otherwise names
    /// have their numbers blanked.
    pub(crate) fn of(tree: &'t PlaceTree, node: usize, thread_name: Option<&str>) -> Self {
        let mut links: Vec<Link> = Vec::new();
        let mut thread = None;
        for step in tree.path(node) {
            let place = &tree.nodes[step];
            let above = &tree.nodes[place.parent];
            let mut link = |kind, class: &str, field: &str| {
                links.push(Link {
                    kind,
                    class: class.strip_prefix("class ").unwrap_or(class).to_owned(),
                    field: field.to_owned(),
                    node: step,
                });
            };
            match &place.step {
                Step::Thread(name) => {
                    let name = thread_name.unwrap_or(name).to_owned();
                    thread = Some((step, name));
                }
                Step::Static(field) => link(LinkKind::Static, &above.class, field),
                Step::Field(field) if place.role != Role::Inner && above.role == Role::Plain => {
                    link(LinkKind::Field, &above.class, field);
                }
                Step::ThreadLocal(name) => {
                    links.clear();
                    let (class, field) = name.rsplit_once('.').unwrap_or(("", name));
                    links.push(Link {
                        kind: LinkKind::ThreadLocal,
                        class: class.to_owned(),
                        field: field.to_owned(),
                        node: step,
                    });
                }
                Step::Local(method) => {
                    let (class, method) = method.rsplit_once('.').unwrap_or(("", method));
                    link(LinkKind::Local, class, method);
                }
                Step::Root(kind) => link(LinkKind::Root, &place.class, kind),
                Step::FinalizerQueue => link(LinkKind::Finalizer, &place.class, "finalizer queue"),
                _ => {}
            }
        }
        Wording {
            tree,
            node,
            links,
            thread,
        }
    }

    /// `static Shop.cache → Cache.byId → ConcurrentHashMap`.
    pub(crate) fn chain(&self) -> String {
        let blamed = self.blamed();
        let skipped = match blamed {
            // long ways from a root are left to the path; the holder's part of them is not
            Some(blamed) if self.links.len() > SHOWN_LINKS => blamed,
            _ => 0,
        };
        let mut parts: Vec<String> = Vec::new();
        if self
            .links
            .get(skipped)
            .is_some_and(|link| link.kind == LinkKind::Field)
        {
            parts.extend(self.thread.iter().map(|_| self.threads_text()));
        }
        for (number, link) in self.links.iter().enumerate().skip(skipped) {
            parts.push(self.link_text(link));
            parts.extend(match self.links.get(number + 1) {
                Some(next) => self.containers(link.node, next.node, false),
                // a root that is a collection was named with the root
                None if link.kind == LinkKind::Root && link.node == self.node => Vec::new(),
                None => self.containers(link.node, self.node, true),
            });
        }
        if self.links.is_empty() {
            parts.extend(self.thread.iter().map(|_| self.threads_text()));
            parts.extend(self.containers(0, self.node, true));
        }
        parts.join(" → ")
    }

    fn link_text(&self, link: &Link) -> String {
        let dotted = match link.class.as_str() {
            "" => link.field.clone(),
            class => format!("{}.{}", short_name(class), link.field),
        };
        let holder = self.tree.nodes[link.node].parent;
        let alike = match self.tree.nodes[holder].alike {
            0 | 1 => String::new(),
            many => format!(" and {} alike", many - 1),
        };
        match link.kind {
            LinkKind::Static => format!("static {dotted}{alike}"),
            LinkKind::Field => format!("{dotted}{alike}"),
            LinkKind::ThreadLocal if link.class.is_empty() => {
                format!("collected ThreadLocals of {}", self.threads_text())
            }
            LinkKind::ThreadLocal if link.field.is_empty() => {
                let class = short_name(&link.class);
                format!("{class} of {}", self.threads_text())
            }
            LinkKind::ThreadLocal => format!("ThreadLocal {dotted} of {}", self.threads_text()),
            LinkKind::Local if link.field.is_empty() => {
                format!("stack of {}", self.threads_text())
            }
            LinkKind::Local => {
                format!("local variable of {dotted} in {}", self.threads_text())
            }
            LinkKind::Root if link.field == RootKind::StandIn.text() => {
                format!(
                    "{}, whose holder is {},",
                    short_name(&link.class),
                    link.field
                )
            }
            LinkKind::Root if link.field == RootKind::VirtualThread.text() => {
                format!("{} on the {}", short_name(&link.class), link.field)
            }
            LinkKind::Root => format!("{} {}", link.field, short_name(&link.class)),
            LinkKind::Finalizer => "finalizer queue".to_owned(),
        }
    }

    /// Collections below the place, on the way to what is in them.
    pub(crate) fn containers_below(&self, element: usize) -> String {
        let below = self.containers(self.node + 1, element, false);
        let arrow = |container: &String| format!(" → {container}");
        below.iter().map(arrow).collect()
    }

    /// Collections on the way from one place to another, the ends included as asked.
    fn containers(&self, from: usize, to: usize, with_end: bool) -> Vec<String> {
        self.tree
            .path(to)
            .into_iter()
            .skip_while(|node| *node < from)
            .filter(|node| *node != to || with_end)
            .filter(|node| matches!(self.tree.nodes[*node].role, Role::Container(_)))
            .map(|node| short_name(&self.tree.nodes[node].class).to_owned())
            .collect()
    }

    /// `thread http-worker`, `4 threads http-worker`.
    pub(crate) fn threads_text(&self) -> String {
        match &self.thread {
            None => "a thread".to_owned(),
            Some((node, name)) => {
                let place = &self.tree.nodes[*node];
                let kind = match place.class.as_str() {
                    "java.lang.VirtualThread" => "virtual thread",
                    _ => "thread",
                };
                let text = match place.objects {
                    0 | 1 => format!("{kind} {name}"),
                    many => format!("{} {kind}s {name}", leakline_model::grouped(many)),
                };
                text.trim_end().to_owned()
            }
        }
    }

    /// Whether the chain is about many things, as its verb must be.
    pub(crate) fn is_plural(&self) -> bool {
        matches!(self.links.first(), Some(link) if link.kind == LinkKind::ThreadLocal && link.class.is_empty())
            && self.links.len() == 1
    }

    /// `Class.method` of the frame whose local variable the chain begins with.
    pub(crate) fn local_method(&self) -> Option<String> {
        let link = self
            .links
            .iter()
            .find(|link| link.kind == LinkKind::Local && !link.field.is_empty())?;
        Some(format!("{}.{}", link.class, link.field))
    }

    /// The holder to name: the field nearest to the pile that belongs to the program; or the
    /// static field or thread-local that directly refers to the object with that field, unless
    /// it is merely the single instance of its own class.
    fn blamed(&self) -> Option<usize> {
        let best = self.links.iter().map(|link| owner(&link.class)).max()?;
        let least = best.min(Owner::Library);
        let nearest_of = |wanted: Owner| {
            self.links
                .iter()
                .rposition(|link| owner(&link.class) == wanted && link.kind != LinkKind::Root)
        };
        let nearest = nearest_of(best)
            .or_else(|| {
                self.links
                    .iter()
                    .rposition(|link| owner(&link.class) >= least)
            })
            .unwrap_or(self.links.len() - 1);
        let link = &self.links[nearest];
        let above = nearest.checked_sub(1).map(|above| &self.links[above]);
        match above {
            Some(root)
                if link.kind == LinkKind::Field
                    && matches!(root.kind, LinkKind::Static | LinkKind::ThreadLocal)
                    && self.tree.nodes[link.node].parent == root.node
                    && owner(&root.class) == owner(&link.class)
                    && root.class != link.class =>
            {
                Some(nearest - 1)
            }
            _ => Some(nearest),
        }
    }

    /// Whether the chain begins with an object whose holder is missing from a damaged dump.
    pub(crate) fn is_stand_in(&self) -> bool {
        self.links.first().is_some_and(|link| {
            link.kind == LinkKind::Root && link.field == RootKind::StandIn.text()
        })
    }

    /// Whose the holder is.
    pub(crate) fn holder_owner(&self) -> Owner {
        self.blamed()
            .map_or(Owner::Platform, |blamed| owner(&self.links[blamed].class))
    }

    /// Whether an agent stands anywhere on the chain.
    pub(crate) fn passes_agent(&self) -> bool {
        self.links
            .iter()
            .any(|link| owner(&link.class) == Owner::Agent)
    }

    /// Who holds the place. The thread is named if one is at the root; the frame is left open.
    pub(crate) fn holder(&self) -> Holder {
        let root = match self.links.first().map(|link| link.kind) {
            Some(LinkKind::Static) => "static field".to_owned(),
            Some(LinkKind::ThreadLocal) => "thread local".to_owned(),
            Some(LinkKind::Local) => "thread stack".to_owned(),
            Some(LinkKind::Root) => self.links[0].field.clone(),
            Some(LinkKind::Finalizer) => "finalizer".to_owned(),
            _ if self.thread.is_some() => "thread".to_owned(),
            _ => "unknown".to_owned(),
        };
        let thread = self.thread.as_ref().map(|(_, name)| name.clone());
        let thread = thread.filter(|name| !name.is_empty());
        let Some(link) = self.blamed().map(|blamed| &self.links[blamed]) else {
            let class = self.thread.as_ref().map(|(node, _)| *node);
            return Holder {
                class: class.map_or_else(String::new, |node| self.tree.nodes[node].class.clone()),
                root,
                thread,
                ..Holder::default()
            };
        };
        let has_field = matches!(
            link.kind,
            LinkKind::Static | LinkKind::Field | LinkKind::ThreadLocal
        );
        Holder {
            class: link.class.clone(),
            field: (has_field && !link.field.is_empty()).then(|| link.field.clone()),
            root,
            thread,
            frame: None,
        }
    }
}
