//! Cells and spreadsheets: a cell that begins with `=`, `+`, `-` or `@` runs as a formula there. An export puts a `'` before
//! it, an import takes one away, and a value that has such a `'` of its own keeps it both ways.

use std::borrow::Cow;

/// The value of a cell as it was read.
pub(super) fn unguarded(cell: &str) -> &str {
    if is_guarded(cell) { &cell[1..] } else { cell }
}

fn is_guarded(cell: &str) -> bool {
    cell.starts_with('\'') && needs_guard(cell)
}

fn needs_guard(value: &str) -> bool {
    value.trim_start_matches('\'').starts_with(['=', '+', '-', '@'])
}

/// Appends a value as a cell: guarded, and quoted when it has to be, or when it is a number that a spreadsheet would round
/// or strip of its zeros.
pub(super) fn write(line: &mut String, value: &str) {
    let value = if needs_guard(value) { Cow::Owned(format!("'{value}")) } else { Cow::Borrowed(value) };
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_number || value.contains(['"', ',', ';', '\r', '\n']) || value.trim() != value {
        line.push('"');
        line.push_str(&value.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(&value);
    }
}

#[cfg(test)]
mod tests {
    use super::{unguarded, write};

    #[test]
    fn the_guard_of_a_formula_is_taken_away_and_nothing_else() {
        for (cell, value) in [
            ("'=1+1", "=1+1"),
            ("'+49", "+49"),
            ("'-x", "-x"),
            ("'@x", "@x"),
            ("''=x", "'=x"),
            ("=1+1", "=1+1"),
            ("'twas", "'twas"),
            ("'", "'"),
            ("", ""),
            ("O'Hara", "O'Hara"),
        ] {
            assert_eq!(unguarded(cell), value);
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_no_cell_is_a_formula() {
        for value in ["=1", "'=1", "''@x", "'a", "-", "plain", "a,b", "a;b", "\"q\"", "007", " pad ", ""] {
            let mut line = String::new();
            write(&mut line, value);
            let cell = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(&line);
            let cell = cell.replace("\"\"", "\"");
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{line}");
            assert_eq!(unguarded(&cell), value);
        }
    }

    #[test]
    fn numbers_and_special_characters_are_quoted() {
        for (value, cell) in [("007", "\"007\""), ("a\"b", "\"a\"\"b\""), ("a;b", "\"a;b\""), ("abc", "abc")] {
            let mut line = String::new();
            write(&mut line, value);
            assert_eq!(line, cell);
        }
    }
}
