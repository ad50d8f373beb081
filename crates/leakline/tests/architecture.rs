//! The shape of the workspace, held against what `ARCHITECTURE.md` says of it: dependencies point
//! down the tiers, crates below the edges do no I/O, and every crate is on the map.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The tiers, lowest first. A crate may depend on crates of lower tiers, and inside the product
/// and edge tiers on crates that stand before it in the list.
const TIERS: &[(&str, &[&str])] = &[
    ("vocabulary", &["leakline-model"]),
    ("formats", &["leakline-otlp", "leakline-hprof"]),
    (
        "engines",
        &["leakline-heap", "leakline-store", "leakline-detect"],
    ),
    ("product", &["leakline-correlate", "leakline-investigate"]),
    (
        "edges",
        &["leakline-capture", "leakline-server", "leakline"],
    ),
];

/// Crates that may touch files, sockets, processes and clocks.
const WITH_IO: &[&str] = &[
    "leakline-store",
    "leakline-capture",
    "leakline-server",
    "leakline",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Workspace crates and the workspace crates that each depends on outside tests.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    direct_dependencies(|name| name.starts_with("leakline"))
}

/// Workspace crates and what each of them names as dependency outside tests, as far as `wanted`.
fn direct_dependencies(wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let inside = dependencies
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .filter(|name| wanted(name));
            (text(&package["name"]), inside.collect())
        })
        .collect()
}

/// Tier and place inside the tier.
fn rank(name: &str) -> Option<(usize, usize)> {
    TIERS.iter().enumerate().find_map(|(tier, (_, crates))| {
        crates
            .iter()
            .position(|member| *member == name)
            .map(|place| (tier, place))
    })
}

fn upward_edges(dependencies: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, targets) in dependencies {
        for to in targets {
            let (Some(from_rank), Some(to_rank)) = (rank(from), rank(to)) else {
                wrong.push(format!("{from} -> {to}: not in a tier"));
                continue;
            };
            let may_depend_sideways = from_rank.0 >= 3;
            if to_rank.0 > from_rank.0
                || (to_rank.0 == from_rank.0 && (!may_depend_sideways || to_rank.1 >= from_rank.1))
            {
                wrong.push(format!("{from} -> {to}: points up or sideways"));
            }
        }
    }
    wrong
}

#[test]
fn dependencies_point_down_the_tiers() {
    assert_eq!(upward_edges(&dependencies()), Vec::<String>::new());
}

#[test]
fn an_upward_edge_would_be_found() {
    let invented = BTreeMap::from([
        (
            "leakline-hprof".to_owned(),
            vec!["leakline-heap".to_owned()],
        ),
        (
            "leakline-heap".to_owned(),
            vec!["leakline-store".to_owned()],
        ),
        (
            "leakline-server".to_owned(),
            vec!["leakline-capture".to_owned()],
        ),
    ]);
    assert_eq!(
        upward_edges(&invented),
        [
            "leakline-heap -> leakline-store: points up or sideways",
            "leakline-hprof -> leakline-heap: points up or sideways",
        ]
    );
}

#[test]
fn crates_below_the_edges_do_no_io() {
    for (_, crates) in TIERS {
        for name in *crates {
            let main = if *name == "leakline" {
                "main.rs"
            } else {
                "lib.rs"
            };
            let path = root().join("crates").join(name).join("src").join(main);
            let source = std::fs::read_to_string(&path).unwrap();
            let guarded = source.contains("#![deny(clippy::disallowed_methods)]");
            assert_eq!(guarded, !WITH_IO.contains(name), "{}", path.display());
        }
    }
}

#[test]
fn network_and_async_stop_at_the_edges() {
    // what each crate asks for itself; features that others turn on do not count
    let edges = TIERS.last().unwrap().1;
    for (name, dependencies) in direct_dependencies(|_| true) {
        let wrong: Vec<_> = dependencies
            .iter()
            .filter(|dependency| {
                ["tokio", "axum", "tonic", "hyper", "ureq"].contains(&dependency.as_str())
            })
            .collect();
        assert!(
            wrong.is_empty() || edges.contains(&name.as_str()),
            "{name} uses {wrong:?}"
        );
    }
}

#[test]
fn the_map_names_every_crate() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for name in dependencies().keys() {
        assert!(
            map.contains(&format!("`{name}`")),
            "ARCHITECTURE.md does not mention {name}"
        );
    }
}
