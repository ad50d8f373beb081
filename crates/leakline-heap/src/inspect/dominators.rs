//! The dominator tree: the largest objects, and what lies below one.

use std::collections::BTreeMap;

use super::{Filter, InspectError, Inspector, ObjectRow, Rest, some};
use crate::graph::NONE;
use crate::paths::reference_name;

/// Part of the dominator tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dominators {
    /// The object below which was looked; `None` for the largest of all.
    pub below: Option<ObjectRow>,
    /// Largest first.
    pub nodes: Vec<DominatorNode>,
    /// Objects beside these.
    pub rest: Rest,
}

/// One object of the dominator tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DominatorNode {
    /// The object.
    pub object: ObjectRow,
    /// What the reference from its dominator to it is called; `None` when there is no direct one.
    pub field: Option<String>,
    /// What it dominates itself, largest first, as deep as was asked for.
    pub children: Vec<DominatorNode>,
    /// Objects that it dominates beside these; rows 0 also when nobody looked.
    pub rest: Rest,
}

/// Children of one object that are shown.
struct Level {
    shown: Vec<u32>,
    rest: Rest,
}

impl Inspector<'_, '_> {
    /// The objects that retain most: without a class, those that no other object dominates; of a
    /// class, its instances wherever they are. Below each the tree goes on for `depth` levels.
    ///
    /// # Errors
    ///
    /// When no class matches.
    pub fn dominators(&self, filter: &Filter, depth: usize) -> Result<Dominators, InspectError> {
        let mut objects = self.matching(filter)?;
        if filter.class.is_none() {
            objects.retain(|object| self.dominator(*object) == NONE);
        }
        let rest = self.largest(&mut objects, filter.limit);
        Ok(self.tree(
            None,
            Level {
                shown: objects,
                rest,
            },
            filter,
            depth,
        ))
    }

    /// What one object dominates, for `depth` levels below it.
    ///
    /// # Errors
    ///
    /// When there is no such object.
    pub fn dominated(
        &self,
        id: u64,
        filter: &Filter,
        depth: usize,
    ) -> Result<Dominators, InspectError> {
        let object = self.resolve(id)?;
        let level = self
            .level(&[object], filter)
            .remove(&object)
            .unwrap_or(Level {
                shown: Vec::new(),
                rest: Rest::default(),
            });
        Ok(self.tree(Some(object), level, filter, depth.saturating_sub(1)))
    }

    fn tree(&self, below: Option<u32>, top: Level, filter: &Filter, depth: usize) -> Dominators {
        let mut levels: BTreeMap<u32, Level> = BTreeMap::new();
        let mut frontier = top.shown.clone();
        for _ in 0..depth {
            if frontier.is_empty() || levels.len() > MAX_NODES {
                break;
            }
            let next = self.level(&frontier, filter);
            frontier = next
                .values()
                .flat_map(|level| level.shown.iter().copied())
                .collect();
            levels.extend(next);
        }
        let mut all = top.shown.clone();
        all.extend(below);
        all.extend(levels.values().flat_map(|level| &level.shown));
        all.sort_unstable();
        all.dedup();
        let rows: BTreeMap<u32, ObjectRow> = all.iter().copied().zip(self.rows(&all)).collect();
        let row = |object: &u32| rows.get(object).cloned();
        Dominators {
            below: below.as_ref().and_then(row),
            nodes: self.nodes(&top.shown, &levels, &row),
            rest: top.rest,
        }
    }

    /// As deep as the depth asked for, which the caller keeps small.
    fn nodes(
        &self,
        objects: &[u32],
        levels: &BTreeMap<u32, Level>,
        row: &impl Fn(&u32) -> Option<ObjectRow>,
    ) -> Vec<DominatorNode> {
        objects
            .iter()
            .filter_map(|object| {
                let level = levels.get(object);
                let shown = level.map_or(&[][..], |level| &level.shown);
                let field = some(self.dominator(*object))
                    .map(|above| reference_name(self.heap, above, *object))
                    .filter(|name| name != "…");
                Some(DominatorNode {
                    object: row(object)?,
                    field,
                    children: self.nodes(shown, levels, row),
                    rest: level.map_or(Rest::default(), |level| level.rest),
                })
            })
            .collect()
    }

    /// The children of these objects.
    fn level(&self, parents: &[u32], filter: &Filter) -> BTreeMap<u32, Level> {
        let mut children: BTreeMap<u32, Vec<u32>> =
            parents.iter().map(|parent| (*parent, Vec::new())).collect();
        for object in self.in_dominator_order() {
            let above = self.dominator(object);
            if above != NONE
                && let Some(children) = children.get_mut(&above)
            {
                children.push(object);
            }
        }
        let level = |(parent, mut shown): (u32, Vec<u32>)| {
            let small: Vec<u32> = shown
                .extract_if(.., |object| !self.is_large(*object, filter))
                .collect();
            let mut rest = self.largest(&mut shown, filter.limit);
            rest.rows += small.len() as u64;
            rest.bytes += small
                .iter()
                .map(|object| self.retained(*object))
                .sum::<u64>();
            (parent, Level { shown, rest })
        };
        children.into_iter().map(level).collect()
    }
}

/// Objects in a tree before no further level is opened.
const MAX_NODES: usize = 10_000;
