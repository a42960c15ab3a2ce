//! The connections of a shard by serial number.

use super::connection::Connection;

/// The low bits of a serial number are the connection's place in the table, the others count: a number is found
/// without hashing and never used twice.
const PLACE_BITS: u32 = 24;

/// The shard's connections.
#[derive(Debug, Default)]
pub(super) struct Table {
    places: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    count: u64,
}

impl Table {
    /// Adds the connection that `make` makes for its serial number. `None` when the table is full.
    pub(super) fn insert(&mut self, make: impl FnOnce(u64) -> Connection) -> Option<&mut Connection> {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.places.len() >> PLACE_BITS == 0 => {
                self.places.push(None);
                self.places.len() - 1
            }
            None => return None,
        };
        self.count += 1;
        let serial = self.count << PLACE_BITS | place as u64;
        self.places.get_mut(place).map(|entry| &mut **entry.insert(Box::new(make(serial))))
    }

    pub(super) fn get(&self, serial: u64) -> Option<&Connection> {
        self.places.get(place(serial))?.as_deref().filter(|connection| connection.serial == serial)
    }

    pub(super) fn get_mut(&mut self, serial: u64) -> Option<&mut Connection> {
        self.places.get_mut(place(serial))?.as_deref_mut().filter(|connection| connection.serial == serial)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.places.iter().flatten().map(|connection| &**connection)
    }

    /// How many connections there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Forgets the places when there is no connection at all, so that a crowd that has gone leaves no memory behind.
    pub(super) fn give_room_back(&mut self) {
        if self.len() == 0 && self.places.capacity() > super::SMALL {
            (self.places, self.free) = (Vec::new(), Vec::new());
        }
    }

    pub(super) fn remove(&mut self, serial: u64) -> Option<Box<Connection>> {
        let entry = self.places.get_mut(place(serial))?;
        let removed = entry.take_if(|connection| connection.serial == serial)?;
        self.free.push(place(serial));
        Some(removed)
    }
}

fn place(serial: u64) -> usize {
    (serial & ((1 << PLACE_BITS) - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_its_places_while_somebody_is_there_and_none_when_all_have_gone() {
        let mut table = Table { places: Vec::with_capacity(5000), free: (0..3).collect(), count: 9 };
        table.places.resize_with(4, || None);
        table.give_room_back();
        assert_eq!(table.places.len(), 4, "one place is taken");
        table.free.push(3);
        table.give_room_back();
        assert_eq!((table.places.capacity(), table.free.capacity(), table.count), (0, 0, 9), "no number is used twice");
    }
}
