//! Documents as one self-contained HTML file: no script, no external asset, light and dark.

use super::{Block, Document, Table, Tone};
use crate::prose::{Inline, Prose, visible};

const STYLE: &str = include_str!("style.css");

/// The document as HTML.
pub(crate) fn write(document: &Document) -> String {
    let mut body = String::new();
    write_header(&mut body, document);
    let mut in_section = false;
    for block in &document.blocks {
        if let Block::Section(title) = block {
            if in_section {
                body += "</section>\n";
            }
            let anchor = title.to_lowercase().replace(' ', "-");
            body += &format!("<section id=\"{anchor}\">\n<h2>{}</h2>\n", escape(title));
            in_section = true;
        } else {
            write_block(&mut body, block);
        }
    }
    if in_section {
        body += "</section>\n";
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(&document.title)
    )
}

const fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "bad",
        Tone::Warning => "warning",
        Tone::Good => "good",
        Tone::Neutral => "neutral",
    }
}

fn write_header(out: &mut String, document: &Document) {
    *out += "<header>\n";
    if let Some((tone, badge)) = &document.badge {
        *out += &format!(
            "<p class=\"badge {}\">{}</p>\n",
            tone_class(*tone),
            escape(badge)
        );
    }
    *out += &format!("<h1>{}</h1>\n", breakable(&document.title));
    if !document.subtitle.is_empty() {
        *out += &format!("<p class=\"subtitle\">{}</p>\n", prose(&document.subtitle));
    }
    *out += "</header>\n";
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Section(_) => {}
        Block::Subsection(title) => *out += &format!("<h3>{}</h3>\n", breakable(title)),
        Block::Lead(text) => *out += &format!("<p class=\"lead\">{}</p>\n", prose(text)),
        Block::Paragraph(text) => *out += &format!("<p>{}</p>\n", prose(text)),
        Block::Bullets(items) => write_list(out, "ul", items),
        Block::Steps(items) => write_list(out, "ol", items),
        Block::Table(table) => write_table(out, table),
        Block::Code { text, .. } => {
            let lines: Vec<String> = text.lines().map(escape).collect();
            *out += &format!("<pre><code>{}</code></pre>\n", lines.join("\n"));
        }
        Block::Figures(figures) => {
            *out += "<dl class=\"figures\">\n";
            for figure in figures {
                *out += &format!(
                    "<div><dt>{}</dt><dd>{}<small>{}</small></dd></div>\n",
                    escape(figure.label),
                    breakable(&figure.value),
                    breakable(&figure.note),
                );
            }
            *out += "</dl>\n";
        }
        Block::Picture { svg, .. } => *out += &format!("<figure>\n{svg}</figure>\n"),
        Block::Moments(moments) => {
            *out += "<ol class=\"moments\">\n";
            for moment in moments {
                *out += &format!(
                    "<li class=\"{}\"><time>{}</time><span>{}</span></li>\n",
                    tone_class(moment.tone),
                    escape(&moment.at),
                    prose(&moment.text),
                );
            }
            *out += "</ol>\n";
        }
        Block::Evidence(items) => {
            *out += "<ol class=\"evidence\">\n";
            for item in items {
                *out += &format!(
                    "<li id=\"e{0}\" value=\"{0}\">{1}",
                    item.number,
                    prose(&item.claim)
                );
                if !item.sources.is_empty() {
                    *out += "<dl>";
                    for (kind, source) in &item.sources {
                        *out += &format!(
                            "<dt>{}</dt><dd><code>{}</code></dd>",
                            escape(kind),
                            breakable(source)
                        );
                    }
                    *out += "</dl>";
                }
                *out += "</li>\n";
            }
            *out += "</ol>\n";
        }
    }
}

fn write_list(out: &mut String, tag: &str, items: &[Prose]) {
    *out += &format!("<{tag}>\n");
    for item in items {
        *out += &format!("<li>{}</li>\n", prose(item));
    }
    *out += &format!("</{tag}>\n");
}

fn write_table(out: &mut String, table: &Table) {
    let class = |numeric: bool| if numeric { " class=\"number\"" } else { "" };
    *out += "<div class=\"table\"><table>\n<thead><tr>";
    for column in &table.columns {
        *out += &format!(
            "<th scope=\"col\"{}>{}</th>",
            class(column.numeric),
            escape(column.title)
        );
    }
    *out += "</tr></thead>\n<tbody>\n";
    for row in &table.rows {
        *out += "<tr>";
        for (column, cell) in table.columns.iter().zip(row) {
            *out += &format!("<td{}>{}</td>", class(column.numeric), prose(cell));
        }
        *out += "</tr>\n";
    }
    *out += "</tbody>\n</table></div>\n";
}

fn prose(prose: &Prose) -> String {
    let written = prose.inlines().iter().map(|inline| match inline {
        Inline::Text(text) => escape(text),
        Inline::Strong(text) => format!("<strong>{}</strong>", escape(text)),
        Inline::Code(name) => format!("<code>{}</code>", breakable(name)),
        Inline::Cite(number) => {
            format!("<a class=\"cite\" href=\"#e{number}\" aria-label=\"evidence {number}\">{number}</a>")
        }
    });
    written.collect()
}

/// Text with nothing in it that HTML could take for markup, in elements and in attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// Escaped, with places to break long names at: after dots, `$` and commas inside words.
fn breakable(text: &str) -> String {
    const LONG: usize = 32;
    if text.split(' ').all(|word| word.len() < LONG) {
        return escape(text);
    }
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(['.', '$', ',', '/', '→']) {
        out.push_str(&escape(part));
        if part.ends_with(['.', '$', ',', '/', '→']) && part.len() > 3 {
            out.push_str("<wbr>");
        }
    }
    out
}
