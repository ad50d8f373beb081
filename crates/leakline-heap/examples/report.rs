//! Prints what is found in heap dumps of one process, oldest first:
//! `cargo run --release -p leakline-heap --example report -- [--references-all] [--all-rows] DUMP…`

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example shows what it finds and reads files"
)]

use std::io::Read;

use leakline_heap::{AnalyzeOptions, HeapSummary, LoadOptions, References, analyze, load};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut references = References::Strong;
    let mut earlier: Vec<HeapSummary> = Vec::new();
    let mut rows = 6;
    for argument in std::env::args().skip(1) {
        if argument == "--references-all" {
            references = References::All;
            continue;
        }
        if argument == "--all-rows" {
            rows = usize::MAX;
            continue;
        }
        let file = std::fs::read(&argument)?;
        let mut bytes = Vec::new();
        if argument.ends_with(".gz") {
            flate2::read::MultiGzDecoder::new(&file[..]).read_to_end(&mut bytes)?;
        } else {
            bytes = file;
        }
        let started = std::time::Instant::now();
        let options = LoadOptions {
            references,
            ..LoadOptions::default()
        };
        let heap = load(&bytes, &options)?;
        let loaded = started.elapsed();
        let options = AnalyzeOptions {
            earlier: &earlier,
            ..AnalyzeOptions::default()
        };
        let analysis = analyze(&heap, &options);
        println!(
            "{argument}: loaded in {loaded:.2?}, all in {:.2?}",
            started.elapsed()
        );
        let report = &analysis.report;
        println!("  {:?}", report.dump);
        println!("  {:?}", report.totals);
        for suspect in &report.suspects {
            println!("* {} [{:.2}]", suspect.sentence, suspect.confidence);
            println!(
                "    {:?} by {:?}; {:?}",
                suspect.pattern, suspect.holder, suspect.accumulates
            );
            for evidence in &suspect.counter_evidence {
                println!("    but {evidence}");
            }
            if let Some(growth) = &suspect.growth {
                println!("    {growth:?}");
            }
            let path: Vec<String> = suspect
                .path
                .iter()
                .map(|step| {
                    let field = step.field.as_deref().unwrap_or("");
                    format!("{}.{field}", step.class)
                })
                .collect();
            println!("    {}", path.join(" → "));
        }
        for row in report.histogram.iter().take(rows) {
            println!("  {row:?}");
        }
        for row in report.dominators.iter().take(rows) {
            println!("  {row:x?}");
        }
        for row in report.threads.iter().take(rows) {
            println!("  {row:?}");
        }
        for row in &analysis.growth {
            println!("  + {row:?}");
        }
        earlier.push(analysis.summary);
    }
    Ok(())
}
