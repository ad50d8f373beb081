//! `leakline redact`

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use leakline_hprof::Hprof;
use leakline_hprof::redact::{Redaction, RedactionSummary, Text, redact};
use leakline_model::{ByteSize, Glob, grouped};

use crate::args::RedactArguments;
use crate::progress::{Progress, Step};
use crate::{Outcome, dumps, output};

/// Fields by which memory outside of the heap is measured, as it is inside by the lengths of
/// arrays: how large a buffer is, and whether a stream has native memory at all.
const NATIVE_SIZES: [&str; 4] = [
    "java.nio.Buffer.capacity",
    "java.util.zip.*ZStreamRef.address",
    "jdk.internal.foreign.MemorySessionImpl.state",
    "jdk.internal.foreign.*Size",
];
/// Where threads have their names, in every JDK.
const THREAD_NAMES: &str = "java.lang.Thread.name";

/// Writes the redacted copy, and says what was done.
pub fn run(arguments: &RedactArguments) -> anyhow::Result<Outcome> {
    let (input, path) = (&arguments.dump, &arguments.output);
    if same_file(input, path) {
        bail!(
            "{} is the dump itself; name another file for the copy",
            path.display()
        );
    }
    if let (file, Some(_)) = dumps::numbered(input) {
        bail!(
            "all dumps of a file are redacted together; redact {}, and choose one when the copy is analysed",
            file.display()
        );
    }
    let bar = Progress::over(STEPS);
    let file = dumps::open(input, &bar)?;
    let hprof = Hprof::parse(file.as_slice())
        .with_context(|| format!("cannot redact {}", input.display()))?;
    let summary = write_aside(path, |sink| {
        let tell = |share: f32| bar.set(REDACTING.name, share);
        copy(&hprof, arguments, &tell, sink)
    })?;
    drop(bar);
    for problem in file.problems().iter().chain(&summary.problems) {
        output::complain(&format!("{}: {problem}", input.display()));
    }
    output::write(&said(&summary, path), None)?;
    Ok(Outcome::Done)
}

/// Compared with inflating a dump.
const REDACTING: Step = Step::new("redacting", 60.0);

const STEPS: &[Step] = &[dumps::INFLATING, REDACTING];

fn copy(
    hprof: &Hprof<'_>,
    arguments: &RedactArguments,
    progress: &dyn Fn(f32),
    sink: &mut dyn Write,
) -> anyhow::Result<RedactionSummary> {
    let mut keep: Vec<Glob> = arguments.keep.iter().map(Glob::new).collect();
    keep.extend(NATIVE_SIZES.map(Glob::new));
    if !arguments.no_thread_names {
        keep.push(Glob::new(THREAD_NAMES));
    }
    let key = hash_key(arguments)?;
    let hash = |text: &[u8]| *blake3::keyed_hash(&key, text).as_bytes();
    let options = Redaction {
        keep: &keep,
        text: if arguments.hash_strings {
            Text::Hash(&hash)
        } else {
            Text::Zero
        },
        progress: Some(progress),
    };
    if arguments.output.extension().is_some_and(|ext| ext == "gz") {
        let mut encoder = GzEncoder::new(sink, Compression::fast());
        let summary = redact(hprof, &options, &mut encoder)?;
        encoder.finish()?;
        Ok(summary)
    } else {
        Ok(redact(hprof, &options, sink)?)
    }
}

/// Derived from what the user gave, so that copies of several dumps can be compared, or else
/// random: then not even we can try likely texts later.
fn hash_key(arguments: &RedactArguments) -> anyhow::Result<[u8; 32]> {
    const CONTEXT: &str = "leakline redact 2026-11 text of strings";
    if let Some(key) = &arguments.hash_key {
        return Ok(blake3::derive_key(CONTEXT, key.as_bytes()));
    }
    let mut key = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut key))
        .context("cannot read a random key from /dev/urandom; give one with --hash-key")?;
    Ok(key)
}

/// Nobody but the user may read the copy, and nobody may take half of one for a whole: it is
/// written aside with mode 0600, then renamed.
fn write_aside<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let cannot = || format!("cannot write {}", path.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    let done = write(file.as_file_mut()).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(path)
        .map_err(|error| error.error)
        .with_context(cannot)?;
    Ok(done)
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn said(summary: &RedactionSummary, path: &Path) -> String {
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut text = format!(
        "{} ({}): {} objects, {} of values redacted, {} kept",
        path.display(),
        ByteSize(size),
        grouped(summary.objects),
        ByteSize(summary.redacted_bytes),
        ByteSize(summary.kept_bytes),
    );
    if summary.dropped_texts > 0 {
        text += &format!(
            ", {} texts that name nothing left out",
            grouped(summary.dropped_texts)
        );
    }
    text + "\n"
}
