//! The forms that every report comes in.

use crate::document::{self, Document};

/// In which form a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// For a terminal, 100 columns wide.
    Text,
    /// Markdown.
    Markdown,
    /// One self-contained HTML file.
    Html,
    /// JSON with a versioned schema.
    Json,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 4] = [Form::Text, Form::Markdown, Form::Html, Form::Json];

    /// The name under which a report in this form is kept: `report.html`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Form::Text => "report.txt",
            Form::Markdown => "report.md",
            Form::Html => "report.html",
            Form::Json => "report.json",
        }
    }

    /// Writes what people read from the document, and JSON by itself: it has all, and not only
    /// what fits on a page.
    pub(crate) fn write(
        self,
        document: impl FnOnce() -> Document,
        json: impl FnOnce() -> String,
    ) -> String {
        match self {
            Form::Text => document::text(&document()),
            Form::Markdown => document::markdown(&document()),
            Form::Html => document::html(&document()),
            Form::Json => json(),
        }
    }
}
