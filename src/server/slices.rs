//! For how long the kernel lets a thread run before it looks at who else wants the processor.

use std::io;
use std::mem;

/// Slices of processor time. They change who goes first, and nobody's share: no right is needed to ask for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slices {
    /// As the kernel gives them (0.7 to 2.8 ms by the number of processors): for a shard.
    Usual,
    /// For what works beside the shards: a shard that wakes on its processor goes before it at once. A message that came
    /// while the journal was synced or the metrics were written had to wait for up to three milliseconds.
    Long,
}

impl Slices {
    /// As the kernel takes it; 0 is the kernel's own choice.
    const fn nanoseconds(self) -> u64 {
        match self {
            Self::Usual => 0,
            Self::Long => 10_000_000,
        }
    }
}

/// Asks for slices for the calling thread and for those that it starts. Linux 6.12 and later; an older kernel takes it and
/// does nothing. A policy that somebody has chosen for the process (`chrt`) stays.
pub(crate) fn ask(slices: Slices) {
    if let Err(error) = try_ask(slices) {
        tracing::debug!(%error, ?slices, "a thread keeps the slices of processor time that it has");
    }
}

fn try_ask(slices: Slices) -> io::Result<()> {
    let mut attributes = current()?;
    if attributes.sched_policy != libc::SCHED_OTHER as u32 {
        return Ok(());
    }
    attributes.sched_runtime = slices.nanoseconds();
    let (calling_thread, no_flags): (libc::pid_t, libc::c_uint) = (0, 0);
    // SAFETY: the kernel reads a `sched_attr` of the size that stands in it, and keeps no pointer.
    let answer =
        unsafe { libc::syscall(libc::SYS_sched_setattr, calling_thread, std::ptr::from_ref(&attributes), no_flags) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn current() -> io::Result<libc::sched_attr> {
    // SAFETY: all fields are integers, for which zero is a value.
    let mut attributes: libc::sched_attr = unsafe { mem::zeroed() };
    let size = mem::size_of::<libc::sched_attr>() as libc::c_uint;
    let (calling_thread, no_flags): (libc::pid_t, libc::c_uint) = (0, 0);
    // SAFETY: the kernel writes at most `size` bytes, and keeps no pointer.
    let answer = unsafe {
        libc::syscall(libc::SYS_sched_getattr, calling_thread, std::ptr::from_mut(&mut attributes), size, no_flags)
    };
    if answer == 0 { Ok(attributes) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_begins_with_its_parents_slices_and_keeps_policy_and_priority() {
        let before = current().unwrap();
        try_ask(Slices::Long).unwrap();
        let (inherited, usual) = thread::spawn(|| {
            let inherited = current().unwrap();
            try_ask(Slices::Usual).unwrap();
            (inherited, current().unwrap())
        })
        .join()
        .unwrap();
        for after in [&inherited, &usual] {
            assert_eq!((after.sched_policy, after.sched_nice), (before.sched_policy, before.sched_nice));
        }
        // Kernels before 6.12 say 0 whatever was asked.
        assert!([0, Slices::Long.nanoseconds()].contains(&inherited.sched_runtime), "{}", inherited.sched_runtime);
        assert_eq!(usual.sched_runtime, before.sched_runtime, "the kernel's own choice again");
    }
}
