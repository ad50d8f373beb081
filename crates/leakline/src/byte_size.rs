//! Sizes as people type them: `512`, `64K`, `10MiB`, `1.5G`.

/// Reads a number of bytes with an optional unit. Units are binary, whichever way they are
/// written: `10M`, `10MB` and `10MiB` are the same.
pub fn parse_byte_size(text: &str) -> Result<u64, String> {
    let error = || format!("not a size: {text:?}; write it as 512, 64K, 10MiB or 1.5G");
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..end].parse().map_err(|_| error())?;
    let unit = text[end..].trim_start().to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let unit = unit.strip_suffix('i').unwrap_or(unit);
    let exponent = match unit {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(error()),
    };
    let bytes = number * f64::from(1024_u16).powi(exponent);
    // above this, numbers of bytes are not exact, and no dump is so large
    if bytes <= (1_u64 << 53) as f64 {
        Ok(bytes as u64)
    } else {
        Err(error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_and_without_units() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(parse_byte_size(text).ok(), expected, "{text}");
        };
        check("512", Some(512));
        check("64K", Some(64 << 10));
        check("10MiB", Some(10 << 20));
        check("10 mb", Some(10 << 20));
        check("1.5G", Some(3 << 29));
        check("0", Some(0));
        check("", None);
        check("MiB", None);
        check("-1", None);
        check("1.2.3K", None);
        check("10X", None);
        check("99999999T", None);
    }
}
