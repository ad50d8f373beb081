//! Sentences with a little markup, built rather than parsed: names come from hostile input.

use std::fmt;

/// A run of text: plain words, names set as code, and references to numbered evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prose(Vec<Inline>);

/// A piece of [`Prose`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inline {
    Text(String),
    Strong(String),
    Code(String),
    /// Number of an evidence item.
    Cite(usize),
}

impl Prose {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With plain text.
    #[must_use]
    pub fn text(mut self, text: impl AsRef<str>) -> Self {
        let text = visible(text.as_ref());
        match self.0.last_mut() {
            Some(Inline::Text(last)) => last.push_str(&text),
            _ => self.0.push(Inline::Text(text)),
        }
        self
    }

    /// With a name, set as code.
    #[must_use]
    pub fn code(mut self, name: impl AsRef<str>) -> Self {
        self.0.push(Inline::Code(visible(name.as_ref())));
        self
    }

    /// With text that stands out.
    #[must_use]
    pub fn strong(mut self, text: impl AsRef<str>) -> Self {
        self.0.push(Inline::Strong(visible(text.as_ref())));
        self
    }

    /// With references to evidence.
    #[must_use]
    pub fn cite(mut self, numbers: &[usize]) -> Self {
        for &number in numbers {
            self = self.text(" ");
            self.0.push(Inline::Cite(number));
        }
        self
    }

    /// With other prose.
    #[must_use]
    pub fn then(mut self, other: Prose) -> Self {
        for inline in other.0 {
            match inline {
                Inline::Text(text) => self = self.text(text),
                other => self.0.push(other),
            }
        }
        self
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn inlines(&self) -> &[Inline] {
        &self.0
    }
}

impl From<&str> for Prose {
    fn from(text: &str) -> Self {
        Prose::new().text(text)
    }
}

impl From<String> for Prose {
    fn from(text: String) -> Self {
        Prose::new().text(text)
    }
}

/// The words alone, evidence as `[3]`.
impl fmt::Display for Prose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for inline in &self.0 {
            match inline {
                Inline::Text(text) | Inline::Strong(text) | Inline::Code(text) => {
                    f.write_str(text)?
                }
                Inline::Cite(number) => write!(f, "[{number}]")?,
            }
        }
        Ok(())
    }
}

/// Control characters made visible, so that no name can steer a terminal or break a line; marks
/// that reorder text likewise.
pub(crate) fn visible(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if !text.contains(hidden) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// With a final full stop; for text that begins with a name, whose case must stay.
pub(crate) fn ended(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// With a capital and a final full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut characters = text.trim_end().chars();
    let first: String = characters
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    ended(&(first + characters.as_str()))
}
