//! Searches that are made one reading of memory at a time, for whoever makes many at once and wants the processor to
//! fetch for all of them what each would wait for alone.

use super::buckets::{Branch, Bucket, Slot, Tag, Trunk, nearest, place, position_of};

/// Memory that the next step reads.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Where it begins. To be fetched, and never to be read by this.
    pub begin: *const u8,
    /// How many bytes there are.
    pub length: usize,
}

impl Stretch {
    /// The memory of a value.
    pub fn of<T: ?Sized>(value: &T) -> Self {
        Self { begin: std::ptr::from_ref(value).cast(), length: size_of_val(value) }
    }
}

/// A search on its way. Each step reads what the one before it named, and names what the next one reads. It may be given
/// up at any step.
pub(super) struct Ahead<'s, T> {
    hash: u64,
    at: At<'s, T>,
}

enum At<'s, T> {
    Trunk(&'s Trunk<T>),
    Branch(&'s Branch<T>),
    Bucket(&'s Bucket<T>),
    Slots(&'s Bucket<T>),
    Entry(&'s T, usize),
    End,
}

impl<'s, T: Slot> Ahead<'s, T> {
    pub(super) fn new(trunk: &'s Trunk<T>, hash: u64) -> Self {
        Self { hash, at: At::Trunk(trunk) }
    }

    /// Where it is after this step, and what is read there.
    fn step(&self) -> Option<(At<'s, T>, Stretch)> {
        let (branch_index, bucket_index) = place(self.hash);
        match self.at {
            At::Trunk(trunk) => {
                let branch = trunk.branches[branch_index].as_deref()?;
                Some((At::Branch(branch), Stretch::of(&branch.buckets[bucket_index])))
            }
            At::Branch(branch) => {
                let bucket = branch.buckets[bucket_index].as_deref()?;
                Some((At::Bucket(bucket), Stretch::of(bucket)))
            }
            At::Bucket(bucket) => {
                let slot = bucket.get(nearest(bucket.len(), Tag::of(self.hash)))?;
                Some((At::Slots(bucket), Stretch::of(slot)))
            }
            At::Slots(bucket) => {
                let slot = bucket.get(position_of(bucket, Tag::of(self.hash)))?;
                Some((At::Entry(slot, 1), slot.reads(0)?))
            }
            At::Entry(slot, step) => Some((At::Entry(slot, step + 1), slot.reads(step)?)),
            At::End => None,
        }
    }
}

impl<T: Slot> Iterator for Ahead<'_, T> {
    type Item = Stretch;

    fn next(&mut self) -> Option<Stretch> {
        let step = self.step();
        let (at, stretch) = step.map_or((At::End, None), |(at, stretch)| (at, Some(stretch)));
        self.at = at;
        stretch
    }
}
