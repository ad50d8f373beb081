//! Strings with the same text and primitive arrays with the same content: of each content one is
//! needed, the others are waste.

use super::{LEAST_ZERO_BYTES, Search, Subject, Tallies, Tally, seen};
use crate::bits::Bits;
use crate::graph::NONE;
use crate::reachability::Strength;
use crate::report::WasteKind;

#[derive(Default)]
pub(super) struct Same {
    pub(super) strings: Tallies,
    pub(super) arrays: Tallies,
}

impl Search<'_, '_> {
    /// `strings` are all whose text may be there again, `told` arrays that count elsewhere. Of equal
    /// ones the first is the one that is needed.
    pub(super) fn same(&self, strings: &[u32], told: &[u32]) -> Same {
        let heap = self.heap;
        let twins = &heap.values.twins;
        let mut same = Same::default();
        // arrays that are the text of strings, and in the end all that were told
        let mut texts = Bits::new(heap.len());
        let mut groups = Bits::new(twins.len());
        for &string in strings {
            let text = self.text(string);
            if text == NONE {
                continue;
            }
            let is_shared = seen(&mut texts, text);
            let is_repeated = match twins.group(text) {
                Some(group) => seen(&mut groups, group),
                None => is_shared,
            };
            if is_repeated {
                let text_bytes = if is_shared { 0 } else { heap.shallow(text) };
                let tally = Tally {
                    objects: 1,
                    bytes: heap.shallow(string) + text_bytes,
                };
                self.tally(
                    &mut same.strings,
                    WasteKind::DuplicateStrings,
                    string,
                    tally,
                );
            }
        }
        for &array in told {
            texts.insert(array);
        }
        self.zeros(&texts, &mut same.arrays);
        let mut groups = Bits::new(twins.len());
        let others = twins.members().filter(|array| {
            !texts.contains(*array) && !heap.values.zeros.contains(*array) && self.is_held(*array)
        });
        for array in others {
            if twins
                .group(array)
                .is_some_and(|group| seen(&mut groups, group))
            {
                let bytes = heap.shallow(array);
                let tally = Tally { objects: 1, bytes };
                self.tally(&mut same.arrays, WasteKind::DuplicateArrays, array, tally);
            }
        }
        same
    }

    fn zeros(&self, texts: &Bits, tallies: &mut Tallies) {
        for array in self.heap.values.zeros.iter() {
            let bytes = self.heap.shallow(array);
            if bytes >= LEAST_ZERO_BYTES && !texts.contains(array) && self.is_held(array) {
                let tally = Tally { objects: 1, bytes };
                self.tally(tallies, WasteKind::ZeroArrays, array, tally);
            }
        }
    }

    fn text(&self, string: u32) -> u32 {
        match self.subject(string) {
            Subject::String(slot) => self.target(string, slot),
            _ => NONE,
        }
    }

    fn is_held(&self, object: u32) -> bool {
        self.retention.strengths[object as usize] != Strength::Unreachable
    }
}
