//! Which versions of a service started, as far as a report on one process is concerned.

use std::collections::BTreeMap;
use std::time::Duration;

use leakline_detect::Detector;
use leakline_model::storage::ResourceSighting;
use leakline_model::{ProcessKey, Timestamp};

use crate::case::Deploy;

/// Processes may overlap this much when one replaces the other: a rolling deploy.
const OVERLAP: Duration = Duration::from_secs(120);

/// The versions that matter to `process`, one entry each, by first start: its own, the one
/// before, and those that started while it ran. `sightings` are of its service; a service has had
/// hundreds of instances in the time that a store remembers, and few of them matter.
pub(super) fn versions(
    detector: &Detector,
    sightings: &[ResourceSighting],
    process: &ProcessKey,
    now: Timestamp,
) -> Vec<Deploy> {
    let Some(own) = sighting_of(sightings, process) else {
        return Vec::new();
    };
    let mut by_version: BTreeMap<&str, Vec<&ResourceSighting>> = BTreeMap::new();
    for sighting in sightings {
        let version = sighting.resource.version();
        by_version.entry(version).or_default().push(sighting);
    }
    let before = sightings
        .iter()
        .filter(|other| other.resource.version() != process.version)
        .filter(|other| other.first_seen < own.first_seen)
        .max_by_key(|other| other.first_seen)
        .map(|other| other.resource.version());
    let mut versions: Vec<Deploy> = by_version
        .into_iter()
        .filter_map(|(version, sightings)| {
            let started = sightings.iter().map(|sighting| sighting.first_seen).min()?;
            let while_it_ran = own.first_seen <= started && started <= now;
            // of its own version and of later ones what ran beside it, of the one before what it
            // replaced
            let alive: Vec<&ResourceSighting> = if Some(version) == before {
                let last = sightings.iter().map(|sighting| sighting.last_seen).max()?;
                let replaced = last.min(own.first_seen);
                sightings
                    .into_iter()
                    .filter(|other| other.first_seen <= replaced)
                    .filter(|other| other.last_seen + OVERLAP >= replaced)
                    .collect()
            } else if version == process.version || while_it_ran {
                sightings
                    .into_iter()
                    .filter(|other| other.last_seen >= own.first_seen)
                    .collect()
            } else {
                return None;
            };
            Some(deploy(detector, version, started, &alive))
        })
        .collect();
    versions.sort_by(|a, b| (a.at, &a.version).cmp(&(b.at, &b.version)));
    versions
}

fn deploy(
    detector: &Detector,
    version: &str,
    at: Timestamp,
    instances: &[&ResourceSighting],
) -> Deploy {
    let mut keys: Vec<ProcessKey> = instances
        .iter()
        .map(|sighting| ProcessKey::of_resource(&sighting.resource))
        .collect();
    keys.sort_by(|a, b| a.instance.cmp(&b.instance));
    keys.dedup();
    Deploy {
        at,
        version: version.to_owned(),
        instance: match keys.as_slice() {
            [only] => only.instance.clone(),
            _ => String::new(),
        },
        instances: keys.len(),
        // a version is as healthy as the worst of its instances
        judged: keys
            .iter()
            .filter_map(|key| detector.assessment(key))
            .max_by_key(|assessment| assessment.verdict)
            .cloned(),
    }
}

/// The process that `process` replaced: of those that ended by the time it ran, the last.
pub(super) fn predecessor(
    sightings: &[ResourceSighting],
    process: &ProcessKey,
) -> Option<ProcessKey> {
    let key = |sighting: &ResourceSighting| ProcessKey::of_resource(&sighting.resource);
    let own = sighting_of(sightings, process)?;
    sightings
        .iter()
        .filter(|other| key(other) != *process && other.first_seen < own.first_seen)
        .filter(|other| other.last_seen <= own.first_seen + OVERLAP)
        .max_by_key(|other| other.last_seen)
        .map(key)
}

fn sighting_of<'s>(
    sightings: &'s [ResourceSighting],
    process: &ProcessKey,
) -> Option<&'s ResourceSighting> {
    sightings
        .iter()
        .find(|sighting| ProcessKey::of_resource(&sighting.resource) == *process)
}
