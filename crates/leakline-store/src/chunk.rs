//! Chunks: samples of one series on one day, compressed.
//!
//! ```text
//! value kind:1   1 = values as f64; 2 + d (d from 0 to 9) = values times 10^d, as i64
//! count:varint
//! span:varint    milliseconds from the first sample (which is in the key) to the last
//! pco header, then two pco chunks of one page each: offsets:u32 from the first sample, values
//! ```
//!
//! The chunks of a series never overlap in time: [`place`] keeps it so. Values come back to the
//! bit, payloads of NaN included.

use leakline_model::{Sample, Timestamp};
use pco::data_types::Number;
use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, PagingSpec};
use prost::encoding::{decode_varint, encode_varint};

const KIND_FLOAT: u8 = 1;
const KIND_DECIMAL: u8 = 2;

/// Powers of ten by which values are tried to be made whole: bytes and counts are whole as they
/// are, durations in seconds are whole nanoseconds.
const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// A chunk of fewer samples takes more when they come; one of more is left alone.
pub(crate) const FULL_CHUNK: usize = 512;
/// No chunk holds more.
const MAX_CHUNK: usize = 2 * FULL_CHUNK;

/// Whole numbers beyond this are not exact in a float.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// What a chunk says of itself without being decompressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkHeader {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) count: usize,
    /// What the values were multiplied by to be whole; `None` when they stand as floats.
    power: Option<f64>,
}

/// Compresses `run`, which must not be empty and must lie inside one day.
pub(crate) fn encode(run: &[Sample]) -> Result<Vec<u8>, pco::errors::PcoError> {
    let start = run.first().map_or(0, |sample| sample.timestamp.as_millis());
    let offsets: Vec<u32> = run
        .iter()
        .map(|sample| u32::try_from(sample.timestamp.as_millis() - start).unwrap_or(u32::MAX))
        .collect();
    let decimal = as_decimal(run);

    let mut bytes = vec![decimal.as_ref().map_or(KIND_FLOAT, |(kind, _)| *kind)];
    encode_varint(run.len() as u64, &mut bytes);
    encode_varint(offsets.last().copied().unwrap_or(0).into(), &mut bytes);
    let file = FileCompressor::default();
    file.write_header(&mut bytes)?;
    write_column(&file, &offsets, &mut bytes)?;
    match decimal {
        Some((_, values)) => write_column(&file, &values, &mut bytes)?,
        None => {
            let values: Vec<f64> = run.iter().map(|sample| sample.value).collect();
            write_column(&file, &values, &mut bytes)?;
        }
    }
    Ok(bytes)
}

/// The values as whole numbers with the fewest decimals, and the kind that says so; `None` when
/// that would lose anything, as it would for NaN, infinities and -0.
///
/// Decimals compress better this way than by pco's own modes for floats, and faster.
fn as_decimal(run: &[Sample]) -> Option<(u8, Vec<i64>)> {
    (KIND_DECIMAL..).zip(POWERS).find_map(|(kind, power)| {
        let values: Option<Vec<i64>> = run
            .iter()
            .map(|sample| as_whole(sample.value, power))
            .collect();
        Some((kind, values?))
    })
}

/// `value * power`, if dividing it by `power` gives back `value` to the bit.
fn as_whole(value: f64, power: f64) -> Option<i64> {
    let scaled = (value * power).round();
    let whole = scaled as i64;
    (scaled.abs() <= MAX_WHOLE && (whole as f64 / power).to_bits() == value.to_bits())
        .then_some(whole)
}

fn write_column<T: Number>(
    file: &FileCompressor,
    numbers: &[T],
    bytes: &mut Vec<u8>,
) -> Result<(), pco::errors::PcoError> {
    let config = ChunkConfig::default().with_paging_spec(PagingSpec::EqualPagesUpTo(MAX_CHUNK));
    let mut column = file.chunk_compressor(numbers, &config)?;
    column.write_meta(&mut *bytes)?;
    column.write_page(0, &mut *bytes)?;
    Ok(())
}

/// Reads what stands before the columns; answers also the rest.
fn split_header(start: Timestamp, value: &[u8]) -> Result<(ChunkHeader, &[u8]), String> {
    let (&kind, mut rest) = value.split_first().ok_or("empty chunk")?;
    let power = match kind.checked_sub(KIND_DECIMAL) {
        Some(decimals) => POWERS.get(usize::from(decimals)).copied(),
        None => None,
    };
    if kind != KIND_FLOAT && power.is_none() {
        return Err(format!("unknown kind of chunk {kind}"));
    }
    let count = decode_varint(&mut rest).map_err(|e| format!("count: {e}"))?;
    let span = decode_varint(&mut rest).map_err(|e| format!("span: {e}"))?;
    let count = usize::try_from(count)
        .ok()
        .filter(|count| (1..=MAX_CHUNK).contains(count))
        .ok_or_else(|| format!("chunk of {count} samples"))?;
    let span = u32::try_from(span).map_err(|_| format!("chunk of {span} ms"))?;
    let end = Timestamp::from_millis(start.as_millis() + i64::from(span));
    Ok((
        ChunkHeader {
            start,
            end,
            count,
            power,
        },
        rest,
    ))
}

/// Reads the header of a chunk whose first sample is at `start`.
pub(crate) fn header(start: Timestamp, value: &[u8]) -> Result<ChunkHeader, String> {
    split_header(start, value).map(|(header, _)| header)
}

/// Decompresses a chunk whose first sample is at `start`.
pub(crate) fn decode(start: Timestamp, value: &[u8]) -> Result<Vec<Sample>, String> {
    let (header, rest) = split_header(start, value)?;
    let (file, rest) = FileDecompressor::new(rest).map_err(|e| e.message)?;
    let (offsets, rest): (Vec<u32>, _) = read_column(&file, rest, header.count)?;
    let values: Vec<f64> = match header.power {
        Some(power) => {
            let (values, _): (Vec<i64>, _) = read_column(&file, rest, header.count)?;
            values.iter().map(|value| *value as f64 / power).collect()
        }
        None => read_column(&file, rest, header.count)?.0,
    };
    if !offsets.is_sorted_by(|a, b| a < b) {
        return Err("times out of order".to_owned());
    }
    let run: Vec<Sample> = offsets
        .into_iter()
        .zip(values)
        .map(|(offset, value)| Sample {
            timestamp: Timestamp::from_millis(start.as_millis() + i64::from(offset)),
            value,
        })
        .collect();
    let ends = run.first().zip(run.last());
    if ends
        .is_none_or(|(first, last)| first.timestamp != header.start || last.timestamp != header.end)
    {
        return Err("samples outside the time that the chunk names".to_owned());
    }
    Ok(run)
}

fn read_column<'a, T: Number>(
    file: &FileDecompressor,
    bytes: &'a [u8],
    count: usize,
) -> Result<(Vec<T>, &'a [u8]), String> {
    let (mut column, rest) = file
        .chunk_decompressor::<T, _>(bytes)
        .map_err(|e| e.message)?;
    let mut page = column
        .page_decompressor(rest, count)
        .map_err(|e| e.message)?;
    let mut numbers = vec![T::default(); count];
    let progress = page.read(&mut numbers).map_err(|e| e.message)?;
    if progress.n_processed != count {
        return Err(format!("{} of {count} numbers", progress.n_processed));
    }
    Ok((numbers, page.into_src()))
}

/// Where the samples of `run` go, given the chunks that the series has on that day.
///
/// Answers the chunks to write, each with its samples; a chunk with the start of an existing one
/// replaces it. An existing chunk that cannot be read is left as it is, and the samples that
/// would join it stand beside it.
pub(crate) fn place(
    existing: &[(Timestamp, impl AsRef<[u8]>)],
    run: &[Sample],
) -> Vec<Vec<Sample>> {
    let mut placed = Vec::new();
    let mut rest = run;
    // each sample belongs to the last chunk that starts no later than it
    let before = existing.first().map_or(rest.len(), |(start, _)| {
        rest.partition_point(|sample| sample.timestamp < *start)
    });
    let (mut group, after) = rest.split_at(before);
    split_into(&mut placed, group.to_vec());
    rest = after;
    for (i, (start, value)) in existing.iter().enumerate() {
        let count = existing.get(i + 1).map_or(rest.len(), |(next, _)| {
            rest.partition_point(|sample| sample.timestamp < *next)
        });
        (group, rest) = rest.split_at(count);
        let Some(first) = group.first() else {
            continue;
        };
        let beside = header(*start, value.as_ref())
            .is_ok_and(|chunk| chunk.end < first.timestamp && chunk.count >= FULL_CHUNK);
        let mut joined = match beside {
            true => Vec::new(),
            false => decode(*start, value.as_ref()).unwrap_or_default(),
        };
        crate::samples::merge(&mut joined, group);
        split_into(&mut placed, joined);
    }
    placed
}

/// Cuts a run so that no piece is longer than a chunk may be.
fn split_into(pieces: &mut Vec<Vec<Sample>>, run: Vec<Sample>) {
    if run.len() <= MAX_CHUNK {
        if !run.is_empty() {
            pieces.push(run);
        }
        return;
    }
    pieces.extend(run.chunks(FULL_CHUNK).map(<[Sample]>::to_vec));
}

#[cfg(test)]
mod tests {
    use leakline_model::stale_marker;
    use proptest::prelude::*;

    use super::*;

    fn run(values: impl IntoIterator<Item = (i64, f64)>) -> Vec<Sample> {
        values
            .into_iter()
            .map(|(millis, value)| Sample {
                timestamp: Timestamp::from_millis(millis),
                value,
            })
            .collect()
    }

    fn round_trip(run: &[Sample]) -> usize {
        let bytes = encode(run).unwrap();
        let start = run[0].timestamp;
        assert_eq!(decode(start, &bytes).unwrap(), run);
        let header = header(start, &bytes).unwrap();
        assert_eq!(
            (header.start, header.end, header.count),
            (start, run[run.len() - 1].timestamp, run.len())
        );
        bytes.len()
    }

    #[test]
    fn every_value_comes_back_to_the_bit() {
        let odd = [
            0.0,
            -0.0,
            1.5,
            f64::NAN,
            -f64::NAN,
            f64::from_bits(0x7ff8_dead_beef_0001),
            f64::from_bits(0xfff0_0000_0000_0001),
            stale_marker(),
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            5e-324,
            MAX_WHOLE,
            -MAX_WHOLE,
            MAX_WHOLE + 2.0,
            1e300,
        ];
        for value in odd {
            round_trip(&run([(0, value)]));
            round_trip(&run((0..300).map(|i| (i * 10_000, value))));
        }
        round_trip(&run(
            (0..1000).map(|i| (i * 1000, odd[i as usize % odd.len()]))
        ));
        // a few odd ones in series for which pco chooses one of its modes for floats
        for base in [1.0, 0.1, 1.0 / 1024.0] {
            round_trip(&run((0..1000).map(|i| {
                let value = match i % 97 {
                    13 => stale_marker(),
                    55 => f64::from_bits(0x7ff8_0000_0000_0123),
                    _ => (i * i % 1013) as f64 * base,
                };
                (i * 15_000, value)
            })));
        }
    }

    #[test]
    fn damage_is_named() {
        let bytes = encode(&run((0..100).map(|i| (i * 1000, i as f64)))).unwrap();
        let check = |start: i64, bytes: &[u8]| {
            assert!(decode(Timestamp::from_millis(start), bytes).is_err());
        };
        check(0, &[]);
        check(0, &[0, 1, 0]);
        check(0, &[KIND_DECIMAL + 10, 1, 0]);
        check(0, &[KIND_FLOAT, 0, 0]);
        check(0, &[KIND_FLOAT, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
        for length in 0..bytes.len() - 1 {
            check(0, &bytes[..length]);
        }
    }

    /// Numbers below a bound, the same in each run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> f64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 33) % bound) as f64
        }
    }

    /// Bytes a sample in a full chunk of what runtimes send each minute; about 0.35 of them are
    /// the time, which is late by up to 3 ms. A change must justify the new number.
    #[test]
    fn runtime_metrics_are_small() {
        fn check(expected: &str, next: impl Fn(&mut Random, f64) -> f64) {
            let mut random = Random(1);
            let mut value = 0.0;
            let run = run((0..FULL_CHUNK as i64).map(|i| {
                value = next(&mut random, value);
                (i * 60_000 + random.below(4) as i64, value)
            }));
            let bytes = round_trip(&run) as f64 / run.len() as f64;
            assert_eq!(format!("{bytes:.2}"), expected);
        }
        // a limit
        check("0.43", |_, _| 2_147_483_648.0);
        // threads
        check("0.75", |random, _| 40.0 + random.below(5));
        // a counter of rare events, of collections, of requests
        check("0.50", |random, n| n + f64::from(random.below(50) == 0.0));
        check("0.68", |random, n| n + random.below(3));
        check("1.45", |random, n| n + random.below(200));
        // seconds spent, to the millisecond
        check("1.51", |random, s| {
            ((s * 1e3).round() + random.below(300)) / 1e3
        });
        // heap in use: 25 bits of noise
        check("3.60", |random, _| 3e8 + random.below(1 << 25) * 8.0);
        // a share of time: noise in every bit
        check("7.25", |random, _| random.below(1 << 30) / 3e9);
    }

    fn values() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (-1000_i64..1000).prop_map(|value| value as f64),
            (-100_000_i64..100_000, 0_usize..10).prop_map(|(n, i)| n as f64 / POWERS[i]),
            Just(stale_marker()),
        ]
    }

    fn runs() -> impl Strategy<Value = Vec<Sample>> {
        prop::collection::btree_map(0_i64..86_400_000, values(), 1..200).prop_map(run)
    }

    proptest! {
        #[test]
        fn round_trips(run in runs()) {
            round_trip(&run);
        }

        #[test]
        fn no_bytes_make_it_panic(
            run in runs(),
            flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        ) {
            let mut bytes = encode(&run).unwrap();
            for (at, flip) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            }
            let _ = decode(run[0].timestamp, &bytes);
        }

        #[test]
        fn placed_chunks_are_disjoint_and_lose_nothing(
            parts in prop::collection::vec(
                prop::collection::btree_map(0_i64..3000, values(), 1..1500).prop_map(run), 1..5),
        ) {
            let mut chunks = std::collections::BTreeMap::new();
            let mut expected = Vec::new();
            for part in &parts {
                let existing: Vec<_> = chunks.clone().into_iter().collect();
                for piece in place(&existing, part) {
                    prop_assert!(piece.len() <= MAX_CHUNK);
                    chunks.insert(piece[0].timestamp, encode(&piece).unwrap());
                }
                crate::samples::merge(&mut expected, part);
            }
            let mut found = Vec::new();
            for (start, bytes) in &chunks {
                found.extend(decode(*start, bytes).unwrap());
            }
            prop_assert_eq!(found, expected);
        }
    }
}
