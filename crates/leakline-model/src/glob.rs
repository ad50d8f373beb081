//! Patterns over names, as people type them.

use std::fmt;

/// A pattern over whole names: `*` stands for any characters (dots included), `?` for one; all
/// others, brackets and dollar signs too, stand for themselves, so that `byte[]` and
/// `com.acme.Order$*` mean what they look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pattern: String,
}

impl Glob {
    /// The pattern with this text. Every text is a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Glob {
            pattern: pattern.into(),
        }
    }

    /// The pattern as it was typed.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Whether the pattern stands for this one name only.
    pub fn is_literal(&self) -> bool {
        !self.pattern.contains(['*', '?'])
    }

    /// Whether the whole name matches. Takes time of at most pattern times name.
    pub fn matches(&self, name: &str) -> bool {
        let (mut pattern, mut name) = (self.pattern.as_str(), name);
        // what to go back to when the last `*` took too little: behind it, and what it left
        let mut star: Option<(&str, &str)> = None;
        loop {
            let mut pattern_rest = pattern.chars();
            let mut name_rest = name.chars();
            match (pattern_rest.next(), name_rest.next()) {
                (Some('*'), _) => {
                    pattern = pattern_rest.as_str();
                    star = Some((pattern, name));
                    continue;
                }
                (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                    (pattern, name) = (pattern_rest.as_str(), name_rest.as_str());
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((behind, left)) = star else {
                return false;
            };
            let mut left = left.chars();
            if left.next().is_none() {
                return false;
            }
            (pattern, name) = (behind, left.as_str());
            star = Some((behind, name));
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(
                Glob::new(pattern).matches(name),
                expected,
                "{pattern} {name}"
            );
        };
        check("com.acme.Order", "com.acme.Order", true);
        check("com.acme.Order", "com.acme.Order2", false);
        check("com.acme.*", "com.acme.orders.Order", true);
        check("com.acme.*", "com.acme", false);
        check("*.Order", "com.acme.Order", true);
        check("*.Order", "com.acme.Order[]", false);
        check("*Or*r*", "com.acme.Order", true);
        check("byte[]", "byte[]", true);
        check("*[]", "byte[]", true);
        check("?[]", "é[]", true);
        check("com.acme.Order$*", "com.acme.Order$Line", true);
        check("", "", true);
        check("", "a", false);
        check("*", "", true);
        check("**a*b", "xxaxxbxxb", true);
        check("*a*b", "xxaxxbxx", false);
        // exponential in a matcher that tries everything
        check(&"*a".repeat(40), &"a".repeat(39), false);
    }
}
