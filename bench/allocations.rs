//! Counting allocations.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

use tikv_jemallocator::Jemalloc;

/// The server's allocator, which counts what this thread asks of it. For a `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

/// What a thread has asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// Allocations, a larger piece for a smaller one included.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

thread_local! {
    static ALLOCATED: Cell<Allocated> = const { Cell::new(Allocated { count: 0, bytes: 0 }) };
}

/// What this thread has asked for since its start. Always nothing in a program whose allocator is not [`Counting`].
pub fn so_far() -> Allocated {
    ALLOCATED.get()
}

impl Allocated {
    /// What came after `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self { count: self.count - earlier.count, bytes: self.bytes - earlier.bytes }
    }
}

/// What `work` asks for.
pub fn of(work: impl FnOnce()) -> Allocated {
    let before = so_far();
    work();
    so_far().since(before)
}

fn count(size: usize) {
    let Allocated { count, bytes } = ALLOCATED.get();
    ALLOCATED.set(Allocated { count: count + 1, bytes: bytes + size as u64 });
}

// SAFETY: everything is left to the server's allocator; counting touches a cell that needs neither allocation nor drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { Jemalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { Jemalloc.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { Jemalloc.dealloc(memory, layout) }
    }
}
