//! A hash table of two levels whose parts are shared between copies: 256 branches of 256 buckets.
//!
//! The top eight bits of a hash choose the branch, the next eight the bucket, and the low 32 are kept as a tag, by which a
//! bucket is sorted. Copying the table copies one pointer; changing an entry of a copy first copies its branch and its
//! bucket, unless no other copy shares them. At a million entries a bucket holds about 15.

use std::sync::Arc;

use super::ahead::Stretch;

/// Branches of a table, and buckets of a branch.
pub(super) const FAN_OUT: usize = 256;

/// The low bits of an entry's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tag(u32);

impl Tag {
    pub(super) fn of(hash: u64) -> Self {
        Self((hash & u64::from(u32::MAX)) as u32)
    }
}

/// An entry that remembers the tag of its hash.
pub(super) trait Slot: Clone {
    fn tag(&self) -> Tag;

    /// What whoever has found the entry reads next, and after that; `None` when there is no more.
    fn reads(&self, step: usize) -> Option<Stretch>;
}

pub(super) type Bucket<T> = Vec<T>;

#[derive(Clone)]
pub(super) struct Branch<T> {
    pub(super) buckets: [Option<Arc<Bucket<T>>>; FAN_OUT],
}

#[derive(Clone)]
pub(super) struct Trunk<T> {
    pub(super) branches: [Option<Arc<Branch<T>>>; FAN_OUT],
}

#[derive(Clone)]
pub(super) struct Buckets<T> {
    pub(super) trunk: Arc<Trunk<T>>,
    len: usize,
}

impl<T> Default for Buckets<T> {
    fn default() -> Self {
        Self { trunk: Arc::new(Trunk { branches: [const { None }; FAN_OUT] }), len: 0 }
    }
}

/// Where a hash belongs.
pub(super) fn place(hash: u64) -> (usize, usize) {
    ((hash >> 56) as usize, (hash >> 48) as usize % FAN_OUT)
}

impl<T: Slot> Buckets<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The entry with this hash that `is_it`.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        let bucket = self.bucket(hash)?;
        let index = position(bucket, Tag::of(hash), is_it)?;
        bucket.get(index)
    }

    /// Like [`Buckets::find`], to change the entry in place; its hash must stay the same.
    pub(super) fn find_mut(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&mut T> {
        let index = position(self.bucket(hash)?, Tag::of(hash), is_it)?;
        self.bucket_mut(hash).get_mut(index)
    }

    /// Puts an entry, and returns the one that `is_same` whose place it takes.
    pub(super) fn put(&mut self, hash: u64, slot: T, is_same: impl Fn(&T) -> bool) -> Option<T> {
        let tag = Tag::of(hash);
        let bucket = self.bucket_mut(hash);
        if let Some(old) = position(bucket, tag, is_same).and_then(|index| bucket.get_mut(index)) {
            return Some(std::mem::replace(old, slot));
        }
        if bucket.len() == bucket.capacity() {
            // Doubling, as a vector does by itself, would leave a third of the memory of a large directory unused.
            bucket.reserve_exact((bucket.len() / 4).max(2));
        }
        let index = position_of(bucket, tag);
        bucket.insert(index, slot);
        self.len += 1;
        None
    }

    /// Takes the entry out that `is_it`.
    pub(super) fn remove(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let index = position(self.bucket(hash)?, Tag::of(hash), is_it)?;
        self.len -= 1;
        Some(self.bucket_mut(hash).remove(index))
    }

    /// Takes all entries out that are `unwanted`, copying only the buckets that hold some.
    pub(super) fn remove_all(&mut self, unwanted: impl Fn(&T) -> bool) {
        for branch_index in 0..FAN_OUT {
            for bucket_index in 0..FAN_OUT {
                let hash = (branch_index as u64) << 56 | (bucket_index as u64) << 48;
                if self.bucket(hash).is_some_and(|bucket| bucket.iter().any(&unwanted)) {
                    let bucket = self.bucket_mut(hash);
                    let before = bucket.len();
                    bucket.retain(|slot| !unwanted(slot));
                    self.len -= before - bucket.len();
                }
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let branches = self.trunk.branches.iter().flatten();
        let buckets = branches.flat_map(|branch| branch.buckets.iter().flatten());
        buckets.flat_map(|bucket| bucket.iter())
    }

    fn bucket(&self, hash: u64) -> Option<&Bucket<T>> {
        let (branch, bucket) = place(hash);
        self.trunk.branches[branch].as_ref()?.buckets[bucket].as_deref()
    }

    /// The bucket of a hash, no longer shared with any copy.
    fn bucket_mut(&mut self, hash: u64) -> &mut Bucket<T> {
        let (branch, bucket) = place(hash);
        let trunk = Arc::make_mut(&mut self.trunk);
        let branch =
            trunk.branches[branch].get_or_insert_with(|| Arc::new(Branch { buckets: [const { None }; FAN_OUT] }));
        Arc::make_mut(Arc::make_mut(branch).buckets[bucket].get_or_insert_default())
    }
}

/// Where in the bucket the entry with this tag stands that `is_it`.
fn position<T: Slot>(bucket: &Bucket<T>, tag: Tag, is_it: impl Fn(&T) -> bool) -> Option<usize> {
    let first = position_of(bucket, tag);
    let same_tag = bucket.get(first..)?.iter().take_while(|slot| slot.tag() == tag);
    same_tag.into_iter().position(is_it).map(|offset| first + offset)
}

/// Where in the bucket the entries with this tag begin, or would. Tags are spread evenly, so that the search begins where
/// the tag should stand and ends a slot or two from there: it reads one line of the cache or two, and a search by halves
/// reads the most of a bucket.
pub(super) fn position_of<T: Slot>(bucket: &Bucket<T>, tag: Tag) -> usize {
    let is_below = |slot: &T| slot.tag() < tag;
    let (before, behind) = bucket.split_at(nearest(bucket.len(), tag));
    let above = before.iter().rev().take_while(|slot| !is_below(slot)).count();
    let below = if above == 0 { behind.iter().take_while(|slot| is_below(slot)).count() } else { 0 };
    before.len() - above + below
}

/// Where among so many tags this one should stand.
pub(super) fn nearest(length: usize, tag: Tag) -> usize {
    ((u64::from(tag.0) * length as u64) >> u32::BITS) as usize
}
