//! Bytes of a file to lines: compression by magic bytes, framing, a limit to the length.

use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

/// RFC 1952, section 2.3.1.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// RFC 8878, section 3.1.1.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// How many bytes tell the formats apart.
const PREFIX: usize = 8;

/// A file as a sequence of lines.
pub(super) struct Source<'r> {
    input: Box<dyn BufRead + Send + 'r>,
    framing: Framing,
    compressed: bool,
    limit: u64,
}

enum Framing {
    /// Lines that end with a line feed.
    Lines,
    /// Each line in a zstd frame of its own, behind its length in four big-endian bytes: what the
    /// Collector's file exporter writes for `compression: zstd` unless its feature gate
    /// `exporter.file.nativeCompression` is on (`exportMessageAsBuffer` in `file_writer.go`).
    ZstdMessages,
}

/// How reading a line went.
pub(super) enum Outcome {
    /// The line is in the buffer.
    Line,
    /// The line is in the buffer, but the file ends before the line does.
    LastLine,
    /// The line was longer than the limit and was passed over.
    TooLong,
    /// The file is damaged here, and what follows cannot be found.
    Damaged(&'static str, io::Error),
    /// There are no more lines.
    End,
}

impl<'r> Source<'r> {
    /// Looks at the first bytes to find out what `input` is. No line may be longer than `limit`.
    pub(super) fn new(input: impl Read + Send + 'r, limit: u64) -> io::Result<Self> {
        let mut input = BufReader::new(input);
        let mut prefix = Vec::with_capacity(PREFIX);
        input
            .by_ref()
            .take(PREFIX as u64)
            .read_to_end(&mut prefix)?;
        let zstd_behind_length = prefix.get(4..) == Some(ZSTD_MAGIC);
        let gzip = prefix.starts_with(GZIP_MAGIC);
        let zstd = prefix.starts_with(ZSTD_MAGIC);
        let input = Cursor::new(prefix).chain(input);
        let input: Box<dyn BufRead + Send + 'r> = if gzip {
            Box::new(BufReader::new(MultiGzDecoder::new(input)))
        } else if zstd {
            Box::new(BufReader::new(zstd::Decoder::with_buffer(input)?))
        } else {
            Box::new(input)
        };
        Ok(Source {
            input,
            framing: if zstd_behind_length {
                Framing::ZstdMessages
            } else {
                Framing::Lines
            },
            compressed: gzip || zstd,
            limit,
        })
    }

    pub(super) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Reads the next line into `line`, without its line feed. An error is one of the input
    /// itself, not of what it holds.
    pub(super) fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<Outcome> {
        line.clear();
        match self.framing {
            Framing::Lines => self.next_text_line(line).or_else(|error| {
                // decoders report damage without a code of the operating system
                if self.compressed && error.raw_os_error().is_none() {
                    Ok(Outcome::Damaged(
                        "the compressed data is damaged or cut off",
                        error,
                    ))
                } else {
                    Err(error)
                }
            }),
            Framing::ZstdMessages => self.next_zstd_message(line),
        }
    }

    fn next_text_line(&mut self, line: &mut Vec<u8>) -> io::Result<Outcome> {
        // one more than the limit for the line feed
        let most = self.limit.saturating_add(1);
        self.input.by_ref().take(most).read_until(b'\n', line)?;
        Ok(if line.is_empty() {
            Outcome::End
        } else if line.ends_with(b"\n") {
            line.pop();
            Outcome::Line
        } else if line.len() as u64 == most {
            line.clear();
            self.input.skip_until(b'\n')?;
            Outcome::TooLong
        } else {
            Outcome::LastLine
        })
    }

    fn next_zstd_message(&mut self, line: &mut Vec<u8>) -> io::Result<Outcome> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(Outcome::End);
        }
        let cut_off = |error: io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => Ok(Outcome::Damaged("the file is cut off", error)),
            _ => Err(error),
        };
        let mut length = [0; 4];
        if let Err(error) = self.input.read_exact(&mut length) {
            return cut_off(error);
        }
        let length = u64::from(u32::from_be_bytes(length));
        let mut frame = Vec::new();
        let kept = length.min(self.limit);
        self.input.by_ref().take(kept).read_to_end(&mut frame)?;
        if (frame.len() as u64) < kept {
            return cut_off(ErrorKind::UnexpectedEof.into());
        }
        if length > self.limit {
            let rest = length - self.limit;
            io::copy(&mut self.input.by_ref().take(rest), &mut io::sink())?;
            return Ok(Outcome::TooLong);
        }
        let most = self.limit.saturating_add(1);
        let decompressed = zstd::Decoder::with_buffer(frame.as_slice())?
            .take(most)
            .read_to_end(line);
        Ok(match decompressed {
            Err(error) => Outcome::Damaged("a compressed message is damaged", error),
            Ok(_) if line.len() as u64 == most => {
                line.clear();
                Outcome::TooLong
            }
            Ok(_) => Outcome::Line,
        })
    }
}
