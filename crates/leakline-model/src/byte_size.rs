//! Sizes in bytes, as people read them.

use std::fmt;

/// A number of bytes, shown in binary units with three significant digits: `2.21 GiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ByteSize(pub u64);

/// A change in bytes, shown like [`ByteSize`] with its sign: `+12.5 MiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SignedByteSize(pub i64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        // 999.5 and more would print with four digits
        while value >= 999.5 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let decimals = if value < 9.995 {
            2
        } else if value < 99.95 {
            1
        } else {
            0
        };
        write!(f, "{value:.decimals$} {}", UNITS[unit])
    }
}

impl fmt::Display for SignedByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '−' } else { '+' };
        write!(f, "{sign}{}", ByteSize(self.0.unsigned_abs()))
    }
}

/// A count with thousands separated: `8,000,000`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        let check = |bytes: u64, expected: &str| assert_eq!(ByteSize(bytes).to_string(), expected);
        check(0, "0 B");
        check(1023, "1023 B");
        check(1024, "1.00 KiB");
        check(21_896_136, "20.9 MiB");
        check(1024 * 1024 * 1023, "1.00 GiB");
        check(u64::MAX, "16.0 EiB");
        assert_eq!(SignedByteSize(-2048).to_string(), "−2.00 KiB");
        assert_eq!(SignedByteSize(i64::MIN).to_string(), "−8.00 EiB");
        assert_eq!(grouped(8_000_000), "8,000,000");
        assert_eq!(grouped(12), "12");
    }
}
