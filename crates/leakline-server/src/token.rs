//! The token that protects a server which others can reach.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a request must carry; nothing when the server listens on loopback only.
#[derive(Clone, Debug)]
pub(crate) struct Token(Option<String>);

impl Token {
    /// An empty or blank token is none.
    pub(crate) fn new(token: Option<&str>) -> Self {
        Token(
            token
                .map(str::trim)
                .filter(|token| !token.is_empty())
                .map(str::to_owned),
        )
    }

    /// Whether requests must carry anything at all.
    pub(crate) fn protects(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a request with this `Authorization` header may pass: the token as bearer or, for
    /// browsers, as the password of basic authentication with any user name.
    pub(crate) fn admits(&self, header: Option<&[u8]>) -> bool {
        let Some(expected) = &self.0 else { return true };
        let Some(header) = header else { return false };
        if let Some(sent) = after_scheme(header, b"Bearer ") {
            return same_bytes(sent, expected.as_bytes());
        }
        let Some(sent) = after_scheme(header, b"Basic ") else {
            return false;
        };
        let Ok(decoded) = STANDARD.decode(sent) else {
            return false;
        };
        let mut parts = decoded.splitn(2, |byte| *byte == b':').skip(1);
        parts
            .next()
            .is_some_and(|password| same_bytes(password, expected.as_bytes()))
    }
}

fn after_scheme<'h>(header: &'h [u8], scheme: &[u8]) -> Option<&'h [u8]> {
    let (start, rest) = header.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Compares in a time that does not depend on where the first difference is.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |difference, (x, y)| difference | (x ^ y))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_token_passes() {
        let token = Token::new(Some("s3cret"));
        assert!(token.protects());
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text)).into_bytes();
        for right in [
            b"Bearer s3cret".to_vec(),
            b"bearer s3cret".to_vec(),
            basic("me:s3cret"),
        ] {
            assert!(
                token.admits(Some(&right)),
                "{}",
                String::from_utf8_lossy(&right)
            );
        }
        let wrong = [
            &b"Bearer s3cre"[..],
            b"Bearer s3cret ",
            b"Basic s3cret",
            b"Bearer",
            b"Bearer ",
            b"",
        ];
        let wrong = wrong.iter().map(|header| header.to_vec());
        for wrong in wrong.chain([basic("s3cret"), basic("s3cret:"), basic("me:s3cret:")]) {
            assert!(
                !token.admits(Some(&wrong)),
                "{}",
                String::from_utf8_lossy(&wrong)
            );
        }
        assert!(!token.admits(None));
    }

    #[test]
    fn an_empty_token_is_none() {
        for token in [None, Some(""), Some("  ")] {
            assert!(!Token::new(token).protects());
            assert!(Token::new(token).admits(None));
        }
    }
}
