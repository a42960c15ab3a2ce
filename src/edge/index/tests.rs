//! The table against a plain list.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Numbered {
    hash: u32,
    number: u16,
}

impl Hashed for Numbered {
    fn hash(&self) -> u32 {
        self.hash
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Numbered),
    Remove(Numbered),
    RetainAbove(u16),
}

/// Hashes that crowd: at both ends of the table, where searches wrap around, and a few of them all over it.
fn numbered() -> impl Strategy<Value = Numbered> {
    let hash = prop_oneof![0..3_u32, u32::MAX - 3..=u32::MAX, any::<u8>().prop_map(|high| u32::from(high) << 24)];
    (hash, 0..40_u16).prop_map(|(hash, number)| Numbered { hash, number })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => numbered().prop_map(Step::Insert),
        6 => numbered().prop_map(Step::Remove),
        1 => (0..60_u16).prop_map(Step::RetainAbove),
    ]
}

fn slot_of(index: &Index<Numbered>, sought: Numbered) -> Option<usize> {
    index.find(sought.hash, |entry| *entry == sought)
}

proptest! {
    #[test]
    fn it_finds_what_a_list_has_and_nothing_else(steps in prop::collection::vec(step(), 0..300)) {
        let mut index = Index::default();
        let mut model = Vec::<Numbered>::new();
        for step in steps {
            match step {
                Step::Insert(entry) => {
                    prop_assert_eq!(slot_of(&index, entry).is_some(), model.contains(&entry));
                    if !model.contains(&entry) {
                        index.insert(entry);
                        model.push(entry);
                    }
                }
                Step::Remove(entry) => {
                    let removed = slot_of(&index, entry).and_then(|slot| index.remove(slot));
                    prop_assert_eq!(removed, model.contains(&entry).then_some(entry));
                    model.retain(|other| *other != entry);
                }
                Step::RetainAbove(number) => {
                    index.retain(|entry| entry.number > number);
                    model.retain(|entry| entry.number > number);
                    let most = if model.is_empty() { 0 } else { (4 * model.len()).max(SMALLEST) };
                    prop_assert!(index.capacity() <= most);
                }
            }
            for entry in &model {
                prop_assert_eq!(slot_of(&index, *entry).and_then(|slot| index.get(slot)), Some(entry));
                let with_hash: Vec<_> = index.with_hash(entry.hash).map(|entry| entry.hash).collect();
                prop_assert_eq!(with_hash.len(), model.iter().filter(|other| other.hash == entry.hash).count());
            }
            let mut all: Vec<_> = index.iter().copied().collect();
            all.sort_unstable();
            model.sort_unstable();
            prop_assert_eq!(&all, &model);
        }
    }
}
