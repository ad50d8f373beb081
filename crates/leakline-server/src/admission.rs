//! Which suspicion opens an investigation. An investigation costs the service two pauses, so the
//! same leak is not investigated again and again, and a dead process not at all.

use std::time::Duration;

use leakline_detect::{Assessment, Verdict};
use leakline_investigate::Outcome;
use leakline_model::Timestamp;

use crate::archive::{INTERRUPTED, InvestigationEntry};

/// A process that has sent nothing for this long is not looked into: three exports at the
/// default interval of OpenTelemetry SDKs, one minute.
const SILENCE: Duration = Duration::from_secs(180);

/// What a suspicion is weighed against.
pub(crate) struct Admission<'a> {
    /// The present.
    pub(crate) now: Timestamp,
    /// Shortest time between investigations of one version of a service.
    pub(crate) cooldown: Duration,
    /// All investigations so far, those under way included.
    pub(crate) entries: &'a [InvestigationEntry],
}

impl Admission<'_> {
    /// Whether an investigation of the process is to be opened. `last_seen` is the time of its
    /// latest data.
    pub(crate) fn admits(&self, assessment: &Assessment, last_seen: Timestamp) -> bool {
        assessment.verdict >= Verdict::Suspected
            && self.now.duration_since(last_seen) <= SILENCE
            && !self
                .entries
                .iter()
                .any(|entry| self.speaks_against(entry, assessment))
    }

    fn speaks_against(&self, entry: &InvestigationEntry, assessment: &Assessment) -> bool {
        let process = &assessment.process;
        if entry.service != process.service {
            return false;
        }
        let Some(outcome) = entry.outcome.as_deref() else {
            // one replica at a time
            return true;
        };
        let same_version = entry.version == process.version;
        let same_process = same_version && entry.instance == process.instance;
        let opened = Timestamp::parse(&entry.opened).unwrap_or(Timestamp::MIN);
        let recent = self.now.duration_since(opened) < self.cooldown;
        match outcome {
            // dumps have a cooldown of their own, which a restart does not reset
            INTERRUPTED => false,
            // a suspicion that came to nothing keeps further suspicions waiting, not a sure verdict
            outcome
                if [Outcome::NoLeak, Outcome::Suspected]
                    .map(Outcome::as_str)
                    .contains(&outcome) =>
            {
                same_version && recent && assessment.verdict < Verdict::Leaking
            }
            // it leaks on, and that is known
            _ => same_version && recent || same_process && !process.instance.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakline_detect::LeakSignal;
    use leakline_model::ProcessKey;

    const NOW: &str = "2026-11-22T14:00:00Z";

    fn assessment(version: &str, instance: &str, verdict: Verdict) -> Assessment {
        Assessment {
            at: Timestamp::parse(NOW).unwrap(),
            process: ProcessKey {
                service: "orders".to_owned(),
                instance: instance.to_owned(),
                version: version.to_owned(),
            },
            verdict,
            signal: LeakSignal::Heap,
            onset: None,
            eta: None,
            growth_bytes_per_hour: 0.0,
            limit_bytes: None,
            confidence: 0.9,
            evidence: Vec::new(),
        }
    }

    fn entry(
        hours_ago: u64,
        version: &str,
        instance: &str,
        outcome: Option<&str>,
    ) -> InvestigationEntry {
        let opened = Timestamp::parse(NOW).unwrap() - Duration::from_secs(hours_ago * 3600);
        InvestigationEntry {
            id: "orders-1".to_owned(),
            service: "orders".to_owned(),
            version: version.to_owned(),
            instance: instance.to_owned(),
            opened: opened.to_string(),
            finished: outcome.map(|_| opened.to_string()),
            outcome: outcome.map(str::to_owned),
            headline: String::new(),
        }
    }

    fn check(
        entries: &[InvestigationEntry],
        assessment: &Assessment,
        seconds_silent: u64,
        expected: bool,
    ) {
        let now = Timestamp::parse(NOW).unwrap();
        let admission = Admission {
            now,
            cooldown: Duration::from_secs(6 * 3600),
            entries,
        };
        let last_seen = now - Duration::from_secs(seconds_silent);
        assert_eq!(
            admission.admits(assessment, last_seen),
            expected,
            "{entries:?}"
        );
    }

    #[test]
    fn what_opens_an_investigation() {
        let suspected = assessment("1.5.0", "pod-1", Verdict::Suspected);
        let leaking = assessment("1.5.0", "pod-1", Verdict::Leaking);
        check(&[], &suspected, 60, true);
        check(
            &[],
            &assessment("1.5.0", "pod-1", Verdict::Healthy),
            60,
            false,
        );
        // a process that has ended is not dumped: its number may be another's by now
        check(&[], &leaking, 181, false);
        // one at a time
        check(&[entry(0, "1.4.0", "pod-0", None)], &leaking, 0, false);
        // a version that has just had one
        let confirmed = Some("leak_confirmed");
        check(&[entry(5, "1.5.0", "pod-0", confirmed)], &leaking, 0, false);
        check(&[entry(7, "1.5.0", "pod-0", confirmed)], &leaking, 0, true);
        check(&[entry(5, "1.4.0", "pod-0", confirmed)], &leaking, 0, true);
        // the same process leaks on
        check(
            &[entry(70, "1.5.0", "pod-1", confirmed)],
            &leaking,
            0,
            false,
        );
        // came to nothing, or was cut short
        check(
            &[entry(5, "1.5.0", "pod-1", Some("no_leak"))],
            &suspected,
            0,
            false,
        );
        check(
            &[entry(5, "1.5.0", "pod-1", Some("no_leak"))],
            &leaking,
            0,
            true,
        );
        check(
            &[entry(5, "1.5.0", "pod-1", Some(INTERRUPTED))],
            &suspected,
            0,
            true,
        );
    }
}
