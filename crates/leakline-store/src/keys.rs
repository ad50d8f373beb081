//! The keys on disk. `docs/storage.md` draws the same; change both together, and
//! [`FORMAT_VERSION`] with them.
//!
//! ```text
//! keyspace   key                                            value
//! meta       "horizon" | "next"                             i64 | u64, see below
//!            "chunks" day:4 | "spans" day:4                 nothing: that table has this day
//! series     series:8                                       labels (protobuf)
//!            series:8 0x01                                  day:4 of its latest chunk
//! log        sequence:8                                     samples of one append, not yet in chunks
//! chunks     day:4 series:8 offset:4                        samples of one series (see `chunk`)
//! spans      day:4 service:8 start:8 trace:16 span:8        span (protobuf)
//! traces     day:4 trace:16 start:8 span:8 service:8        nothing
//! resources  resource:8                                     attributes (protobuf)
//!            resource:8 0x01                                first:8 last:8
//! ```
//!
//! All numbers are big-endian; signed ones have their sign bit flipped, so that the order of the
//! bytes is the order of the numbers. `day` is the UTC day since 1970; `offset` is in milliseconds
//! since its beginning; `start`, `first`, `last` and `horizon` are nanoseconds since 1970;
//! `service` is a hash of the service's name. `next` is above every series and resource id ever
//! given.
//!
//! Samples and spans stand by day first: what is old is never touched again by compaction, and
//! retention drops whole days.

use leakline_model::{SpanId, Timestamp, TraceId};

/// The version of everything that a store's folder holds.
pub const FORMAT_VERSION: u32 = 1;

pub(crate) const META_HORIZON: &[u8] = b"horizon";
pub(crate) const META_NEXT: &[u8] = b"next";

/// Before the days that `chunks` has.
pub(crate) const META_CHUNK_DAY: &[u8] = b"chunks";
/// Before the days that `spans` and `traces` have.
pub(crate) const META_SPAN_DAY: &[u8] = b"spans";

/// Ends the second key of a series or resource, which holds what changes.
const CHANGING: u8 = 0x01;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Names a series or a resource inside one store; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SeriesId(pub(crate) u64);

/// Names a resource inside one store; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResourceId(pub(crate) u64);

/// A day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) i32);

impl Day {
    pub(crate) fn of(time: Timestamp) -> Self {
        // nanoseconds in 64 bits reach 106,752 days either way
        Day(time.as_millis().div_euclid(MILLIS_PER_DAY) as i32)
    }

    fn first_milli(self) -> i64 {
        i64::from(self.0) * MILLIS_PER_DAY
    }

    /// The last millisecond inside.
    pub(crate) fn end(self) -> Timestamp {
        Timestamp::from_millis(self.first_milli() + (MILLIS_PER_DAY - 1))
    }

    /// Milliseconds from its beginning to `time`, which must lie inside.
    pub(crate) fn offset(self, time: Timestamp) -> u32 {
        u32::try_from(time.as_millis() - self.first_milli()).unwrap_or(0)
    }

    pub(crate) fn time_at(self, offset: u32) -> Timestamp {
        Timestamp::from_millis(self.first_milli() + i64::from(offset))
    }

    pub(crate) fn to_bytes(self) -> [u8; 4] {
        ((self.0 as u32) ^ (1 << 31)).to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; 4]) -> Self {
        Day((u32::from_be_bytes(bytes) ^ (1 << 31)) as i32)
    }
}

/// Nanoseconds, ordered as bytes.
pub(crate) fn time_bytes(time: Timestamp) -> [u8; 8] {
    ((time.as_nanos() as u64) ^ (1 << 63)).to_be_bytes()
}

pub(crate) fn time_of_bytes(bytes: [u8; 8]) -> Timestamp {
    Timestamp::from_nanos((u64::from_be_bytes(bytes) ^ (1 << 63)) as i64)
}

/// `service` in keys: FNV-1a, 64 bits. Names that collide share a range of keys and are told
/// apart by the span itself.
pub(crate) fn service_hash(service: &str) -> [u8; 8] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in service.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash.to_be_bytes()
}

/// Takes keys apart; `None` when they are too short.
pub(crate) struct KeyReader<'a>(pub(crate) &'a [u8]);

impl KeyReader<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
}

/// Puts parts together into a key of fixed length.
fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    for (to, from) in key.iter_mut().zip(parts.iter().copied().flatten()) {
        *to = *from;
    }
    key
}

pub(crate) fn chunk_key(day: Day, series: SeriesId, offset: u32) -> [u8; 16] {
    join(&[
        &day.to_bytes(),
        &series.0.to_be_bytes(),
        &offset.to_be_bytes(),
    ])
}

/// The key in `meta` that says that a table has `day`.
pub(crate) fn day_key(table: &[u8], day: Day) -> Vec<u8> {
    [table, &day.to_bytes()].concat()
}

/// The key that holds what changes of the series or resource `id`.
pub(crate) fn changing_key(id: u64) -> [u8; 9] {
    join(&[&id.to_be_bytes(), &[CHANGING]])
}

/// Id and whether it is the changing part.
pub(crate) fn parse_id_key(key: &[u8]) -> Option<(u64, bool)> {
    let mut reader = KeyReader(key);
    let id = u64::from_be_bytes(reader.take()?);
    match reader.0 {
        [] => Some((id, false)),
        [CHANGING] => Some((id, true)),
        _ => None,
    }
}

/// What names a span. Two spans with the same are one.
///
/// The order is the order of answers: by start, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SpanKey {
    pub(crate) start: Timestamp,
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) service: [u8; 8],
}

impl SpanKey {
    pub(crate) fn day(&self) -> Day {
        Day::of(self.start)
    }

    pub(crate) fn span_key(&self) -> [u8; 44] {
        join(&[
            &self.day().to_bytes(),
            &self.service,
            &time_bytes(self.start),
            &self.trace.0,
            &self.span.0,
        ])
    }

    pub(crate) fn trace_key(&self) -> [u8; 44] {
        join(&[
            &self.day().to_bytes(),
            &self.trace.0,
            &time_bytes(self.start),
            &self.span.0,
            &self.service,
        ])
    }

    pub(crate) fn of_span_key(key: &[u8]) -> Option<Self> {
        let mut reader = KeyReader(key);
        let _day: [u8; 4] = reader.take()?;
        let service = reader.take()?;
        let start = time_of_bytes(reader.take()?);
        let trace = TraceId(reader.take()?);
        let span = SpanId(reader.take()?);
        Some(SpanKey {
            start,
            trace,
            span,
            service,
        })
    }

    pub(crate) fn of_trace_key(key: &[u8]) -> Option<Self> {
        let mut reader = KeyReader(key);
        let _day: [u8; 4] = reader.take()?;
        let trace = TraceId(reader.take()?);
        let start = time_of_bytes(reader.take()?);
        let span = SpanId(reader.take()?);
        let service = reader.take()?;
        Some(SpanKey {
            start,
            trace,
            span,
            service,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_bytes_is_order_of_time() {
        let times = [i64::MIN, -86_400_000_000_001, -1, 0, 1, i64::MAX].map(Timestamp::from_nanos);
        for pair in times.windows(2) {
            assert!(time_bytes(pair[0]) < time_bytes(pair[1]));
            assert!(Day::of(pair[0]).to_bytes() <= Day::of(pair[1]).to_bytes());
        }
        for time in times {
            assert_eq!(time_of_bytes(time_bytes(time)), time);
            let day = Day::of(time);
            assert_eq!(Day::from_bytes(day.to_bytes()), day);
            let whole = time.truncate_to_millis();
            assert_eq!(day.time_at(day.offset(whole)), whole);
        }
    }

    #[test]
    fn span_keys_round_trip() {
        let key = SpanKey {
            start: Timestamp::from_nanos(-5),
            trace: TraceId([7; 16]),
            span: SpanId([9; 8]),
            service: service_hash("orders"),
        };
        assert_eq!(SpanKey::of_span_key(&key.span_key()), Some(key));
        assert_eq!(SpanKey::of_trace_key(&key.trace_key()), Some(key));
        assert_eq!(SpanKey::of_trace_key(&key.trace_key()[..43]), None);
    }

    #[test]
    fn the_hash_of_services_never_changes() {
        // published test vectors of FNV-1a
        assert_eq!(service_hash(""), 0xcbf2_9ce4_8422_2325_u64.to_be_bytes());
        assert_eq!(
            service_hash("foobar"),
            0x8594_4171_f739_67e8_u64.to_be_bytes()
        );
    }
}
