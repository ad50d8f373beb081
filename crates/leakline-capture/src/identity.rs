//! Acting with another user's rights, so that a root process never follows where a target leads.
//!
//! HotSpot serves only its own effective user and group (JDK 8 not even root), and files made
//! for it must be its own. Doing that work with the target's rights instead of root's also means
//! that links planted in the target's file system lead nowhere the target could not go itself.

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// An effective user and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Identity {
    /// Ours.
    pub(crate) fn own() -> Self {
        Identity {
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        }
    }

    /// Runs `action` with this effective user and group; `Err` when the system does not allow it.
    ///
    /// On Linux credentials belong to a thread; only the C library keeps those of all threads
    /// the same. The raw calls are made on a thread of their own that ends with the action, so
    /// no other thread ever runs with foreign rights. Real and saved ids stay: the user whose
    /// rights are borrowed can neither signal nor trace the thread.
    pub(crate) fn act<T: Send>(self, action: impl FnOnce() -> T + Send) -> Result<T, Errno> {
        if self == Self::own() {
            return Ok(action());
        }
        let dumpable = dumpable_behavior();
        let outcome = std::thread::scope(|scope| {
            std::thread::Builder::new()
                .spawn_scoped(scope, move || {
                    self.assume()?;
                    Ok(action())
                })
                .map_or(Ok(Err(Errno::AGAIN)), |worker| worker.join())
        });
        // changing credentials clears the flag for the whole process, and with it core dumps
        if let Ok(DumpableBehavior::Dumpable) = dumpable {
            let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
        }
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Makes the calling thread act as this identity, for good.
    fn assume(self) -> Result<(), Errno> {
        let group = Gid::from_raw(self.group);
        let own = Self::own();
        if own.user != self.user {
            set_thread_groups(&[group])?;
        }
        if own.group != self.group {
            set_thread_res_gid(None, group, None)?;
        }
        if own.user != self.user {
            set_thread_res_uid(None, Uid::from_raw(self.user), None)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_borrowed_by_one_thread_only() {
        let own = Identity::own();
        let nobody = Identity {
            user: 65534,
            group: 65534,
        };
        match nobody.act(Identity::own) {
            Ok(acting) => assert_eq!(acting, nobody),
            Err(error) => assert_eq!((error, own.user == 0), (Errno::PERM, false)),
        }
        assert_eq!(Identity::own(), own);
        assert_eq!(own.act(Identity::own), Ok(own));
    }
}
