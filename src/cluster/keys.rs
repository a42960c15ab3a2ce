//! The keys in Redis, and which partition an address-of-record belongs to.
//!
//! ```text
//! rw:{b<partition>}:<domain>:<number>    the blob of one address-of-record
//! rw:{b<partition>}:changes              the stream of changes of one partition
//! ```
//!
//! The braces make a Redis Cluster keep a partition in one place.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

/// How many partitions there are.
pub(crate) const PARTITIONS: u16 = 256;

/// Stands between names that are written as one: neither a domain nor a number has it in it (a directory takes neither with one).
pub(crate) const BETWEEN_NAMES: u8 = 0;

/// What the name of a stream ends with, where others have a domain: no domain is without a dot and a colon behind it.
const CHANGES: &str = "changes";

/// The partition of an address-of-record: the same on every node and in every version.
pub(crate) fn partition(domain: &str, number: &[u8]) -> u8 {
    let mut hasher = SipHasher13::new();
    hasher.write(domain.as_bytes());
    hasher.write_u8(0);
    hasher.write(number);
    (hasher.finish() % u64::from(PARTITIONS)) as u8
}

/// The name of an address-of-record behind its partition: what a change tells.
pub(crate) fn name(domain: &str, number: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(domain.len() + 1 + number.len());
    write_name(domain, number, &mut name);
    name
}

/// Appends it.
pub(crate) fn write_name(domain: &str, number: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(domain.as_bytes());
    out.push(b':');
    out.extend_from_slice(number);
}

/// Domain and number of a name.
pub(crate) fn split(name: &[u8]) -> Option<(&str, &[u8])> {
    let at = name.iter().position(|byte| *byte == b':')?;
    let domain = std::str::from_utf8(name.get(..at)?).ok()?;
    let number = name.get(at + 1..)?;
    (!domain.is_empty() && !number.is_empty()).then_some((domain, number))
}

/// What all keys of a partition begin with.
pub(crate) fn of_partition(partition: u8) -> String {
    format!("rw:{{b{partition}}}:")
}

/// The key of a blob.
pub(crate) fn blob(partition: u8, name: &[u8]) -> Vec<u8> {
    let mut key = of_partition(partition).into_bytes();
    key.extend_from_slice(name);
    key
}

/// The key of a stream.
pub(crate) fn changes(partition: u8) -> String {
    of_partition(partition) + CHANGES
}

/// What a scan finds blobs and streams by.
pub(crate) const EVERY_PARTITION: &str = "rw:{b*";

/// Partition and name of a blob's key; `None` for any other key, that of a stream for one.
pub(crate) fn read_blob(key: &[u8]) -> Option<(u8, &[u8])> {
    let rest = key.strip_prefix(b"rw:{b")?;
    let at = rest.iter().position(|byte| *byte == b'}')?;
    let partition = std::str::from_utf8(rest.get(..at)?).ok()?.parse().ok()?;
    let name = rest.get(at + 1..)?.strip_prefix(b":")?;
    split(name).map(|_| (partition, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written_and_streams_are_none_of_them() {
        let name = name("acme.example", b"10:1");
        let key = blob(17, &name);
        assert_eq!(key, b"rw:{b17}:acme.example:10:1");
        assert_eq!(read_blob(&key), Some((17, name.as_slice())));
        assert_eq!(split(&name), Some(("acme.example", &b"10:1"[..])));
        for other in
            [changes(17).as_bytes(), b"rw:{b256}:a.example:1", b"rw:{acme.example}:balance", b"rw:{b1}:a.example"]
        {
            assert_eq!(read_blob(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn partitions_never_change_and_are_all_used() {
        assert_eq!((partition("acme.example", b"101"), partition("acme.example", b"102")), PARTITIONS_OF_101_AND_102);
        let used: std::collections::BTreeSet<_> =
            (0..10_000).map(|number| partition("acme.example", number.to_string().as_bytes())).collect();
        assert_eq!(used.len(), usize::from(PARTITIONS));
    }

    /// Whatever these are, other nodes count on them.
    const PARTITIONS_OF_101_AND_102: (u8, u8) = (197, 217);
}
