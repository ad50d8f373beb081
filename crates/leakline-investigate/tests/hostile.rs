//! Names come from whoever wrote the dump or the telemetry. None may break out of its place.

mod common;

use common::{growth_rows, heap_report, leak_case, surroundings};
use leakline_investigate::{Form, InvestigationReport, build, heap_report as heap, render};

const HOSTILE: &str =
    "</code><script>alert('x\"')</script> \u{1b}[31m\u{202e}`]] | &amp; \r\n# Leak";

/// A report in which every name is hostile.
fn hostile_report() -> InvestigationReport {
    let mut case = leak_case();
    let name = || HOSTILE.to_owned();
    case.process.service = name();
    case.process.instance = name();
    case.process.version = name();
    for assessment in &mut case.assessments {
        for evidence in &mut assessment.evidence {
            evidence.text = name();
            evidence.query = name();
        }
    }
    for dump in &mut case.dumps {
        dump.name = name();
    }
    case.shortcomings.push(name());
    case.log.iter_mut().for_each(|entry| entry.text = name());
    if let Some(findings) = &mut case.heap {
        findings.report.dump.problems.push(name());
        for suspect in &mut findings.report.suspects {
            suspect.sentence = name();
            suspect.holder.class = name();
            suspect.holder.field = Some(name());
            suspect.holder.root = name();
            suspect.accumulates.class = name();
            suspect.counter_evidence = vec![name()];
            for step in &mut suspect.path {
                step.class = name();
                step.field = Some(name());
            }
        }
    }
    if let Some(traces) = &mut case.traces {
        traces.growth.class = name();
        traces.notes.push(name());
        for operation in &mut traces.attributions {
            operation.operation = name();
            operation.runs_inside = Some(name());
            operation.reasons.push(name());
            operation.doubts.push(name());
        }
    }
    let mut surroundings = surroundings(true);
    for deploy in &mut surroundings.deploys {
        deploy.version = name();
        deploy.instance = name();
    }
    build(&case, &surroundings)
}

/// The tags that are open at each point; panics where one closes that is not the last opened,
/// or where a bare `<`, `&` or quote stands in the wrong place.
fn assert_well_formed(html: &str) {
    const VOID: [&str; 3] = ["meta", "wbr", "br"];
    let html = html.strip_prefix("<!DOCTYPE html>").expect("doctype");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        assert_text(&rest[..start], open.last().copied());
        let end = start + rest[start..].find('>').expect("tag is closed");
        let tag = &rest[start + 1..end];
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap_or("");
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric()),
            "tag <{tag}>"
        );
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closing <{tag}>");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

fn assert_text(text: &str, inside: Option<&str>) {
    if inside == Some("style") {
        return;
    }
    assert!(!text.contains('>'), "bare > in {text:?}");
    for (i, _) in text.match_indices('&') {
        let known = ["&lt;", "&gt;", "&amp;", "&quot;", "&#39;"];
        assert!(
            known.iter().any(|entity| text[i..].starts_with(entity)),
            "bare & in {text:?}"
        );
    }
}

#[test]
fn html_is_well_formed_and_escaped() {
    let html = render(&hostile_report(), Form::Html);
    assert_well_formed(&html);
    assert!(!html.contains("<script"));
    assert_eq!(html.matches("<h1>").count(), 1);
    assert_well_formed(&render(
        &build(&leak_case(), &surroundings(true)),
        Form::Html,
    ));
    assert_well_formed(&heap::render(&heap_report(), &growth_rows(), Form::Html));
}

#[test]
fn html_needs_nothing_from_elsewhere() {
    let html = render(&build(&leak_case(), &surroundings(true)), Form::Html);
    for outside in ["src=", "url(http", "@import", "<script", "<link", "<img"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert_eq!(
        html.matches("http://").count(),
        1,
        "the SVG namespace alone"
    );
}

#[test]
fn text_cannot_steer_the_terminal() {
    let report = hostile_report();
    for text in [
        render(&report, Form::Text),
        render(&report, Form::Markdown),
        render(&report, Form::Html),
    ] {
        let steering = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(steering));
    }
    for line in render(&build(&leak_case(), &surroundings(true)), Form::Text).lines() {
        assert!(line.chars().count() <= 100 || !line.contains(' '), "{line}");
    }
}

#[test]
fn markdown_keeps_names_in_their_place() {
    let markdown = render(&hostile_report(), Form::Markdown);
    let headings: Vec<&str> = markdown
        .lines()
        .filter(|line| line.starts_with("# "))
        .collect();
    assert_eq!(headings.len(), 1);
    // every row of a table has as many bars as its rule
    let mut bars = None;
    for line in markdown.lines() {
        let unescaped = line.replace("\\|", "").matches('|').count();
        match bars {
            _ if !line.starts_with('|') => bars = None,
            None => bars = Some(unescaped),
            Some(bars) => assert_eq!(unescaped, bars, "{line}"),
        }
    }
}

#[test]
fn json_keeps_names_as_they_are() {
    let json: serde_json::Value =
        serde_json::from_str(&render(&hostile_report(), Form::Json)).unwrap();
    assert_eq!(json["schema"], "leakline.investigation/1");
    assert_eq!(json["process"]["service"], HOSTILE);
    assert_eq!(json["root_cause"]["holder"]["field"], HOSTILE);
}
