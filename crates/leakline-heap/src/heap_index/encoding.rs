//! Values and arrays as bytes, and back.
//!
//! Values are small: numbers of eight bytes, lengths before what they count, fields in the order
//! of their declaration, variants by number. Arrays are large: they are not copied in either
//! direction, so what was decoded borrows from the index. Neither says of itself what it is; the
//! version of the format does ([`VERSION`](super::VERSION)).
//!
//! Decoding takes any bytes: whatever does not fit gives `None`, and no more memory is taken than
//! a few times the bytes there are.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use leakline_model::Timestamp;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What can be kept in an index.
pub(crate) trait Encode<'a>: Sized {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>);
    fn decode(from: &mut Decoder<'a>) -> Option<Self>;
}

/// Values one after the other, and beside them the arrays.
#[derive(Default)]
pub(crate) struct Encoder<'s> {
    pub(super) values: Vec<u8>,
    pub(super) arrays: Vec<Cow<'s, [u8]>>,
}

/// Where values and arrays are taken from, in the order in which they were put.
pub(crate) struct Decoder<'a> {
    pub(super) values: &'a [u8],
    pub(super) arrays: std::vec::IntoIter<&'a [u8]>,
    /// The bytes of the dump, which some values refer to; `None` when nobody will ask for them.
    pub(super) dump: Option<&'a [u8]>,
}

impl<'s> Encoder<'s> {
    pub(crate) fn put(&mut self, value: &[u8]) {
        self.values.extend_from_slice(value);
    }

    fn put_length(&mut self, length: usize) {
        self.put(&(length as u64).to_le_bytes());
    }

    pub(crate) fn put_array(&mut self, bytes: Cow<'s, [u8]>) {
        self.arrays.push(bytes);
    }
}

impl<'a> Decoder<'a> {
    pub(crate) fn take_array(&mut self) -> Option<&'a [u8]> {
        self.arrays.next()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.values.split_at_checked(count)?;
        self.values = rest;
        Some(taken)
    }

    /// A part of the dump.
    pub(crate) fn of_dump(&self, offset: u64, length: u64) -> Option<&'a [u8]> {
        let Some(dump) = self.dump else {
            return Some(&[]);
        };
        let start = usize::try_from(offset).ok()?;
        dump.get(start..start.checked_add(usize::try_from(length).ok()?)?)
    }
}

/// Gives a struct the encoding of all its fields, in the order given; it does not compile when one
/// is missing.
macro_rules! encode_fields {
    ($type:ident<'a> { $($field:ident),* $(,)? }) => {
        impl<'a> $crate::heap_index::Encode<'a> for $type<'a> {
            encode_fields!(@fields $($field),*);
        }
    };
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl<'a> $crate::heap_index::Encode<'a> for $type {
            encode_fields!(@fields $($field),*);
        }
    };
    (@fields $($field:ident),*) => {
        fn encode<'s>(&'s self, to: &mut $crate::heap_index::Encoder<'s>) {
            let Self { $($field),* } = self;
            $($crate::heap_index::Encode::encode($field, to);)*
        }
        fn decode(from: &mut $crate::heap_index::Decoder<'a>) -> Option<Self> {
            Some(Self { $($field: $crate::heap_index::Encode::decode(from)?),* })
        }
    };
}
pub(crate) use encode_fields;

/// Gives an enum without fields the encoding of the position among the variants given; it does not
/// compile when one is missing.
macro_rules! encode_variants {
    ($type:ident { $($variant:ident),* $(,)? }) => {
        impl<'a> $crate::heap_index::Encode<'a> for $type {
            fn encode<'s>(&'s self, to: &mut $crate::heap_index::Encoder<'s>) {
                let variants = [$($type::$variant),*];
                match self {
                    $($type::$variant)|* => {}
                }
                let number = variants.iter().position(|variant| variant == self);
                to.put(&[number.map_or(u8::MAX, |number| number as u8)]);
            }
            fn decode(from: &mut $crate::heap_index::Decoder<'a>) -> Option<Self> {
                let number: u8 = $crate::heap_index::Encode::decode(from)?;
                [$($type::$variant),*].into_iter().nth(usize::from(number))
            }
        }
    };
}
pub(crate) use encode_variants;

macro_rules! encode_numbers {
    ($($type:ty),*) => {$(
        impl Encode<'_> for $type {
            fn encode(&self, to: &mut Encoder<'_>) {
                to.put(&self.to_le_bytes());
            }
            fn decode(from: &mut Decoder<'_>) -> Option<Self> {
                let bytes = from.take(size_of::<Self>())?;
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }
        }
    )*};
}
encode_numbers!(u8, u32, u64, i64, f64);

impl Encode<'_> for usize {
    fn encode(&self, to: &mut Encoder<'_>) {
        to.put_length(*self);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        u64::decode(from)?.try_into().ok()
    }
}

impl Encode<'_> for bool {
    fn encode(&self, to: &mut Encoder<'_>) {
        to.put(&[u8::from(*self)]);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        match u8::decode(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Encode<'_> for String {
    fn encode(&self, to: &mut Encoder<'_>) {
        encode_text(self, to);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        decode_text(from).map(str::to_owned)
    }
}

pub(crate) fn encode_text(text: &str, to: &mut Encoder<'_>) {
    to.put_length(text.len());
    to.put(text.as_bytes());
}

pub(crate) fn decode_text<'a>(from: &mut Decoder<'a>) -> Option<&'a str> {
    let length = usize::decode(from)?;
    std::str::from_utf8(from.take(length)?).ok()
}

impl Encode<'_> for Arc<str> {
    fn encode(&self, to: &mut Encoder<'_>) {
        encode_text(self, to);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        decode_text(from).map(Arc::from)
    }
}

impl<'a, T: Encode<'a> + Default + Copy, const N: usize> Encode<'a> for [T; N] {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        self.iter().for_each(|value| value.encode(to));
    }
    fn decode(from: &mut Decoder<'a>) -> Option<Self> {
        let mut values = [T::default(); N];
        for value in &mut values {
            *value = T::decode(from)?;
        }
        Some(values)
    }
}

impl Encode<'_> for Timestamp {
    fn encode(&self, to: &mut Encoder<'_>) {
        to.put(&self.as_nanos().to_le_bytes());
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        i64::decode(from).map(Timestamp::from_nanos)
    }
}

impl<'a, T: Encode<'a>> Encode<'a> for Option<T> {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        to.put(&[u8::from(self.is_some())]);
        if let Some(value) = self {
            value.encode(to);
        }
    }
    fn decode(from: &mut Decoder<'a>) -> Option<Self> {
        Some(match bool::decode(from)? {
            true => Some(T::decode(from)?),
            false => None,
        })
    }
}

impl<'a, T: Encode<'a>> Encode<'a> for OnceLock<T> {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        to.put(&[u8::from(self.get().is_some())]);
        if let Some(value) = self.get() {
            value.encode(to);
        }
    }
    fn decode(from: &mut Decoder<'a>) -> Option<Self> {
        Some(match bool::decode(from)? {
            true => OnceLock::from(T::decode(from)?),
            false => OnceLock::new(),
        })
    }
}

impl<'a, A: Encode<'a>, B: Encode<'a>> Encode<'a> for (A, B) {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        self.0.encode(to);
        self.1.encode(to);
    }
    fn decode(from: &mut Decoder<'a>) -> Option<Self> {
        Some((A::decode(from)?, B::decode(from)?))
    }
}

impl<'a, T: Encode<'a>> Encode<'a> for Vec<T> {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        to.put_length(self.len());
        self.iter().for_each(|value| value.encode(to));
    }
    fn decode(from: &mut Decoder<'a>) -> Option<Self> {
        let length = usize::decode(from)?;
        // every value takes a byte at least, so that this ends however long it claims to be
        (0..length).map(|_| T::decode(from)).collect()
    }
}

/// By key, so that equal maps give equal bytes.
impl Encode<'_> for HashMap<u32, u64> {
    fn encode(&self, to: &mut Encoder<'_>) {
        let entries: BTreeMap<_, _> = self.iter().collect();
        to.put_length(entries.len());
        for (key, value) in entries {
            to.put(&key.to_le_bytes());
            to.put(&value.to_le_bytes());
        }
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        let entries: Vec<(u32, u64)> = Encode::decode(from)?;
        Some(entries.into_iter().collect())
    }
}

/// What arrays consist of.
pub(crate) trait Element: FromBytes + IntoBytes + Immutable + KnownLayout + Clone {}
impl Element for u32 {}
impl Element for u64 {}

/// A large array: taken from the index as it stands there.
impl<'a, T: Element + 'static> Encode<'a> for Cow<'a, [T]> {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        to.put_array(Cow::Borrowed(self.as_bytes()));
    }
    fn decode(from: &mut Decoder<'a>) -> Option<Self> {
        let bytes = from.take_array()?;
        match <[T]>::ref_from_bytes(bytes) {
            Ok(array) => Some(Cow::Borrowed(array)),
            // not where such numbers may stand in memory
            Err(_) => bytes
                .chunks(size_of::<T>())
                .map(|element| T::read_from_bytes(element).ok())
                .collect::<Option<Vec<T>>>()
                .map(Cow::Owned),
        }
    }
}
