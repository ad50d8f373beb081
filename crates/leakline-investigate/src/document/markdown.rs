//! Documents as CommonMark with GitHub's tables.

use super::{Block, Document, Table};
use crate::prose::{Inline, Prose, visible};

/// The document as Markdown.
pub(crate) fn write(document: &Document) -> String {
    let mut out = format!("# {}\n", escape(&document.title));
    if let Some((_, badge)) = &document.badge {
        out += &format!("\n**{}**", escape(badge));
        if !document.subtitle.is_empty() {
            out += &format!(" · {}", prose(&document.subtitle));
        }
        out.push('\n');
    } else if !document.subtitle.is_empty() {
        out += &format!("\n{}\n", prose(&document.subtitle));
    }
    for block in &document.blocks {
        write_block(&mut out, block);
    }
    out
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Section(title) => *out += &format!("\n## {title}\n"),
        Block::Subsection(title) => *out += &format!("\n### {}\n", escape(title)),
        Block::Lead(text) | Block::Paragraph(text) => *out += &format!("\n{}\n", prose(text)),
        Block::Bullets(items) => {
            out.push('\n');
            for item in items {
                *out += &format!("- {}\n", prose(item));
            }
        }
        Block::Steps(items) => {
            out.push('\n');
            for (i, item) in items.iter().enumerate() {
                *out += &format!("{}. {}\n", i + 1, prose(item));
            }
        }
        Block::Table(table) => write_table(out, table),
        Block::Code { language, text } => {
            let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
            let lines: Vec<String> = text.lines().map(visible).collect();
            *out += &format!("\n{fence}{language}\n{}\n{fence}\n", lines.join("\n"));
        }
        Block::Figures(figures) => {
            out.push('\n');
            for figure in figures {
                let note = match figure.note.as_str() {
                    "" => String::new(),
                    note => format!(" ({})", escape(note)),
                };
                *out += &format!("- {}: **{}**{note}\n", figure.label, escape(&figure.value));
            }
        }
        Block::Picture { words, .. } => *out += &format!("\n*{}*\n", escape(words)),
        Block::Moments(moments) => {
            *out += "\n| time | |\n|---|---|\n";
            for moment in moments {
                *out += &format!("| {} | {} |\n", escape(&moment.at), prose(&moment.text));
            }
        }
        Block::Evidence(items) => {
            out.push('\n');
            for item in items {
                *out += &format!("{}. {}\n", item.number, prose(&item.claim));
                for (kind, source) in &item.sources {
                    *out += &format!("   - {kind}: {}\n", code(source));
                }
            }
        }
    }
}

fn write_table(out: &mut String, table: &Table) {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push('\n');
    *out += &line(table.columns.iter().map(|c| c.title.to_owned()).collect());
    let rule = |numeric: bool| if numeric { "--:" } else { "---" };
    let rules: Vec<&str> = table.columns.iter().map(|c| rule(c.numeric)).collect();
    *out += &format!("|{}|\n", rules.join("|"));
    for row in &table.rows {
        *out += &line(row.iter().map(prose).collect());
    }
}

fn prose(prose: &Prose) -> String {
    let written = prose.inlines().iter().map(|inline| match inline {
        Inline::Text(text) => escape(text),
        Inline::Strong(text) => format!("**{}**", escape(text)),
        Inline::Code(name) => code(name),
        Inline::Cite(number) => format!("\\[{number}\\]"),
    });
    written.collect()
}

/// With everything escaped that Markdown or the HTML inside it could take for markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// A code span, fenced by more backticks than the text has in a row.
fn code(text: &str) -> String {
    // inside a table even a code span must escape the bar
    let text = visible(text).replace('|', "\\|");
    let run = longest_run(&text, '`');
    if run == 0 {
        return format!("`{text}`");
    }
    let fence = "`".repeat(run + 1);
    format!("{fence} {text} {fence}")
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
