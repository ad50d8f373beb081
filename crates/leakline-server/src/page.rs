//! The start page: which services leak, and which investigations there are.
//!
//! Plain HTML without scripts; it reloads itself. The place where people work comes later.

use std::fmt::Write;
use std::time::Duration;

use leakline_detect::{Assessment, ServiceVerdict, Verdict};
use leakline_model::{ByteSize, SignedByteSize, duration_text};

use crate::archive::InvestigationEntry;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5f6b76;--line:#dde1e6;--paper:#fff;--bad:#b3261e;--warn:#8a5a00;--good:#1d6b36}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b1;--line:#333a41;--paper:#14171a;--bad:#ff8a80;--warn:#ffc36b;--good:#7bd88f}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:62rem;margin:2.5rem auto;padding:0 1.25rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .5rem}p.sub{color:var(--soft);margin:.2rem 0 0}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.45rem .9rem .45rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
th{font-weight:600;color:var(--soft);font-size:.85rem}.leaking{color:var(--bad);font-weight:600}.suspected{color:var(--warn);font-weight:600}\
.healthy{color:var(--good)}.insufficient_data{color:var(--soft)}code{font:.9em ui-monospace,monospace}a{color:inherit}";

/// The page for these verdicts and investigations.
pub(crate) fn start(services: &[ServiceVerdict], investigations: &[InvestigationEntry]) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <meta http-equiv=refresh content=10><title>Leakline</title><style>{STYLE}</style>\
         <h1>Leakline</h1><p class=sub>Memory leaks in the services that send their telemetry here.</p>"
    );
    page += "<h2>Services</h2>";
    if services.is_empty() {
        page += "<p>Nothing has arrived yet. Point an OpenTelemetry SDK here, for example with \
                 <code>OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318</code>.</p>";
    } else {
        page += "<table><tr><th>Service<th>Verdict<th>Growth<th>Out of memory<th>Why</tr>";
        services
            .iter()
            .for_each(|service| page += &service_row(service));
        page += "</table>";
    }
    page += "<h2>Investigations</h2>";
    if investigations.is_empty() {
        page += "<p>None yet. One opens by itself when a service is suspected to leak.</p>";
    } else {
        page += "<table><tr><th>Opened<th>Service<th>Result<th>Report</tr>";
        investigations
            .iter()
            .for_each(|entry| page += &investigation_row(entry));
        page += "</table>";
    }
    page
}

fn service_row(service: &ServiceVerdict) -> String {
    let worst = service
        .processes
        .iter()
        .max_by_key(|process| process.verdict);
    let verdict = service.verdict.as_str();
    let why = worst
        .and_then(|process| process.evidence.first())
        .map_or("", |evidence| &evidence.text);
    format!(
        "<tr><td>{}<td class={verdict}>{}<td>{}<td>{}<td>{}</tr>",
        escape(&service.service),
        verdict.replace('_', " "),
        worst.map_or(String::new(), growth),
        worst.map_or(String::new(), out_of_memory),
        escape(why),
    )
}

fn growth(process: &Assessment) -> String {
    if process.verdict < Verdict::Suspected {
        return String::new();
    }
    let growth = SignedByteSize(process.growth_bytes_per_hour as i64);
    match process.limit_bytes {
        Some(limit) => format!("{growth}/h of {}", ByteSize(limit)),
        None => format!("{growth}/h"),
    }
}

fn out_of_memory(process: &Assessment) -> String {
    process
        .eta
        .filter(|_| process.verdict >= Verdict::Suspected)
        .map_or(String::new(), |eta| {
            let left = eta.p50.duration_since(process.at);
            if left == Duration::ZERO {
                "now".to_owned()
            } else {
                format!("in {}", duration_text(left))
            }
        })
}

fn investigation_row(entry: &InvestigationEntry) -> String {
    let mut report = String::new();
    if entry.finished.is_some() {
        let base = format!("/api/leakline/v1/investigations/{}", escape(&entry.id));
        // writing to a String cannot fail
        let _ = write!(
            report,
            "<a href=\"{base}?format=html\">report</a> · <a href=\"{base}?format=markdown\">Markdown</a> · \
             <a href=\"{base}?format=json\">JSON</a>"
        );
    }
    format!(
        "<tr><td>{}<td>{}<td>{}<td>{report}</tr>",
        escape(&entry.opened),
        escape(&entry.service),
        escape(&entry.headline),
    )
}

/// Names come from whoever sends telemetry: nothing of theirs may become markup.
fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut escaped, c| {
            match c {
                '&' => escaped += "&amp;",
                '<' => escaped += "&lt;",
                '>' => escaped += "&gt;",
                '"' => escaped += "&quot;",
                '\'' => escaped += "&#39;",
                c => escaped.push(c),
            }
            escaped
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        let hostile = ServiceVerdict {
            service: "<script>alert('x')</script>".to_owned(),
            verdict: Verdict::Healthy,
            processes: Vec::new(),
        };
        let page = start(&[hostile], &[]);
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(!page.contains("<script"));
    }
}
