//! The bearer token that protects a server which others can reach.

/// What a request must carry; nothing when the server listens on loopback only.
#[derive(Clone, Debug)]
pub(crate) struct Token(Option<String>);

impl Token {
    pub(crate) fn new(token: Option<String>) -> Self {
        Token(token)
    }

    /// Whether a request with this `Authorization` header may pass.
    pub(crate) fn admits(&self, header: Option<&[u8]>) -> bool {
        let Some(expected) = &self.0 else { return true };
        let Some(header) = header else { return false };
        let Some((scheme, sent)) = header.split_at_checked(7) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"Bearer ") && same_bytes(sent, expected.as_bytes())
    }
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
        let token = Token::new(Some("s3cret".to_owned()));
        assert!(token.admits(Some(b"Bearer s3cret")));
        assert!(token.admits(Some(b"bearer s3cret")));
        for wrong in [
            &b"Bearer s3cre"[..],
            b"Bearer s3cret ",
            b"Basic s3cret",
            b"Bearer",
            b"",
        ] {
            assert!(
                !token.admits(Some(wrong)),
                "{}",
                String::from_utf8_lossy(wrong)
            );
        }
        assert!(!token.admits(None));
        assert!(Token::new(None).admits(None));
    }
}
