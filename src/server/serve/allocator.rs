//! How the C library's allocator is to behave.

/// Joins what is freed with its free neighbours at once.
///
/// glibc keeps small pieces apart when they are freed (its fast bins), and joins all of them the next time that something of a
/// kilobyte is asked for. After a million registrations had run out, a shard was away for more than 60 ms by that: of 230,000
/// OPTIONS meanwhile 125 took longer than 10 ms, and 2 with this. Registrations and calls cost what they did.
pub(super) fn join_what_is_freed() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes two numbers, and is called before the threads whose memory it is about are started.
    unsafe {
        libc::mallopt(libc::M_MXFAST, 0)
    };
}
