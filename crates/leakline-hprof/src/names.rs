//! Names as people write them.

use std::borrow::Cow;

/// Decodes the modified UTF-8 of class files and dumps (JVM specification 4.4.7): NUL is two
/// bytes, and characters outside the basic plane are two surrogates of three bytes each. What
/// cannot be decoded becomes U+FFFD.
pub fn decode_modified_utf8(bytes: &[u8]) -> Cow<'_, str> {
    // plain UTF-8, nearly always
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((unit, after)) = utf16_unit(rest) {
        units.push(unit);
        rest = after;
    }
    Cow::Owned(String::from_utf16_lossy(&units))
}

/// The UTF-16 unit at the front, and what follows; `None` at the end.
fn utf16_unit(bytes: &[u8]) -> Option<(u16, &[u8])> {
    const REPLACEMENT: u16 = 0xfffd;
    let low = |byte: u8| u16::from(byte & 0x3f);
    Some(match *bytes {
        [] => return None,
        [a @ 0..0x80, ref rest @ ..] => (u16::from(a), rest),
        [a @ 0xc0..=0xdf, b @ 0x80..=0xbf, ref rest @ ..] => {
            (u16::from(a & 0x1f) << 6 | low(b), rest)
        }
        [
            a @ 0xe0..=0xef,
            b @ 0x80..=0xbf,
            c @ 0x80..=0xbf,
            ref rest @ ..,
        ] => (u16::from(a & 0x0f) << 12 | low(b) << 6 | low(c), rest),
        [_, ref rest @ ..] => (REPLACEMENT, rest),
    })
}

/// A class's name as Java writes it, from its name in the dump:
/// `com/acme/Order` → `com.acme.Order`, `[Ljava/lang/String;` → `java.lang.String[]`,
/// `[[I` → `int[][]`. Names already in that form, as Android writes them, stay as they are.
pub fn java_class_name(name: &str) -> String {
    let element = name.trim_start_matches('[');
    let dimensions = name.len() - element.len();
    let element = match (dimensions, element.as_bytes()) {
        (0, _) => dotted(element),
        (_, [b'L', _, .., b';']) => dotted(&element[1..element.len() - 1]),
        (_, &[code]) => match primitive(code) {
            Some(primitive) => primitive.to_owned(),
            None => return name.to_owned(),
        },
        _ => return name.to_owned(),
    };
    element + &"[]".repeat(dimensions)
}

/// Slashes become dots, except before a digit: no part of a package starts with one, but hidden
/// classes are called `com/acme/Order$$Lambda$14/0x0000000800c03000`, or with a plus sign there
/// (JDK 17), where the JVM's own tools show a slash.
fn dotted(name: &str) -> String {
    let mut characters = name.chars().peekable();
    let mut out = String::with_capacity(name.len());
    while let Some(character) = characters.next() {
        let before_digit = characters.peek().is_some_and(char::is_ascii_digit);
        out.push(match character {
            '/' if !before_digit => '.',
            '+' if before_digit => '/',
            other => other,
        });
    }
    out
}

fn primitive(code: u8) -> Option<&'static str> {
    Some(match code {
        b'Z' => "boolean",
        b'C' => "char",
        b'F' => "float",
        b'D' => "double",
        b'B' => "byte",
        b'S' => "short",
        b'I' => "int",
        b'J' => "long",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_as_in_java() {
        let check = |name: &str, expected: &str| assert_eq!(java_class_name(name), expected);
        check("com/acme/Order", "com.acme.Order");
        check("com/acme/Order$Line", "com.acme.Order$Line");
        check("Order", "Order");
        check("[Ljava/lang/String;", "java.lang.String[]");
        check("[[Lcom/acme/Order;", "com.acme.Order[][]");
        check("[I", "int[]");
        check("[[[Z", "boolean[][][]");
        // Android
        check("java.lang.String[]", "java.lang.String[]");
        check("int[]", "int[]");
        // hidden classes: JDK 8, JDK 15 to 17, and as the JVM's tools show them
        check(
            "com/acme/A$$Lambda$1/1072591677",
            "com.acme.A$$Lambda$1/1072591677",
        );
        check("com/acme/A$$Lambda$1+0x0000", "com.acme.A$$Lambda$1/0x0000");
        check(
            "[Lcom/acme/A$$Lambda$1+0x0000;",
            "com.acme.A$$Lambda$1/0x0000[]",
        );
        // not a name at all
        check("", "");
        check("[", "[");
        check("[X", "[X");
        check("[Lcom/acme", "[Lcom/acme");
        check("[L", "[L");
        check("[L;", "[L;");
        check("[é", "[é");
        check("/a//b/", ".a..b.");
    }

    #[test]
    fn modified_utf8() {
        let check = |bytes: &[u8], expected: &str| {
            assert_eq!(decode_modified_utf8(bytes), expected);
        };
        check(b"", "");
        check("Größe".as_bytes(), "Größe");
        check(b"a\xc0\x80b", "a\0b");
        // U+1F600 as two surrogates of three bytes
        check(b"x\xed\xa0\xbd\xed\xb8\x80", "x\u{1f600}");
        check(b"\xed\xa0\xbd", "\u{fffd}");
        check(b"a\xffb\xe2\x82", "a\u{fffd}b\u{fffd}\u{fffd}");
        // plain UTF-8 of four bytes, which some writers use
        check("😀".as_bytes(), "😀");
    }
}
