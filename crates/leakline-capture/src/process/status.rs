//! `/proc/<pid>/status` and `/proc/<pid>/stat`, as far as we need them (`proc_pid_status(5)`).

/// What one `status` file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// The command's name, escaped by the kernel, at most 15 bytes.
    pub(crate) name: String,
    /// `R`, `S`, `T`, `Z`, …
    pub(crate) state: u8,
    /// The id in the innermost pid namespace.
    pub(crate) inner_pid: u32,
    /// Effective user id.
    pub(crate) user: u32,
    /// Effective group id.
    pub(crate) group: u32,
    /// Zero for kernel threads and zombies, which have no memory of their own.
    pub(crate) resident_bytes: u64,
    pub(crate) swapped_bytes: u64,
    /// Whether there is a handler for SIGQUIT.
    pub(crate) catches_quit: bool,
}

impl Status {
    /// `None` when a line that every kernel since 2.6 writes is missing or odd.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let field = |key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
                .map(str::trim)
        };
        // lines of ids are: real, effective, saved, of the file system
        let effective = |key: &str| field(key)?.split_whitespace().nth(1)?.parse().ok();
        let kibibytes = |key: &str| {
            field(key)
                .and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok())
                .map_or(0, |kibibytes| kibibytes.saturating_mul(1024))
        };
        // kernels before 4.1 have no NSpid; there is then no telling, and the outer id is the best
        let inner_pid = field("NSpid").or_else(|| field("Tgid"))?;
        let caught = u64::from_str_radix(field("SigCgt")?, 16).ok()?;
        const QUIT: u64 = 1 << (3 - 1);
        Some(Status {
            name: field("Name")?.to_owned(),
            state: *field("State")?.as_bytes().first()?,
            inner_pid: inner_pid.split_whitespace().last()?.parse().ok()?,
            user: effective("Uid")?,
            group: effective("Gid")?,
            resident_bytes: kibibytes("VmRSS"),
            swapped_bytes: kibibytes("VmSwap"),
            catches_quit: caught & QUIT != 0,
        })
    }
}

/// The start of the process in clock ticks since boot: field 22 of `/proc/<pid>/stat`.
pub(crate) fn start_ticks(stat: &str) -> Option<u64> {
    // the second field is the name in parentheses, which may hold blanks and parentheses
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JVM: &str = "Name:\tjava\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4711\nNgid:\t0\n\
        Pid:\t4711\nUid:\t1000\t1001\t1000\t1000\nGid:\t100\t101\t100\t100\n\
        NStgid:\t4711\t33\t7\nNSpid:\t4711\t33\t7\nVmRSS:\t  123456 kB\nVmSwap:\t4 kB\n\
        SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t2000000181005ccf\n";

    #[test]
    fn a_jvm_in_nested_namespaces() {
        assert_eq!(
            Status::parse(JVM),
            Some(Status {
                name: "java".to_owned(),
                state: b'S',
                inner_pid: 7,
                user: 1001,
                group: 101,
                resident_bytes: 123_456 * 1024,
                swapped_bytes: 4096,
                catches_quit: true,
            })
        );
    }

    #[test]
    fn signals_and_damage() {
        let caught = |mask: &str| {
            Status::parse(&JVM.replace("2000000181005ccf", mask)).map(|status| status.catches_quit)
        };
        assert_eq!(caught("0000000000000000"), Some(false));
        assert_eq!(caught("0000000000000003"), Some(false));
        assert_eq!(caught("0000000000000004"), Some(true));
        assert_eq!(caught("what"), None);
        assert_eq!(Status::parse(""), None);
        let old_kernel = JVM.replace("NSpid:\t4711\t33\t7\n", "");
        assert_eq!(Status::parse(&old_kernel).unwrap().inner_pid, 4711);
    }

    #[test]
    fn start_time_behind_an_awkward_name() {
        let stat = "12 (a) b) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24";
        assert_eq!(start_ticks(stat), Some(22));
        assert_eq!(start_ticks("12 (java) S"), None);
        assert_eq!(start_ticks(""), None);
    }
}
