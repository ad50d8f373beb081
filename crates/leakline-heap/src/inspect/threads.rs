//! Threads: their stacks frame by frame, with what each frame holds.

use std::collections::BTreeMap;

use super::{Filter, InspectError, Inspector, ObjectRow, Rest};
use crate::roots::Thread;

/// Live threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threads {
    /// Those that retain most first.
    pub threads: Vec<ThreadView>,
    /// Threads beside these.
    pub rest: Rest,
}

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadView {
    /// Its name; empty when the dump does not tell.
    pub name: String,
    /// The thread object. What it retains includes what its stack holds alone.
    pub object: ObjectRow,
    /// Its stack, innermost first.
    pub frames: Vec<FrameView>,
    /// What its stack holds in frames that the dump does not tell.
    pub elsewhere: FrameView,
}

/// One frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameView {
    /// `RefB.consume (RefB.java:17)`.
    pub text: String,
    /// Objects that its local variables and parameters refer to, those that retain most first.
    pub locals: Vec<ObjectRow>,
    /// Objects beside these.
    pub rest: Rest,
}

impl Inspector<'_, '_> {
    /// The threads, and up to the filter's limit of objects in each frame. A class asks for the
    /// threads that have its instances on their stack; then only these are listed.
    ///
    /// # Errors
    ///
    /// When no class matches.
    pub fn threads(&self, filter: &Filter) -> Result<Threads, InspectError> {
        let classes = self.classes(filter)?;
        let is_wanted = |object: u32| {
            let of_class = |classes: &Vec<bool>| classes[self.heap.class_number(object) as usize];
            classes.as_ref().is_none_or(of_class)
        };
        let holds = |thread: &&Thread| {
            classes.is_none() || thread.locals.iter().any(|local| is_wanted(local.object))
        };
        let threads: BTreeMap<u32, &Thread> = self
            .heap
            .threads()
            .iter()
            .filter(holds)
            .filter(|thread| self.is_large(thread.object, filter))
            .map(|thread| (thread.object, thread))
            .collect();
        let mut objects: Vec<u32> = threads.keys().copied().collect();
        let rest = self.largest(&mut objects, filter.limit);
        let views = objects
            .iter()
            .zip(self.rows(&objects))
            .filter_map(|(object, row)| {
                let thread = threads.get(object)?;
                Some(self.thread(thread, row, &is_wanted, filter.limit))
            })
            .collect();
        Ok(Threads {
            threads: views,
            rest,
        })
    }

    fn thread(
        &self,
        thread: &Thread,
        object: ObjectRow,
        is_wanted: &impl Fn(u32) -> bool,
        limit: usize,
    ) -> ThreadView {
        let mut by_frame: BTreeMap<Option<u32>, Vec<u32>> = BTreeMap::new();
        for local in &thread.locals {
            // the thread itself is on every stack
            if local.object != thread.object && is_wanted(local.object) {
                let frame = local
                    .frame
                    .filter(|frame| (*frame as usize) < thread.frames.len());
                by_frame.entry(frame).or_default().push(local.object);
            }
        }
        let mut view = |frame: Option<u32>, text: String| {
            let mut objects = by_frame.remove(&frame).unwrap_or_default();
            objects.sort_unstable();
            objects.dedup();
            let rest = self.largest(&mut objects, limit);
            FrameView {
                text,
                locals: self.rows(&objects),
                rest,
            }
        };
        ThreadView {
            name: thread.name.clone(),
            object,
            frames: (0..)
                .zip(&thread.frames)
                .map(|(number, frame)| view(Some(number), frame.to_string()))
                .collect(),
            elsewhere: view(None, String::new()),
        }
    }
}
