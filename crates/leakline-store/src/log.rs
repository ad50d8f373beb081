//! Blocks of the log: the samples of one append, kept until they stand in chunks.
//!
//! ```text
//! for each run: series:varint count:varint, then count times
//!               (milliseconds since the sample before in this block: zigzag varint, value: 8 bytes, little-endian)
//! ```

use leakline_model::{Sample, Timestamp};
use prost::bytes::Buf;
use prost::encoding::{decode_varint, encode_varint};

use crate::keys::SeriesId;

/// The least that a sample takes in a block.
const MIN_SAMPLE_BYTES: usize = 9;

pub(crate) fn encode(runs: &[(SeriesId, Vec<Sample>)]) -> Vec<u8> {
    let samples: usize = runs.iter().map(|(_, run)| run.len()).sum();
    let mut block = Vec::with_capacity(runs.len() * 4 + samples * 12);
    let mut before = 0_i64;
    for (series, run) in runs {
        encode_varint(series.0, &mut block);
        encode_varint(run.len() as u64, &mut block);
        for sample in run {
            let millis = sample.timestamp.as_millis();
            // milliseconds of 64-bit nanoseconds are far from overflow
            let delta = millis - before;
            before = millis;
            encode_varint(((delta << 1) ^ (delta >> 63)) as u64, &mut block);
            block.extend_from_slice(&sample.value.to_bits().to_le_bytes());
        }
    }
    block
}

pub(crate) fn decode(mut block: &[u8]) -> Result<Vec<(SeriesId, Vec<Sample>)>, String> {
    let mut runs = Vec::new();
    let mut before = 0_i64;
    while block.has_remaining() {
        let series = SeriesId(varint(&mut block)?);
        let count = usize::try_from(varint(&mut block)?)
            .ok()
            .filter(|count| *count <= block.len() / MIN_SAMPLE_BYTES)
            .ok_or("more samples than bytes")?;
        let mut run = Vec::with_capacity(count);
        for _ in 0..count {
            let zigzag = varint(&mut block)?;
            let delta = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
            before = before.checked_add(delta).ok_or("time out of range")?;
            let (bits, rest) = block.split_first_chunk().ok_or("cut off")?;
            block = rest;
            run.push(Sample {
                timestamp: Timestamp::from_millis(before),
                value: f64::from_bits(u64::from_le_bytes(*bits)),
            });
        }
        runs.push((series, run));
    }
    Ok(runs)
}

fn varint(block: &mut &[u8]) -> Result<u64, String> {
    decode_varint(block).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use leakline_model::stale_marker;

    use super::*;

    #[test]
    fn blocks_round_trip_and_name_damage() {
        let sample = |nanos: i64, value: f64| Sample {
            timestamp: Timestamp::from_nanos(nanos).truncate_to_millis(),
            value,
        };
        let runs = vec![
            (
                SeriesId(7),
                vec![sample(i64::MIN, f64::NAN), sample(i64::MAX, stale_marker())],
            ),
            (SeriesId(u64::MAX), vec![sample(-1, -0.0)]),
            (SeriesId(1), vec![]),
        ];
        let block = encode(&runs);
        assert_eq!(decode(&block).unwrap(), runs);
        assert_eq!(decode(&block[..block.len() - 3]).unwrap_err(), "cut off");
        assert!(decode(&[1, 0xff, 0xff, 0xff, 0xff, 0x7f, 0]).is_err());
    }
}
