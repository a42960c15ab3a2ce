//! The node's name when none is configured: drawn at the first start, kept in the data directory.

use std::fs;
use std::io;

use crate::data_directory::DataDirectory;

/// Where it is kept.
const FILE: &str = "node.id";

/// The node's name, and whether it was drawn just now: then this is the first start on this data directory.
///
/// # Errors
/// When the file can't be read or written.
pub(crate) fn read_or_create(data: &DataDirectory) -> io::Result<(Box<str>, bool)> {
    let path = data.file(FILE);
    match fs::read_to_string(&path) {
        Ok(text) if is_name(text.trim()) => Ok((text.trim().into(), false)),
        Ok(_) => Err(io::Error::other(format!("{}: this is no node name; remove the file", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = format!("rw-{:08x}", rand::random::<u32>());
            fs::write(&path, format!("{name}\n"))?;
            Ok((name.into(), true))
        }
        Err(error) => Err(error),
    }
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_drawn_once_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(directory.path()).unwrap();
        let (name, is_first_start) = read_or_create(&data).unwrap();
        assert!(name.starts_with("rw-") && is_name(&name) && is_first_start, "{name}");
        assert_eq!(read_or_create(&data).unwrap(), (name, false));

        fs::write(data.file(FILE), "two words\n").unwrap();
        assert!(read_or_create(&data).is_err());
    }
}
