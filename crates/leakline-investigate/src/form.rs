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
