//! What the stacks of waiting virtual threads hold, where the dump leaves it out.
//!
//! A virtual thread that waits is not on any thread of the system: its frames lie in the heap, in
//! `StackChunk` objects, whose content dumps do not have. Since JDK 22 the JVM writes a thread
//! root and local variables for each such thread; before, all that only their stacks refer to
//! looks like garbage. So objects that nothing refers to stand in for the local variables, unless
//! they are more than the stacks have room for: then the dump has garbage besides, and which is
//! which cannot be told.

use leakline_model::{ByteSize, grouped};

use crate::graph::Heap;
use crate::reachability::{self, Strength};
use crate::roots::{Root, RootKind};

/// Bytes of a reference on the stack of a thread.
const WORD: u64 = 8;

impl Heap<'_> {
    /// Adds stand-ins for the local variables of waiting virtual threads, if the dump leaves them
    /// out; whether it did.
    pub(crate) fn add_roots_of_virtual_threads(&mut self) -> bool {
        let is_virtual = |object: u32| {
            let class = self.class_number(object);
            let inherits = |name| self.classes.inherits(class, name, &self.symbols);
            inherits("java.lang.VirtualThread")
        };
        if self.threads.iter().any(|thread| is_virtual(thread.object)) {
            return false;
        }
        let reached = reachability::strengths(self);
        let is_reached = |object: u32| reached[object as usize] != Strength::Unreachable;
        let (mut chunks, mut room) = (0u64, 0u64);
        let (mut lost, mut lost_bytes) = (0u64, 0u64);
        for object in 0..self.len() as u32 {
            if !is_reached(object) {
                lost += 1;
                lost_bytes += self.shallow(object);
            } else if self.class(object).stack_words_at.is_some() {
                chunks += 1;
                room += self.shallow(object) / WORD;
            }
        }
        if chunks == 0 || lost == 0 {
            return false;
        }
        let stand_ins = reachability::stand_in_roots(self, &reached);
        let fit = stand_ins.len() as u64 <= room;
        let (what, consequence) = if fit {
            (
                "are taken for their local variables",
                "garbage may count as live",
            )
        } else {
            (
                "are more than their stacks have room for and count as unreachable",
                "some of them may be live",
            )
        };
        self.facts.problems.push(format!(
            "the JVM left out what the stacks of waiting virtual threads hold, {} in all (JDK 22 and later write it): {} objects ({}) that nothing else holds {what}, so {consequence}",
            grouped(chunks),
            grouped(lost),
            ByteSize(lost_bytes)
        ));
        if fit {
            self.roots.extend(stand_ins.into_iter().map(|object| Root {
                object,
                kind: RootKind::VirtualThread,
            }));
        }
        fit
    }
}
