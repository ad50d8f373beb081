//! Documents for a terminal: plain text, 100 columns, no escape sequences.

use super::{Block, Column, Document, Table};
use crate::prose::{Prose, visible};

const WIDTH: usize = 100;
/// A table column is cut to this width, but for the last.
const MAX_COLUMN: usize = 56;

/// The document as plain text.
pub(crate) fn write(document: &Document) -> String {
    let mut out = String::new();
    out.push_str(&visible(&document.title));
    if let Some((_, badge)) = &document.badge {
        out += &format!("  [{}]", visible(badge));
    }
    out.push('\n');
    if !document.subtitle.is_empty() {
        wrap(&mut out, &document.subtitle.to_string(), "", "");
    }
    for block in &document.blocks {
        write_block(&mut out, block);
    }
    out
}

fn write_block(out: &mut String, block: &Block) {
    if !matches!(block, Block::Picture { .. }) {
        out.push('\n');
    }
    match block {
        Block::Section(title) => {
            *out += &format!("{}\n{}\n", title.to_uppercase(), "─".repeat(WIDTH));
            // the blank line before the next block would part the heading from its text
            out.pop();
        }
        Block::Subsection(title) => {
            *out += &visible(title);
            out.push('\n');
        }
        Block::Lead(prose) | Block::Paragraph(prose) => wrap(out, &prose.to_string(), "", ""),
        Block::Bullets(items) => {
            for item in items {
                wrap(out, &item.to_string(), "  • ", "    ");
            }
        }
        Block::Steps(items) => {
            for (i, item) in items.iter().enumerate() {
                wrap(out, &item.to_string(), &format!("{:>3}. ", i + 1), "     ");
            }
        }
        Block::Table(table) => write_table(out, table),
        Block::Code { text, .. } => {
            for line in text.lines() {
                *out += format!("    {}", visible(line)).trim_end();
                out.push('\n');
            }
        }
        Block::Figures(figures) => {
            let width = figures.iter().map(|f| f.label.len()).max().unwrap_or(0);
            for figure in figures {
                let note = match figure.note.as_str() {
                    "" => String::new(),
                    note => format!(" ({note})"),
                };
                let first = format!("  {:width$}  ", figure.label);
                let text = format!("{}{note}", figure.value);
                wrap(out, &visible(&text), &first, &" ".repeat(width + 4));
            }
        }
        Block::Picture { .. } => {}
        Block::Moments(moments) => {
            let width = moments
                .iter()
                .map(|m| m.at.chars().count())
                .max()
                .unwrap_or(0);
            for moment in moments {
                let first = format!("  {:width$}  ", moment.at);
                wrap(
                    out,
                    &moment.text.to_string(),
                    &first,
                    &" ".repeat(width + 4),
                );
            }
        }
        Block::Evidence(items) => {
            for item in items {
                wrap(
                    out,
                    &item.claim.to_string(),
                    &format!("{:>4} ", format!("[{}]", item.number)),
                    "     ",
                );
                for (kind, source) in &item.sources {
                    wrap(out, &visible(source), &format!("     {kind}: "), "       ");
                }
            }
        }
    }
}

/// Appends `text`, broken at spaces so that no line is wider than the page if that can be.
fn wrap(out: &mut String, text: &str, first: &str, rest: &str) {
    let mut line = first.to_owned();
    let mut width = first.chars().count();
    let mut fresh = true;
    for word in words(text) {
        let length = word.chars().count();
        if !fresh && width + 1 + length > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            rest.clone_into(&mut line);
            width = rest.chars().count();
            fresh = true;
        }
        if !fresh {
            line.push(' ');
            width += 1;
        }
        line.push_str(&word);
        width += length;
        fresh = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// The words of `text`; a number and its unit stay together.
fn words(text: &str) -> Vec<String> {
    const UNITS: [&str; 13] = [
        "%", "B", "KiB", "MiB", "GiB", "TiB", "ms", "s", "min", "h", "d", "UTC", "a",
    ];
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let unit = word.trim_end_matches([',', '.', ';', ':', ')', '?']);
        match words.last_mut() {
            Some(last) if last.ends_with(|c: char| c.is_ascii_digit()) && UNITS.contains(&unit) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn write_table(out: &mut String, table: &Table) {
    let cells: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| row.iter().map(Prose::to_string).collect())
        .collect();
    let widths: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .map(|(i, column)| {
            cells
                .iter()
                .filter_map(|row| row.get(i))
                .map(|cell| cell.chars().count())
                .chain([column.title.chars().count()])
                .max()
                .unwrap_or(0)
                .min(MAX_COLUMN)
        })
        .collect();
    let titles: Vec<String> = table.columns.iter().map(|c| c.title.to_owned()).collect();
    write_row(out, &table.columns, &widths, &titles);
    for row in &cells {
        write_row(out, &table.columns, &widths, row);
    }
}

fn write_row(out: &mut String, columns: &[Column], widths: &[usize], row: &[String]) {
    let mut line = String::from(" ");
    for (i, ((column, &width), cell)) in columns.iter().zip(widths).zip(row).enumerate() {
        if column.numeric {
            line += &format!(" {:>width$} ", shorten(cell, width));
        } else if i + 1 < columns.len() {
            line += &format!(" {:<width$} ", shorten(cell, width));
        } else {
            let rest = " ".repeat(line.chars().count() + 1);
            wrap(out, cell, &format!("{line} "), &rest);
            return;
        }
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// Cut in the middle, where class names tell the least.
fn shorten(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width || width < 5 {
        return text.to_owned();
    }
    let head = (width - 1) / 3;
    let tail = width - 1 - head;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{start}…{end}")
}
