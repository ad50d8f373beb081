//! Where reports go: a file, or standard output.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

/// Writes `text` to `path`, or to standard output when there is none. A reader that has gone
/// away (`leakline analyze … | head`) is no error.
pub fn write(text: &str, path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else {
        let mut out = std::io::stdout().lock();
        return match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(error).context("cannot write to standard output")
            }
            _ => Ok(()),
        };
    };
    // a report that is cut off must not be taken for a whole one: write aside, then rename
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        // readable by whom the user's umask allows, as any file that a command writes
        let permissions = std::fs::Permissions::from_mode(0o666);
        let mut file = tempfile::Builder::new()
            .permissions(permissions)
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Says on standard error what went wrong.
#[expect(
    clippy::print_stderr,
    reason = "the command line is where errors are told to people"
)]
pub fn complain(message: &str) {
    eprintln!("leakline: {message}");
}

/// Says on standard error what is being done.
#[expect(
    clippy::print_stderr,
    reason = "the command line is where progress is told to people"
)]
pub fn say(message: &str) {
    eprintln!("{message}");
}
