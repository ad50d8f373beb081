//! The protobuf wire format, as far as the JSON reader writes it and the JSON writer reads it.
//!
//! <https://protobuf.dev/programming-guides/encoding/>

/// How a field is laid out, the low three bits of its key.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const FIXED32: u32 = 5;

/// Appends fields to a message.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

/// Where a nested message began, to be handed back to [`Writer::close`].
#[must_use]
pub(crate) struct Opened(usize);

/// A length is written into a gap of this size once it is known. Decoders accept a varint with
/// superfluous continuation bytes, and a gap saves copying every nested message once per level.
const LENGTH_GAP: usize = 5;

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn varint_field(&mut self, tag: u32, value: u64) {
        self.key(tag, VARINT);
        self.varint(value);
    }

    pub(crate) fn fixed64_field(&mut self, tag: u32, value: u64) {
        self.key(tag, FIXED64);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn fixed32_field(&mut self, tag: u32, value: u32) {
        self.key(tag, FIXED32);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn bytes_field(&mut self, tag: u32, value: &[u8]) {
        self.key(tag, LENGTH_DELIMITED);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn open(&mut self, tag: u32) -> Opened {
        self.key(tag, LENGTH_DELIMITED);
        self.bytes.extend_from_slice(&[0; LENGTH_GAP]);
        Opened(self.bytes.len())
    }

    pub(crate) fn close(&mut self, Opened(start): Opened) {
        let mut length = self.bytes.len() - start;
        let gap = &mut self.bytes[start - LENGTH_GAP..start];
        for (i, byte) in gap.iter_mut().enumerate() {
            let more = if i + 1 < LENGTH_GAP { 0x80 } else { 0 };
            *byte = (length & 0x7f) as u8 | more;
            length >>= 7;
        }
    }

    fn key(&mut self, tag: u32, wire_type: u32) {
        self.varint(u64::from(tag << 3 | wire_type));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

/// The value of a field as the wire has it.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// Reads values one after the other; ends at the first byte that is none.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next field: its tag and value.
    pub(crate) fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let key = u32::try_from(self.varint()?).ok()?;
        let value = match key & 7 {
            VARINT => Value::Varint(self.varint()?),
            FIXED64 => Value::Fixed64(self.fixed64()?),
            FIXED32 => Value::Fixed32(self.fixed32()?),
            LENGTH_DELIMITED => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    }

    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn fixed64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*bytes))
    }

    pub(crate) fn fixed32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*bytes))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

/// Maps signed to unsigned so that small magnitudes stay short (`sint32`).
pub(crate) fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)) as u32)
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}
