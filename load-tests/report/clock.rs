//! Time on a processor, as the scheduler counts it: exact, not sampled.

/// Nanoseconds that the calling thread has been on a processor. A system call: for once a second, not for the loop.
pub fn thread_cpu() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID).unwrap_or_default()
}

/// Nanoseconds that all threads of a process have been on a processor, those that have ended among them. `None` when
/// there is no such process.
pub(super) fn of_process(pid: u32) -> Option<u64> {
    let pid = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 0)?;
    let mut clock: libc::clockid_t = 0;
    // SAFETY: `clock` is ours, and is written to before it returns.
    let outcome = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
    if outcome == 0 { read(clock) } else { None }
}

fn read(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours, and is written to before it returns. A clock that does not exist is an error.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return None;
    }
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).ok()?, u64::try_from(time.tv_nsec).ok()?);
    Some(seconds * 1_000_000_000 + nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_uses_its_processor() {
        let (thread, process) = (thread_cpu(), of_process(std::process::id()).unwrap());
        // The kernel adds a thread that runs to its process with each tick, of which the slowest is 10 ms.
        while thread_cpu() < thread + 22_000_000 {}
        assert!(of_process(std::process::id()).unwrap() >= process + 2_000_000);
    }

    #[test]
    fn the_time_of_a_thread_that_has_ended_stays_with_its_process() {
        let before = of_process(std::process::id()).unwrap();
        let worked = std::thread::spawn(|| while thread_cpu() < 5_000_000 {}).join();
        assert!(worked.is_ok());
        assert!(of_process(std::process::id()).unwrap() >= before + 5_000_000);
    }

    #[test]
    fn no_process_has_no_time() {
        assert_eq!(of_process(0), None);
        assert_eq!(of_process(u32::MAX), None);
        assert_eq!(of_process(4_194_305), None);
    }
}
