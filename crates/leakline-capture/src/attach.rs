//! HotSpot's attach protocol, client side, without a JDK.
//!
//! A JVM listens on the Unix socket `/tmp/.java_pid<pid>` in its own file system, with the id
//! that it has in its own pid namespace. It opens the socket when it gets SIGQUIT while a file
//! `.attach_pid<pid>` of its own user stands in `/tmp`; without that file it prints a thread
//! dump to its standard output instead, which does no other harm. (It also looks for the file in
//! its working directory, which we leave alone: where `/tmp` is not writable there will be no
//! socket either.)
//!
//! One request per connection:
//!
//! ```text
//! version 1   "1" 0 command 0 argument 0 argument 0 argument 0       each up to 1024 bytes
//! version 2   "2" 0 size 0 command 0 ( argument 0 )*                 up to 256 KiB
//! answer      code "\n" text                                         to the end of the stream
//! ```
//!
//! Version 2 came with JDK 24; `getversion` asks for it. As implemented in OpenJDK
//! (`services/attachListener.hpp`, `jdk.attach/…/HotSpotVirtualMachine.java`), which is its only
//! specification.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::cancel::CancellationFlag;
use crate::error::{CaptureError, Refusal};
use crate::process::{Process, VirtualMachine};
use crate::target::TargetDirectory;

/// A JVM whose attach socket is open.
#[derive(Debug)]
pub struct Jvm<'a> {
    process: &'a Process,
    /// `/tmp` of the JVM: the name is fixed in HotSpot, `java.io.tmpdir` does not change it.
    temporary: TargetDirectory,
    version: Version,
    cancellation: CancellationFlag,
}

/// Which form of request the JVM understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Every JDK since 6.
    One,
    /// JDK 24 and newer.
    Two,
}

/// What a JVM answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 0 when the command was carried out, as far as the JVM can tell: failures of a heap dump
    /// come with code 0 and a text that says so.
    pub code: i32,
    /// The rest, at most 16 MiB of it.
    pub text: String,
    /// Time between the request and the end of the answer.
    pub took: Duration,
}

const ANSWER_LIMIT: u64 = 16 << 20;

/// How long a process that closed its sockets may take to be gone.
pub(crate) const LAST_BREATH: Duration = Duration::from_secs(2);

impl<'a> Jvm<'a> {
    /// Opens the attach socket of a JVM, which is given `timeout` for it. Waiting, here and for
    /// answers, ends early with [`CaptureError::Cancelled`] when `cancellation` says so.
    ///
    /// Refused, before anything is sent, to what does not pass [`Jvm::check`] or does not catch
    /// SIGQUIT.
    pub fn attach(
        process: &'a Process,
        timeout: Duration,
        cancellation: &CancellationFlag,
    ) -> Result<Self, CaptureError> {
        Self::check(process)?;
        let mut jvm = Jvm {
            process,
            temporary: TargetDirectory::open(process, Path::new("/tmp"))?,
            version: Version::One,
            cancellation: cancellation.clone(),
        };
        if jvm.connect()?.is_none() {
            jvm.open_socket(timeout)?;
        }
        // an older JVM answers with an error that says it does not know the command
        let answer = jvm.execute("getversion", &[], timeout, &mut || {})?;
        if answer.code == 0 && answer.text.trim() == "2" {
            jvm.version = Version::Two;
        }
        tracing::debug!(pid = process.pid(), version = ?jvm.version, "attached to JVM");
        Ok(jvm)
    }

    /// Whether `process` is a JVM that can be attached to, as far as that can be known without
    /// touching it.
    pub fn check(process: &Process) -> Result<(), Refusal> {
        let pid = process.pid();
        let command = || process.command().to_owned();
        if let Some(state) = process.hindrance() {
            return Err(Refusal::NotRunning {
                pid,
                command: command(),
                state,
            });
        }
        match process.virtual_machine() {
            Ok(Some(VirtualMachine::HotSpot)) => {}
            Ok(Some(VirtualMachine::OpenJ9)) => {
                return Err(Refusal::OpenJ9 {
                    pid,
                    command: command(),
                });
            }
            Ok(None) => {
                return Err(Refusal::NotJvm {
                    pid,
                    command: command(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(not_permitted(process, "read the memory map"));
            }
            Err(_) => return Err(Refusal::NoSuchProcess { pid }),
        }
        if process.disables_attach() {
            return Err(Refusal::AttachDisabled {
                pid,
                command: command(),
            });
        }
        Ok(())
    }

    /// The form of requests that was agreed on.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Has the JVM carry out a command (`jcmd`, `dumpheap`, `inspectheap`, `properties`, …) and
    /// waits for the whole answer. `waiting` is called several times a second meanwhile.
    pub fn execute(
        &self,
        command: &str,
        arguments: &[&str],
        timeout: Duration,
        waiting: &mut dyn FnMut(),
    ) -> Result<Answer, CaptureError> {
        let pid = self.process.pid();
        let request = request(self.version, command, arguments)
            .map_err(|reason| CaptureError::Protocol { pid, reason })?;
        let sent = Instant::now();
        let mut stream = loop {
            if let Some(stream) = self.connect()? {
                break stream;
            }
            self.check_wanted("connected to it")?;
            if sent.elapsed() > timeout {
                return Err(self.answer_timed_out(command, timeout));
            }
            waiting();
            std::thread::sleep(Duration::from_millis(50));
        };
        let answer = self
            .converse(&mut stream, &request, sent + timeout, waiting)
            .map_err(|error| self.conversation_error(command, timeout, &error))?;
        let (code, text) =
            parse_answer(&answer).map_err(|reason| CaptureError::Protocol { pid, reason })?;
        Ok(Answer {
            code,
            text,
            took: sent.elapsed(),
        })
    }

    /// Sends the request and reads to the end of the stream.
    fn converse(
        &self,
        stream: &mut UnixStream,
        request: &[u8],
        deadline: Instant,
        waiting: &mut dyn FnMut(),
    ) -> io::Result<Vec<u8>> {
        stream.set_nonblocking(false)?;
        // long enough to cost nothing, short enough for a progress bar
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(request)?;
        waiting();
        let mut answer = Vec::new();
        let mut limited = stream.take(ANSWER_LIMIT);
        let mut buffer = [0; 8192];
        loop {
            match limited.read(&mut buffer) {
                Ok(0) if answer.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(0) => return Ok(answer),
                Ok(count) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => waiting(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.cancellation.is_cancelled() || Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    fn conversation_error(
        &self,
        command: &str,
        waited: Duration,
        error: &io::Error,
    ) -> CaptureError {
        if self.cancellation.is_cancelled() {
            return self.cancelled();
        }
        // a process that ends closes its sockets some time before it is gone
        let timed_out = error.kind() == io::ErrorKind::TimedOut;
        if !timed_out && self.process.ends_within(LAST_BREATH) {
            return CaptureError::Died {
                pid: self.process.pid(),
                activity: "waited for its answer",
            };
        }
        match error.kind() {
            io::ErrorKind::TimedOut => self.answer_timed_out(command, waited),
            _ => CaptureError::ConnectionClosed {
                pid: self.process.pid(),
                command: command.to_owned(),
                user: self.process.user(),
                group: self.process.group(),
            },
        }
    }

    fn answer_timed_out(&self, command: &str, waited: Duration) -> CaptureError {
        CaptureError::AnswerTimedOut {
            pid: self.process.pid(),
            command: command.to_owned(),
            waited,
        }
    }

    /// Whether it is worth waiting: the process runs, and its answer is still wanted.
    fn check_wanted(&self, activity: &'static str) -> Result<(), CaptureError> {
        if self.cancellation.is_cancelled() {
            return Err(self.cancelled());
        }
        if self.process.is_running() {
            return Ok(());
        }
        Err(CaptureError::Died {
            pid: self.process.pid(),
            activity,
        })
    }

    fn cancelled(&self) -> CaptureError {
        CaptureError::Cancelled {
            pid: self.process.pid(),
        }
    }

    /// Has the JVM open its socket, and waits until it listens.
    fn open_socket(&self, timeout: Duration) -> Result<(), CaptureError> {
        let process = self.process;
        let pid = process.pid();
        let trigger = Trigger::place(&self.temporary, process)?;
        // looked at again at the last moment: what does not catch the signal dies of it
        if !process.catches_quit() {
            return Err(Refusal::SignalNotCaught {
                pid,
                command: process.command().to_owned(),
            }
            .into());
        }
        process.send_quit().map_err(|error| match error {
            Errno::SRCH => CaptureError::Died {
                pid,
                activity: "attached to it",
            },
            _ => not_permitted(process, "send a signal").into(),
        })?;
        let asked = Instant::now();
        let mut pause = Duration::from_millis(10);
        while self.connect()?.is_none() {
            self.check_wanted("attached to it")?;
            if asked.elapsed() > timeout {
                return Err(CaptureError::AttachTimedOut {
                    pid,
                    waited: timeout,
                });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
        }
        drop(trigger);
        Ok(())
    }

    /// A connection to the JVM, or `None` while nobody listens: there is no socket, or one left
    /// over from an earlier process with the same id, or its queue is full.
    fn connect(&self) -> Result<Option<UnixStream>, CaptureError> {
        let name = format!(".java_pid{}", self.process.inner_pid());
        let path = self.temporary.path_from_here(&name);
        // the credentials that the JVM checks are those at the moment of the connection
        let connection = self.temporary.act(|| {
            let address = SocketAddrUnix::new(&path)?;
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket =
                rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            rustix::net::connect(&socket, &address)?;
            Ok(socket)
        })?;
        let stream = match connection {
            Ok(socket) => UnixStream::from(socket),
            Err(Errno::NOENT | Errno::CONNREFUSED | Errno::AGAIN) => return Ok(None),
            Err(Errno::ACCESS | Errno::PERM) => {
                return Err(not_permitted(self.process, "connect to the attach socket").into());
            }
            Err(error) => {
                return Err(CaptureError::Io {
                    action: "connect to the attach socket",
                    path: Path::new("/tmp").join(name),
                    source: error.into(),
                });
            }
        };
        self.check_peer(&stream)?;
        Ok(Some(stream))
    }

    /// Two containers that share `/tmp` and number their processes alike have one name for two
    /// sockets; and anybody may make a socket of that name.
    fn check_peer(&self, stream: &UnixStream) -> Result<(), CaptureError> {
        let owner = rustix::net::sockopt::socket_peercred(stream)
            .map(|credentials| credentials.pid.as_raw_nonzero().get())
            .unwrap_or_default();
        let owner = u32::try_from(owner).unwrap_or_default();
        if owner == self.process.pid() {
            return Ok(());
        }
        Err(Refusal::ForeignSocket {
            pid: self.process.pid(),
            owner,
        }
        .into())
    }
}

fn not_permitted(process: &Process, action: &'static str) -> Refusal {
    Refusal::NotPermitted {
        action,
        pid: process.pid(),
        user: process.user(),
        group: process.group(),
    }
}

/// The file that tells a JVM to take SIGQUIT as a request to open its socket; removed when
/// dropped.
struct Trigger<'a> {
    directory: &'a TargetDirectory,
    name: String,
}

impl<'a> Trigger<'a> {
    fn place(directory: &'a TargetDirectory, process: &Process) -> Result<Self, CaptureError> {
        let name = format!(".attach_pid{}", process.inner_pid());
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let created =
            directory.act(|| openat(directory.fd(), &name, flags, Mode::RUSR | Mode::WUSR))?;
        match created {
            Ok(_) => Ok(Trigger { directory, name }),
            Err(error) => Err(Refusal::TargetNotWritable {
                pid: process.pid(),
                directory: directory.path().to_owned(),
                reason: io::Error::from(error).to_string(),
            }
            .into()),
        }
    }
}

impl Drop for Trigger<'_> {
    fn drop(&mut self) {
        let _ = self
            .directory
            .act(|| unlinkat(self.directory.fd(), &self.name, AtFlags::empty()));
    }
}

/// The bytes of a request, or why it cannot be one.
fn request(version: Version, command: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
    const MOST_ARGUMENTS: usize = 3;
    const LONGEST_ARGUMENT: usize = 1024;
    const LARGEST: usize = 256 * 1024;
    let strings = || std::iter::once(&command).chain(arguments);
    if strings().any(|string| string.contains('\0')) {
        return Err("an argument holds a NUL byte".to_owned());
    }
    let mut bytes = Vec::new();
    match version {
        Version::One => {
            if arguments.len() > MOST_ARGUMENTS {
                return Err(format!(
                    "{command} has more than {MOST_ARGUMENTS} arguments"
                ));
            }
            if strings().any(|string| string.len() > LONGEST_ARGUMENT) {
                return Err(format!(
                    "{command} has an argument of more than {LONGEST_ARGUMENT} bytes"
                ));
            }
            bytes.extend_from_slice(b"1\0");
        }
        Version::Two => {
            let size: usize = strings().map(|string| string.len() + 1).sum();
            if size > LARGEST {
                return Err(format!(
                    "{command} has more than {LARGEST} bytes of arguments"
                ));
            }
            bytes.extend_from_slice(format!("2\0{size}\0").as_bytes());
        }
    }
    for string in strings() {
        bytes.extend_from_slice(string.as_bytes());
        bytes.push(0);
    }
    if version == Version::One {
        bytes.resize(bytes.len() + MOST_ARGUMENTS - arguments.len(), 0);
    }
    Ok(bytes)
}

fn parse_answer(bytes: &[u8]) -> Result<(i32, String), String> {
    let text = String::from_utf8_lossy(bytes);
    let (code, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let code = code.trim().parse().map_err(|_| {
        let start: String = text.chars().take(40).collect();
        format!("its answer does not begin with a number: {start:?}")
    })?;
    Ok((code, rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn requests_as_openjdk_writes_them() {
        let check = |version, command, arguments: &[&str], expected: Expect| {
            let bytes =
                request(version, command, arguments).map(|bytes| bytes.escape_ascii().to_string());
            expected.assert_eq(&bytes.unwrap_or_else(|error| format!("error: {error}")));
        };
        check(
            Version::One,
            "properties",
            &[],
            expect![[r"1\x00properties\x00\x00\x00\x00"]],
        );
        check(
            Version::One,
            "dumpheap",
            &["/tmp/a", "-live"],
            expect![[r"1\x00dumpheap\x00/tmp/a\x00-live\x00\x00"]],
        );
        check(
            Version::One,
            "x",
            &["a", "b", "c"],
            expect![[r"1\x00x\x00a\x00b\x00c\x00"]],
        );
        check(
            Version::Two,
            "properties",
            &[],
            expect![[r"2\x0011\x00properties\x00"]],
        );
        check(
            Version::Two,
            "dumpheap",
            &["/tmp/ä", "-live"],
            expect![[r"2\x0023\x00dumpheap\x00/tmp/\xc3\xa4\x00-live\x00"]],
        );
        check(
            Version::One,
            "x",
            &["a", "b", "c", "d"],
            expect!["error: x has more than 3 arguments"],
        );
        let long = "a".repeat(1025);
        check(
            Version::One,
            "x",
            &[&long],
            expect!["error: x has an argument of more than 1024 bytes"],
        );
        let longest = "a".repeat(256 * 1024);
        check(
            Version::Two,
            "x",
            &[&longest],
            expect!["error: x has more than 262144 bytes of arguments"],
        );
        check(
            Version::Two,
            "x\0y",
            &[],
            expect!["error: an argument holds a NUL byte"],
        );
    }

    #[test]
    fn answers() {
        let check = |bytes: &str, expected: Expect| {
            expected.assert_eq(&format!("{:?}", parse_answer(bytes.as_bytes())));
        };
        check(
            "0\nHeap dump file created\n",
            expect![[r#"Ok((0, "Heap dump file created\n"))"#]],
        );
        check("101\n", expect![[r#"Ok((101, ""))"#]]);
        check("-1", expect![[r#"Ok((-1, ""))"#]]);
        check(
            "HTTP/1.1 200",
            expect![[r#"Err("its answer does not begin with a number: \"HTTP/1.1 200\"")"#]],
        );
    }
}
