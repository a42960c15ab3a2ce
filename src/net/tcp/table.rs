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
