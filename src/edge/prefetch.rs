//! The processor's hint that memory is going to be read. All unsafe code of this floor is here, and nothing else is.

use ringway_directory::Stretch;

/// Bytes of a line of the processor's caches.
const LINE: usize = 64;

/// Of one stretch no more than so many bytes are fetched.
const MOST: usize = 4 * LINE;

/// Has the memory fetched, and doesn't wait for it. Nothing but time depends on it: the address may be any.
#[inline]
pub(crate) fn prefetch(stretch: Stretch) {
    if stretch.length == 0 {
        return;
    }
    let ahead = stretch.begin.align_offset(LINE);
    let behind_the_first = stretch.length.min(MOST).saturating_sub(ahead);
    // A stretch that ends within its first line has nothing behind it.
    for line in 0..=behind_the_first.div_ceil(LINE) {
        let offset = if line == 0 { 0 } else { ahead + (line - 1) * LINE };
        fetch_line(stretch.begin.wrapping_add(offset));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch_line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: x86-64 has SSE, and its PREFETCHT0 neither faults nor changes anything, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn fetch_line(_: *const u8) {}
