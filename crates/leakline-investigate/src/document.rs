//! A report as blocks, so that each report is laid out once and written in every form.

mod html;
mod markdown;
mod text;

pub(crate) use html::{escape, write as html};
pub(crate) use markdown::write as markdown;
pub(crate) use text::write as text;

use crate::prose::Prose;

/// A whole report.
#[derive(Default)]
pub(crate) struct Document {
    pub(crate) title: String,
    /// A short word on the outcome, shown beside the title.
    pub(crate) badge: Option<(Tone, String)>,
    /// One line under the title: what, when.
    pub(crate) subtitle: Prose,
    pub(crate) blocks: Vec<Block>,
}

/// Whether something is bad.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Bad,
    Warning,
    Good,
    Neutral,
}

pub(crate) enum Block {
    /// A section begins.
    Section(&'static str),
    /// A smaller heading inside a section.
    Subsection(String),
    /// The paragraph to read if only one is read.
    Lead(Prose),
    Paragraph(Prose),
    Bullets(Vec<Prose>),
    Steps(Vec<Prose>),
    Table(Table),
    /// Program text, or a drawing in characters.
    Code {
        language: &'static str,
        text: String,
    },
    /// A few numbers to see at once.
    Figures(Vec<Figure>),
    /// An SVG drawing, and in words what it shows.
    Picture {
        svg: String,
        words: String,
    },
    /// Moments in order.
    Moments(Vec<Moment>),
    /// Numbered items that citations point to.
    Evidence(Vec<EvidenceBlock>),
}

pub(crate) struct Figure {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    pub(crate) note: String,
}

pub(crate) struct Moment {
    pub(crate) at: String,
    pub(crate) tone: Tone,
    pub(crate) text: Prose,
}

pub(crate) struct EvidenceBlock {
    pub(crate) number: usize,
    pub(crate) claim: Prose,
    /// What kind of source, and where: `query`, `jvm_memory_used_bytes{…}`.
    pub(crate) sources: Vec<(&'static str, String)>,
}

#[derive(Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Prose>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) numeric: bool,
}

impl Table {
    /// Columns whose title begins with `#` are numbers, set flush right.
    pub(crate) fn new(titles: &[&'static str]) -> Self {
        let columns = titles.iter().map(|title| match title.strip_prefix('#') {
            Some(title) => Column {
                title,
                numeric: true,
            },
            None => Column {
                title,
                numeric: false,
            },
        });
        Table {
            columns: columns.collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Prose>) {
        self.rows.push(cells.into_iter().collect());
    }
}
