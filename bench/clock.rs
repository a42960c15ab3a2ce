//! The time that a thread has run, by the scheduler's account.

use std::time::Duration;

/// How long this thread has run on a core since its start. A call costs some 200 ns, so it belongs around a batch.
pub fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours, and the clock exists on every Linux.
    let is_read = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } == 0;
    debug_assert!(is_read, "a thread has a clock");
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
