//! What classes and dominators gained from one dump to others.
//!
//! Addresses mean nothing in another dump. Classes are the same if they have the same name, and
//! dominators if the same classes and fields lead down to them in the dominator tree: all objects
//! that the same way leads to are one node. The inner workings of collections (tables, nodes) are
//! left out of the way, and a chain of objects of one class is a single step of it.
//!
//! Of each dump only the [`Sizes`] are kept, 20,000 nodes at most.

use std::collections::BTreeMap;

use super::{Filter, InspectError, Inspector};
use crate::classes::ClassKind;
use crate::collections::{self, Role, canonical};
use crate::graph::{EdgeName, Heap, NONE, SIZE_UNIT};
use crate::place_tree::class_slot_name;
use crate::retention::{Retention, Visitor};
use crate::symbols::Symbol;

/// The sizes of a dump's classes, or of its dominator tree, to be compared with other dumps.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// Each behind the one above it. The first is none, and stands above all.
    nodes: Vec<Node>,
    /// What they are compared by.
    by: Measure,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Measure {
    #[default]
    Shallow,
    Retained,
}

#[derive(Clone, Debug, Default)]
struct Node {
    above: usize,
    field: Option<String>,
    class: String,
    size: Size,
}

/// How much there is of a class, or at one place of the dominator tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Objects.
    pub objects: u64,
    /// Their own sizes.
    pub shallow_bytes: u64,
    /// What they retain together.
    pub retained_bytes: u64,
}

/// What changed between dumps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Most gained bytes first: shallow for classes, retained for dominators.
    pub rows: Vec<DiffRow>,
    /// Rows that changed too, beyond the limit.
    pub rest: DiffRest,
}

/// A class, or all objects that one way through the dominator tree leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRow {
    /// How its dominator refers to it; `None` for classes, for what nothing dominates, and where
    /// there is no direct reference.
    pub field: Option<String>,
    /// Its class.
    pub class: String,
    /// Its size in each dump; zero where there is none.
    pub sizes: Vec<Size>,
    /// What it dominates, as deep as was asked for.
    pub children: Vec<DiffRow>,
    /// Of these, what is beyond the limit.
    pub rest: DiffRest,
}

/// What a list of changes leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffRest {
    /// How many rows.
    pub rows: u64,
    /// What they gained together, less what they lost.
    pub gained_bytes: i64,
}

/// Nodes kept of a dump: the largest.
const MAX_NODES: usize = 20_000;
/// Nodes while a dump is looked at; what is found beyond is not told apart from what is above it.
const MAX_FOUND: usize = 1 << 20;

impl Inspector<'_, '_> {
    /// The sizes of all classes.
    pub fn class_sizes(&self) -> Sizes {
        let classes = self.heap.histogram();
        let node = |row: &crate::report::ClassRow| Node {
            class: row.class.clone(),
            size: Size {
                objects: row.objects,
                shallow_bytes: row.shallow_bytes,
                retained_bytes: row.retained_bytes,
            },
            ..Node::default()
        };
        Sizes {
            nodes: std::iter::once(Node::default())
                .chain(classes.iter().map(node))
                .collect(),
            by: Measure::Shallow,
        }
    }

    /// The sizes of the dominator tree, `depth` levels below the objects that nothing dominates;
    /// or, of the classes in the filter, below their instances wherever these are.
    ///
    /// Memory: 100 bytes for each different way through the tree.
    pub fn dominator_sizes(&self, filter: &Filter, depth: usize) -> Sizes {
        let heap = self.heap;
        let is_wanted = |name: &str| filter.class.as_ref().is_none_or(|glob| glob.matches(name));
        let classes = heap.classes.table.iter();
        let mut merging = Merging {
            heap,
            retention: self.retention,
            depth,
            tops: classes
                .map(|class| is_wanted(heap.name(class.name)))
                .collect(),
            found: vec![Found::above_all()],
            children: BTreeMap::new(),
            open: Vec::new(),
            elements: BTreeMap::new(),
        };
        self.retention.walk(heap, &mut merging);
        merging.into_sizes()
    }
}

/// Gathers the dominator tree, with all objects of one way as one node.
struct Merging<'m, 'a> {
    heap: &'m Heap<'a>,
    retention: &'m Retention<'m>,
    depth: usize,
    /// By class: whether its instances can stand at the top.
    tops: Vec<bool>,
    found: Vec<Found>,
    children: BTreeMap<(u32, Way), u32>,
    /// The objects that the walk is inside of.
    open: Vec<Open>,
    /// The elements of the long arrays among them, ascending, as far as someone asked.
    elements: BTreeMap<u32, Vec<u32>>,
}

/// From a node to one below it: the reference, and the class, or the class that an object is the
/// class object of.
type Way = (Reference, u32, bool);

/// How a dominator refers to an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reference {
    Field(Symbol),
    Element,
    Local,
    OfClass(usize),
    /// Not directly, or there is no dominator.
    None,
}

struct Found {
    above: u32,
    way: Way,
    role: Role,
    depth: usize,
    size: Size,
    /// How many of its objects the walk is inside of.
    open: u32,
    /// The child found last: most objects of a node have the same.
    recent: Option<(Way, u32)>,
}

impl Found {
    fn new(above: u32, way: Way, role: Role, depth: usize) -> Found {
        Found {
            above,
            way,
            role,
            depth,
            size: Size::default(),
            open: 0,
            recent: None,
        }
    }

    fn above_all() -> Found {
        Found::new(0, (Reference::None, u32::MAX, false), Role::Plain, 0)
    }
}

/// An object that the walk is inside of.
#[derive(Clone, Copy)]
struct Open {
    node: u32,
    part: Part,
}

/// Which part of its node an object is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// One of those that it stands for.
    Member,
    /// Of the inner workings of such a one.
    Inner,
    /// It lies below: deeper than was asked for.
    Below,
}

impl Visitor for Merging<'_, '_> {
    fn enter(&mut self, object: u32) {
        let reference = self.reference_to(object);
        self.enter_by(reference, object);
    }

    fn enter_owned(&mut self, owner: u32, position: u32, object: u32) {
        let reference = self.reference_at(owner, position as usize);
        self.enter_by(reference, object);
    }

    fn leave(&mut self, object: u32) {
        self.elements.remove(&object);
        let Some(open) = self.open.pop() else { return };
        if open.part != Part::Member {
            return;
        }
        let found = &mut self.found[open.node as usize];
        found.open -= 1;
        // what another member dominates is counted with that one
        if found.open == 0 {
            found.size.retained_bytes += self.retention.bytes(object);
        }
    }
}

impl Merging<'_, '_> {
    fn enter_by(&mut self, reference: Reference, object: u32) {
        let open = self.place(reference, object);
        if open.part == Part::Member {
            let found = &mut self.found[open.node as usize];
            found.size.objects += 1;
            found.size.shallow_bytes += u64::from(self.heap.shapes.get(object).size) * SIZE_UNIT;
            found.open += 1;
        }
        self.open.push(open);
    }

    fn place(&mut self, reference: Reference, object: u32) -> Open {
        let top = self.open.last().copied().unwrap_or(Open {
            node: 0,
            part: Part::Member,
        });
        let open = |node, part| Open { node, part };
        if top.part == Part::Below {
            return top;
        }
        let number = self.heap.class_number(object);
        if top.node == 0 && !self.tops[number as usize] {
            return open(0, Part::Inner);
        }
        let (class, is_class_object) = match self.heap.class_of_mirror(object) {
            Some(class) => (class, true),
            None => (number, false),
        };
        let above = &self.found[top.node as usize];
        let role = self.role(top, reference, number);
        if top.node != 0 {
            if role == Role::Inner {
                return open(top.node, Part::Inner);
            }
            let is_same = (class, is_class_object) == (above.way.1, above.way.2);
            if is_same && top.part == Part::Member && !matches!(role, Role::Container(_)) {
                return top;
            }
        }
        if above.depth > self.depth || self.found.len() >= MAX_FOUND {
            return open(top.node, Part::Below);
        }
        let reference = match (top.node, top.part, reference) {
            (0, ..) | (.., Reference::None) => Reference::None,
            (_, Part::Inner, _) => Reference::Element,
            _ => reference,
        };
        let node = self.child(top.node, (reference, class, is_class_object), role);
        open(node, Part::Member)
    }

    fn role(&self, top: Open, reference: Reference, class: u32) -> Role {
        let above = &self.found[top.node as usize];
        let name = |class: u32| self.heap.name(self.heap.classes.get(class).name);
        if top.node == 0 || above.way.2 {
            return collections::role(name(class), None, true);
        }
        let by_field = matches!(reference, Reference::Field(_));
        // to the inner workings of a collection everything below is an element
        let holder = (top.part == Part::Member).then(|| (name(above.way.1), above.role));
        collections::role(name(class), holder, by_field)
    }

    fn child(&mut self, above: u32, way: Way, role: Role) -> u32 {
        let parent = &self.found[above as usize];
        let depth = parent.depth + 1;
        if let Some((recent, node)) = parent.recent
            && recent == way
        {
            return node;
        }
        let next = self.found.len() as u32;
        let node = *self.children.entry((above, way)).or_insert(next);
        if node == next {
            self.found.push(Found::new(above, way, role, depth));
        }
        self.found[above as usize].recent = Some((way, node));
        node
    }

    fn reference_at(&self, from: u32, position: usize) -> Reference {
        match self.heap.edge_name(from, position) {
            EdgeName::Field(name) | EdgeName::Static(name) => Reference::Field(name),
            EdgeName::Element => Reference::Element,
            EdgeName::Local => Reference::Local,
            EdgeName::OfClass(position) => Reference::OfClass(position),
        }
    }

    /// How the dominator of an entry point refers to it.
    fn reference_to(&mut self, object: u32) -> Reference {
        const SHORT: usize = 64;
        let from = self.retention.immediate[object as usize];
        if from == NONE {
            return Reference::None;
        }
        let row = self.heap.row(from);
        if row.len() > SHORT && self.heap.class(from).kind != ClassKind::Plain {
            let elements = self.elements.entry(from).or_insert_with(|| {
                let mut elements = row.to_vec();
                elements.sort_unstable();
                elements
            });
            return match elements.binary_search(&object) {
                Ok(_) => Reference::Element,
                Err(_) => Reference::None,
            };
        }
        match row.iter().position(|target| *target == object) {
            Some(position) => self.reference_at(from, position),
            None => Reference::None,
        }
    }

    fn into_sizes(self) -> Sizes {
        let heap = self.heap;
        let mut sizes: Vec<u64> = self
            .found
            .iter()
            .map(|found| found.size.retained_bytes)
            .collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        // what lies below a node is no larger: a bound on the size keeps whole ways
        let least = sizes.get(MAX_NODES).map_or(0, |size| size + 1);
        let mut numbers: BTreeMap<u32, usize> = BTreeMap::from([(0, 0)]);
        let mut nodes = vec![Node::default()];
        for (number, found) in (0u32..).zip(&self.found).skip(1) {
            let Some(above) = numbers.get(&found.above).copied() else {
                continue;
            };
            if found.size.retained_bytes < least {
                continue;
            }
            numbers.insert(number, nodes.len());
            let (reference, class, is_class_object) = found.way;
            let name = canonical(heap.name(heap.classes.get(class).name));
            nodes.push(Node {
                above,
                field: match reference {
                    Reference::Field(name) => Some(heap.name(name).to_owned()),
                    Reference::Element => Some("[]".to_owned()),
                    Reference::Local => Some("<local variable>".to_owned()),
                    Reference::OfClass(position) => Some(class_slot_name(position).to_owned()),
                    Reference::None => None,
                },
                class: match is_class_object {
                    true => format!("class {name}"),
                    false => name.to_owned(),
                },
                size: found.size,
            });
        }
        Sizes {
            nodes,
            by: Measure::Retained,
        }
    }
}

/// What changed over dumps, the oldest first; the filter's class is that of the rows of a
/// histogram, and of dominators at the top.
///
/// # Errors
///
/// When no dump has such a class.
pub fn diff(dumps: &[Sizes], filter: &Filter) -> Result<Diff, InspectError> {
    let by = dumps.first().map_or(Measure::Shallow, |dump| dump.by);
    let is_wanted = |class: &str| {
        let glob = filter.class.as_ref();
        glob.is_none_or(|glob| glob.matches(class.strip_prefix("class ").unwrap_or(class)))
    };
    let mut union = Union::of(dumps);
    if by == Measure::Shallow {
        let rows = &union.rows;
        union.tops.retain(|top| is_wanted(&rows[*top].class));
    }
    if union.tops.is_empty()
        && let Some(glob) = &filter.class
    {
        let names = dumps.iter().flat_map(|dump| &dump.nodes);
        return Err(InspectError::no_such_class(
            glob,
            names.map(|node| node.class.as_str()),
        ));
    }
    let retains = |row: &UnionRow| {
        let most = row.sizes.iter().map(|size| size.retained_bytes).max();
        filter
            .retained_over
            .is_none_or(|least| most.unwrap_or(0) > least)
    };
    union.rows.iter_mut().for_each(|row| {
        row.changed = row.sizes.windows(2).any(|pair| pair[0] != pair[1]);
    });
    let large: Vec<bool> = union.rows.iter().map(retains).collect();
    let tops = std::mem::take(&mut union.tops);
    let (rows, rest) = union.level(tops, by, &large, filter.limit);
    Ok(Diff { rows, rest })
}

/// The nodes of all dumps together.
struct Union {
    rows: Vec<UnionRow>,
    tops: Vec<usize>,
}

struct UnionRow {
    field: Option<String>,
    class: String,
    sizes: Vec<Size>,
    changed: bool,
    children: Vec<usize>,
}

impl Union {
    fn of(dumps: &[Sizes]) -> Union {
        let mut union = Union {
            rows: Vec::new(),
            tops: Vec::new(),
        };
        let mut known: BTreeMap<(Option<usize>, Option<&str>, &str), usize> = BTreeMap::new();
        for (dump, sizes) in dumps.iter().enumerate() {
            let mut numbers: Vec<Option<usize>> = vec![None];
            for node in sizes.nodes.iter().skip(1) {
                let above = numbers[node.above];
                let key = (above, node.field.as_deref(), node.class.as_str());
                let row = *known.entry(key).or_insert_with(|| {
                    let row = union.rows.len();
                    union.rows.push(UnionRow {
                        field: node.field.clone(),
                        class: node.class.clone(),
                        sizes: vec![Size::default(); dumps.len()],
                        changed: false,
                        children: Vec::new(),
                    });
                    match above {
                        Some(above) => union.rows[above].children.push(row),
                        None => union.tops.push(row),
                    }
                    row
                });
                // classes of one name from several loaders are one row
                let size = &mut union.rows[row].sizes[dump];
                size.objects += node.size.objects;
                size.shallow_bytes += node.size.shallow_bytes;
                size.retained_bytes += node.size.retained_bytes;
                numbers.push(Some(row));
            }
        }
        union
    }

    fn gain(&self, row: usize, by: Measure) -> i64 {
        let bytes = |size: Option<&Size>| {
            let size = size.copied().unwrap_or_default();
            let bytes = match by {
                Measure::Shallow => size.shallow_bytes,
                Measure::Retained => size.retained_bytes,
            };
            i64::try_from(bytes).unwrap_or(i64::MAX)
        };
        let sizes = &self.rows[row].sizes;
        bytes(sizes.last()) - bytes(sizes.first())
    }

    /// As deep as the trees are, which the caller keeps small.
    fn level(
        &self,
        mut rows: Vec<usize>,
        by: Measure,
        large: &[bool],
        limit: usize,
    ) -> (Vec<DiffRow>, DiffRest) {
        rows.retain(|row| self.rows[*row].changed && large[*row]);
        rows.sort_by_key(|row| {
            let UnionRow { field, class, .. } = &self.rows[*row];
            (std::cmp::Reverse(self.gain(*row, by)), class, field)
        });
        let left_out = rows.split_off(rows.len().min(limit));
        let rest = DiffRest {
            rows: left_out.len() as u64,
            gained_bytes: left_out.iter().map(|row| self.gain(*row, by)).sum(),
        };
        let shown = rows.into_iter().map(|number| {
            let row = &self.rows[number];
            let (children, rest) = self.level(row.children.clone(), by, large, limit);
            DiffRow {
                field: row.field.clone(),
                class: row.class.clone(),
                sizes: row.sizes.clone(),
                children,
                rest,
            }
        });
        (shown.collect(), rest)
    }
}
