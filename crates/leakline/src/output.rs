//! Where reports go: a file, or standard output.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Fails now if a report could not be written to `path` later, after all the work.
pub fn check(path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    if path.is_dir() {
        bail!("{} is a folder; name a file in it", path.display());
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        bail!(
            "cannot write {}: there is no folder {}",
            path.display(),
            folder.display()
        );
    }
    Ok(())
}

/// Writes `text` to `path`, or to standard output when there is none. A reader that has gone
/// away (`leakline analyze … | head`) is no error.
pub fn write(text: &str, path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else {
        let mut out = io::stdout().lock();
        return match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).context("cannot write to standard output")
            }
            _ => Ok(()),
        };
    };
    write_file(text, path).with_context(|| format!("cannot write {}", path.display()))
}

fn write_file(text: &str, path: &Path) -> io::Result<()> {
    // a link stays, and what it leads to is written
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&path) {
        // a pipe or a device is written to, not replaced
        Ok(metadata) if !metadata.is_file() => fs::OpenOptions::new()
            .write(true)
            .open(&path)?
            .write_all(text.as_bytes()),
        _ => replace(text, &path),
    }
}

/// A report that is cut off must not be taken for a whole one: written aside, then renamed.
fn replace(text: &str, path: &Path) -> io::Result<()> {
    // readable by whom the user's umask allows, as any file that a command writes
    let permissions = fs::Permissions::from_mode(0o666);
    let folder = folder_of(path);
    let mut file = tempfile::Builder::new()
        .permissions(permissions)
        .tempfile_in(&folder)
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("nothing can be made in {}", folder.display()),
            )
        })?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn folder_of(path: &Path) -> PathBuf {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_and_its_target_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "before").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write("after", Some(&link)).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "after");
    }

    #[test]
    fn a_pipe_is_written_to_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        write("report", Some(&pipe)).unwrap();
        assert_eq!(reader.join().unwrap(), "report");
        assert!(!fs::metadata(&pipe).unwrap().is_file());
    }

    #[test]
    fn a_folder_that_is_not_there_is_found_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check(Some(&folder.path().join("report.html"))).is_ok());
        assert!(check(Some(&folder.path().join("none/report.html"))).is_err());
        assert!(check(Some(folder.path())).is_err());
    }
}
