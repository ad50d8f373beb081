//! What speaks for and against a suspect, and how sure its case is.

use super::{LEAST_SHARE, Pile, PileKind, TELLING_PART, percent};
use crate::collections::Owner;
use crate::growth::History;
use crate::report::{GrowthKind, Pattern, SuspectGrowth};

/// What speaks for and against a suspect.
pub(super) struct Verdict {
    pub(super) confidence: f64,
    pub(super) counter_evidence: Vec<String>,
}

impl Verdict {
    pub(super) fn speak_against(&mut self, weight: f64, evidence: &str) {
        self.confidence -= weight;
        self.counter_evidence.push(evidence.to_owned());
    }

    pub(super) fn weigh_size(&mut self, share: f64, objects: u64, kind: PileKind) {
        let by_share = (share / 0.3).min(1.0);
        let by_count = ((objects.max(1) as f64).log10() / 4.0).min(1.0);
        self.confidence = 0.45 + 0.25 * by_share + 0.25 * by_count;
        if kind == PileKind::Single {
            self.speak_against(
                0.2,
                "it is one object, which may well have the size it is meant to have",
            );
        }
        if share < LEAST_SHARE {
            self.speak_against(0.1, "it is a small part of the heap");
        }
    }

    pub(super) fn weigh_kind(&mut self, pile: &Pile, container: Option<Pattern>, is_stack: bool) {
        if is_stack {
            self.speak_against(0.1, "a local variable lets go when its method returns");
        }
        if pile.kind == PileKind::Elements && container == Some(Pattern::Array) {
            self.speak_against(
                0.2,
                "an array has a fixed length, unless it is replaced by a longer one",
            );
        }
    }

    /// What the runtime, agents and libraries keep is mostly meant to be kept, unless it is what
    /// makes the heap grow.
    pub(super) fn weigh_owner(&mut self, culprit: Owner, share: f64, bytes: u64, grows: bool) {
        let (least_share, least_bytes, doubt) = match culprit {
            Owner::Application => return,
            Owner::Library => (0.15, 8 << 20, 0.1),
            Owner::Agent | Owner::Platform => (0.4, 32 << 20, 0.25),
        };
        if !grows && (share < least_share || bytes < least_bytes) {
            self.confidence = 0.0;
        } else {
            self.speak_against(doubt, "no class of the application takes part in it");
        }
    }

    /// Where growth is measured, size is half of the case, and the part of the heap's growth
    /// that the place explains, other leaks aside, is the other half. Whether it is a telling part
    /// of all growth.
    pub(super) fn weigh_growth(
        &mut self,
        history: &History<'_>,
        pile: &Pile,
        growth: &SuspectGrowth,
    ) -> bool {
        if !history.grows(growth) {
            // large, but no longer growing: not a leak, at least not between these dumps
            self.speak_against(0.4, history.excuse(growth));
            return false;
        }
        let explained = history.explained(growth);
        let by_size = self.confidence;
        self.confidence = by_size.min(0.5) + 0.49 * explained;
        if growth.kind == GrowthKind::Steady {
            // it is no less sure than it was before it was seen to grow
            self.confidence = self.confidence.max(by_size);
        }
        if explained < TELLING_PART {
            let evidence = format!(
                "it explains only {} of what the heap gained between the dumps",
                percent(explained)
            );
            self.speak_against(0.1, &evidence);
        }
        for (weight, doubt) in history.doubts(pile, growth) {
            self.speak_against(weight, &doubt);
        }
        history.part(growth) >= TELLING_PART
    }
}
