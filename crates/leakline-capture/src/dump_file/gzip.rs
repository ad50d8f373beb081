//! Inflates a gzip file, its members side by side where there are many.
//!
//! The JDK (`jcmd PID GC.heap_dump -gz=1`) writes a member for every mebibyte of the dump, and
//! bgzip and others do likewise. Nothing says where members begin but the end of the one before,
//! and what looks like the beginning of one may occur in compressed data. So from a place where a
//! member surely begins, the next places that look like it are inflated all at once, each on its
//! own; then it is followed from member to member which of them were reached by the end of the
//! one before, with its checksum and length right. The others are dropped.
//!
//! A member that does not fit a buffer or is damaged is left to the plain reader, which inflates
//! it from its beginning, one piece after the other. So whatever the file is, the outcome is that
//! of reading it from front to back.
//!
//! While they are inflated, those before them are written.
//!
//! Memory: three times [`AHEAD`] buffers of [`LARGEST`] bytes at most, of which only what members
//! fill is ever touched: 24 MiB for what the JDK writes.

use std::io::{self, BufRead, Read};

use flate2::bufread::{GzDecoder, MultiGzDecoder};
use leakline_model::grouped;
use memchr::memmem;
use rayon::prelude::*;

use super::spool::{Spool, Writer};
use super::{BUFFER, DumpFile, DumpFileError};

/// What a gzip file begins with.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// What a member begins with: the magic number, and deflate as the method.
const MEMBER: [u8; 3] = [0x1f, 0x8b, 8];
/// Flags that no member has.
const RESERVED_FLAGS: u8 = 0xe0;
/// Members that are inflated at once, at most.
const AHEAD: usize = 8;
/// Compressed bytes that are searched for their beginnings, at most.
const SEARCHED: usize = 64 << 20;
/// Members of so many bytes are not inflated at once with others.
const LARGEST: usize = 4 << 20;

/// Told the bytes of the file that are done and those there are.
type Progress<'p> = &'p mut dyn FnMut(u64, u64);

/// Inflates a file: what is wrong with it, if anything. What comes before damage is kept.
pub(super) fn inflate(
    file: &DumpFile,
    spool: &mut Spool<'_>,
    progress: Progress<'_>,
) -> Result<Option<String>, DumpFileError> {
    let packed = file.as_slice();
    let total = packed.len() as u64;
    let mut ahead = Ahead::default();
    let mut done = 0;
    while done < packed.len() {
        done = spool.write_behind(|writer| {
            let mut from = done;
            loop {
                let end = ahead.members(packed, from, writer)?;
                file.release(from..end);
                progress(end as u64, total);
                if end == from || end == packed.len() {
                    return Ok(end);
                }
                from = end;
            }
        })?;
        if done < packed.len() {
            let released = done;
            let mut decoder = GzDecoder::new(&packed[done..]);
            let left = |decoder: &GzDecoder<&[u8]>| decoder.get_ref().len() as u64;
            let failure = spool.append(&mut decoder, |decoder| {
                progress(total - left(decoder), total);
            })?;
            done = packed.len() - left(&decoder) as usize;
            if let Some(failure) = failure {
                return problem(failure, done as u64, spool).map(Some);
            }
            file.release(released..done);
            progress(done as u64, total);
        }
    }
    Ok(None)
}

/// The same for what cannot be mapped.
pub(super) fn inflate_pipe<R: BufRead>(
    source: R,
    spool: &mut Spool<'_>,
) -> Result<Option<String>, DumpFileError> {
    let mut decoder = MultiGzDecoder::new(Counted { source, bytes: 0 });
    let failure = spool.append(&mut decoder, |_| ())?;
    let done = decoder.get_ref().bytes;
    failure
        .map(|failure| problem(failure, done, spool))
        .transpose()
}

/// What is wrong, for people; an error when that left nothing.
fn problem(failure: io::Error, read: u64, spool: &Spool<'_>) -> Result<String, DumpFileError> {
    if spool.bytes() == 0 {
        return Err(DumpFileError::NotGzip {
            path: spool.path().to_owned(),
            source: failure,
        });
    }
    let inflated = grouped(spool.bytes());
    let read = grouped(read);
    Ok(if failure.kind() == io::ErrorKind::UnexpectedEof {
        format!(
            "the gzip file ends early, at byte {read}; {inflated} bytes could be inflated, \
             whatever follows is missing"
        )
    } else {
        format!(
            "the gzip file is damaged near byte {read} ({failure}); {inflated} bytes could be \
             inflated, the rest is left out"
        )
    })
}

/// Inflates members ahead of where it is known that they are members.
#[derive(Default)]
struct Ahead {
    tried: Vec<Trial>,
    /// Bytes inflated that were of members, and that were not or could not be used.
    used: u64,
    wasted: u64,
}

/// An attempt to inflate a member that may begin at `start`.
#[derive(Default)]
struct Trial {
    start: usize,
    buffer: Vec<u8>,
    /// What was inflated into the buffer.
    bytes: usize,
    /// Where the member ends; `None` when there is none that is whole and fits the buffer.
    end: Option<usize>,
}

impl Ahead {
    /// Hands over members that stand one after the other from `start` on; says where the last of
    /// them ends. None when the first is too large or damaged.
    fn members(
        &mut self,
        packed: &[u8],
        start: usize,
        writer: &mut Writer<'_>,
    ) -> Result<usize, DumpFileError> {
        // a file that is made to look as if members began everywhere costs no more than twice
        // the time
        let count = if self.wasted > self.used { 1 } else { AHEAD };
        let limit = packed.len().min(start + SEARCHED);
        let behind_first = &packed[start + 1..limit];
        let looks_like_one = |position: &usize| {
            let flags = behind_first.get(position + MEMBER.len());
            flags.is_some_and(|flags| flags & RESERVED_FLAGS == 0)
        };
        let others = memmem::find_iter(behind_first, &MEMBER)
            .filter(looks_like_one)
            .map(|position| start + 1 + position);
        let starts: Vec<usize> = std::iter::once(start).chain(others).take(count).collect();

        self.tried
            .resize_with(self.tried.len().max(starts.len()), Trial::default);
        let tried = &mut self.tried[..starts.len()];
        for trial in tried.iter_mut().filter(|trial| trial.buffer.is_empty()) {
            trial.buffer = writer.emptied().unwrap_or_default();
            // one of another size is from the plain reader
            if trial.buffer.len() != LARGEST {
                trial.buffer = Vec::new();
            }
        }
        tried
            .par_iter_mut()
            .zip(starts)
            .with_max_len(1)
            .for_each(|(trial, start)| trial.inflate(packed, start));

        let mut reached = start;
        for trial in tried {
            match trial.end.filter(|_| trial.start == reached) {
                Some(end) => {
                    reached = end;
                    self.used += trial.bytes as u64;
                    let goes_on = writer.put(std::mem::take(&mut trial.buffer), trial.bytes)?;
                    if !goes_on {
                        break;
                    }
                }
                None => self.wasted += trial.bytes as u64,
            }
        }
        Ok(reached)
    }
}

impl Trial {
    fn inflate(&mut self, packed: &[u8], start: usize) {
        self.start = start;
        self.end = None;
        self.bytes = 0;
        if self.buffer.is_empty() {
            // zeroed by the system, page by page as they are touched
            self.buffer = vec![0; LARGEST];
        }
        let mut decoder = GzDecoder::new(&packed[start..]);
        while self.bytes < LARGEST {
            // the checksum is computed of what was just inflated, best while that is in the cache
            let end = LARGEST.min(self.bytes + BUFFER);
            match decoder.read(&mut self.buffer[self.bytes..end]) {
                Ok(0) => {
                    self.end = Some(packed.len() - decoder.get_ref().len());
                    return;
                }
                Ok(count) => self.bytes += count,
                Err(_) => return,
            }
        }
    }
}

/// Counts the bytes that are taken from it.
struct Counted<R> {
    source: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes += amount as u64;
        self.source.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::super::{DumpFile, DumpFileError, OpenOptions};
    use super::*;

    /// What a reader that goes from front to back keeps of a file, and what stops it.
    fn sequential(packed: &[u8]) -> (Vec<u8>, Option<String>) {
        let mut decoder = MultiGzDecoder::new(packed);
        let mut kept = Vec::new();
        let mut buffer = vec![0; super::super::BUFFER];
        loop {
            match decoder.read(&mut buffer) {
                Ok(0) => return (kept, None),
                Ok(count) => kept.extend_from_slice(&buffer[..count]),
                Err(error) => return (kept, Some(error.to_string())),
            }
        }
    }

    fn check(packed: &[u8]) {
        let (kept, stopped) = sequential(packed);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(packed).unwrap();
        let opened = DumpFile::open_with(file.path(), &OpenOptions::default(), &mut |_, _| ());
        match opened {
            Ok(dump) => {
                assert!(dump.as_slice() == kept);
                let problem = dump.problems().concat();
                match stopped.as_deref() {
                    None => assert_eq!(problem, ""),
                    Some("incomplete deflate stream" | "unexpected end of file") => {
                        assert!(problem.starts_with("the gzip file ends early"));
                    }
                    Some(stopped) => assert!(problem.contains(stopped), "{problem}"),
                }
            }
            Err(DumpFileError::NotGzip { source, .. }) => {
                assert_eq!(Some(source.to_string()), stopped);
                assert!(kept.is_empty());
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[derive(Clone, Debug)]
    enum Part {
        /// So many bytes, compressed at this level; level 0 stores them.
        Member(usize, u32),
        /// Members inside of a member, as they are.
        Nested(Vec<Part>),
        /// What no reader takes for a member, or not for long.
        Garbage(Vec<u8>),
    }

    fn packed(parts: &[Part]) -> Vec<u8> {
        let member = |bytes: &[u8], level| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        parts
            .iter()
            .flat_map(|part| match part {
                Part::Member(length, level) => {
                    let bytes: Vec<u8> = (0..*length).map(|at| (at * at / 7) as u8).collect();
                    member(&bytes, *level)
                }
                Part::Nested(parts) => member(&packed(parts), 0),
                Part::Garbage(bytes) => bytes.clone(),
            })
            .collect()
    }

    fn part() -> impl Strategy<Value = Part> {
        let lengths = prop_oneof![
            4 => 0..4usize,
            20 => 0..70_000usize,
            1 => (0..3usize).prop_map(|more| LARGEST - 1 + more),
        ];
        let member = (lengths, prop_oneof![Just(0u32), Just(1), Just(6)])
            .prop_map(|(length, level)| Part::Member(length, level));
        let like_a_member = Just(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff]);
        let garbage = prop_oneof![prop::collection::vec(any::<u8>(), 1..40), like_a_member]
            .prop_map(Part::Garbage);
        prop_oneof![12 => member, 1 => garbage].prop_recursive(2, 16, 4, |part| {
            prop::collection::vec(part, 1..4).prop_map(Part::Nested)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn gives_what_reading_from_front_to_back_gives(
            parts in prop::collection::vec(part(), 1..50),
            cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
            damage in prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut bytes = packed(&[&[Part::Member(9, 6)], &parts[..]].concat());
            if let Some((place, value)) = damage {
                let place = place.index(bytes.len());
                bytes[place] ^= value;
            }
            if let Some(cut) = cut {
                bytes.truncate(2 + cut.index(bytes.len() - 2));
            }
            if bytes.starts_with(&MAGIC) {
                check(&bytes);
            }
        }
    }
}
