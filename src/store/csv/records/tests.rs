use proptest::prelude::*;

use super::super::problem::FileCode;
use super::{MAX_CELLS, MAX_RECORD_BYTES, Record, Records};

#[test]
fn cells_are_cut_at_commas_or_semicolons_whichever_comes_first() {
    assert_eq!(rows("a,b\r\n1,2;3\r\n"), [(1, vec!["a", "b"]), (2, vec!["1", "2;3"])]);
    assert_eq!(rows("a;b\r\n1,2;3\r\n"), [(1, vec!["a", "b"]), (2, vec!["1,2", "3"])]);
    assert_eq!(rows("\"a,b\";c\n1;2"), [(1, vec!["a,b", "c"]), (2, vec!["1", "2"])]);
    assert_eq!(rows("a\n1;2\n"), [(1, vec!["a"]), (2, vec!["1;2"])]);
}

#[test]
fn a_byte_order_mark_is_passed_over_and_half_of_one_is_not() {
    assert_eq!(rows("\u{feff}a,b\n"), [(1, vec!["a", "b"])]);
    assert_eq!(rows("\u{feff}\"a\",b\n"), [(1, vec!["a", "b"])]);
    assert_eq!(rows("\u{feff}"), []);
    assert_eq!(raw(b"\xef\xbba\n"), [(1, vec![b"\xef\xbba".to_vec()])]);
    assert_eq!(raw(b"\xef\xbb"), [(1, vec![b"\xef\xbb".to_vec()])]);
}

#[test]
fn lines_end_as_on_any_system_and_are_counted_so() {
    assert_eq!(rows("a\nb\nc"), [(1, vec!["a"]), (2, vec!["b"]), (3, vec!["c"])]);
    assert_eq!(rows("a\r\nb\r\nc\r\n"), [(1, vec!["a"]), (2, vec!["b"]), (3, vec!["c"])]);
    assert_eq!(rows("a\rb\rc\r"), [(1, vec!["a"]), (2, vec!["b"]), (3, vec!["c"])]);
    assert_eq!(rows("\r\na\r\n\r\n\r\nb\n\n"), [(2, vec!["a"]), (5, vec!["b"])]);
}

#[test]
fn quoted_cells_hold_delimiters_quotes_and_lines_which_count() {
    assert_eq!(
        rows("a,b\n\"x,\"\"y\"\"\",\"1\r\n2\n3\"\nc,\"\"\n"),
        [(1, vec!["a", "b"]), (2, vec!["x,\"y\"", "1\r\n2\n3"]), (5, vec!["c", ""])]
    );
}

#[test]
fn a_quote_within_a_plain_cell_is_a_character() {
    assert_eq!(rows("a,5\" disk\n"), [(1, vec!["a", "5\" disk"])]);
}

#[test]
fn empty_cells_are_cells() {
    assert_eq!(rows(",\n,,"), [(1, vec!["", ""]), (2, vec!["", "", ""])]);
    assert_eq!(rows("a,"), [(1, vec!["a", ""])]);
}

#[test]
fn text_behind_a_closing_quote_is_a_problem_of_that_row_only() {
    assert_eq!(problems("\"a\"b,c\nd\n"), [Some(FileCode::StrayQuote), None]);
}

#[test]
fn a_quote_that_never_closes_is_a_problem_of_the_row_it_began_in() {
    let records = read(b"a\nb,\"c\nd\ne", 3);
    assert_eq!(records.len(), 2);
    assert_eq!((records[1].line, records[1].problem), (2, Some(FileCode::UnclosedQuote)));
}

#[test]
fn a_nul_byte_is_a_problem() {
    assert_eq!(problems("a\0b\nc\n"), [Some(FileCode::NulByte), None]);
}

#[test]
fn a_row_of_fifty_megabytes_is_a_problem_and_is_not_kept() {
    let cell = "x".repeat(1 << 20);
    let mut records = Records::new();
    let mut found = Vec::new();
    for _ in 0..50 {
        let mut piece = cell.as_bytes();
        assert!(records.next(&mut piece).is_none());
        assert!(records.record.bytes.capacity() <= 2 * MAX_RECORD_BYTES);
    }
    let mut rest = &b"\nb\n"[..];
    while let Some(record) = records.next(&mut rest) {
        found.push((record.line, record.problem));
    }
    assert_eq!(found, [(1, Some(FileCode::RowTooLong)), (2, None)]);
}

#[test]
fn a_row_as_long_as_allowed_is_read() {
    let text = "x".repeat(MAX_RECORD_BYTES);
    assert_eq!(problems(&format!("{text}\n")), [None]);
    assert_eq!(problems(&format!("{text}x\n")), [Some(FileCode::RowTooLong)]);
}

#[test]
fn a_million_cells_are_a_problem_and_are_not_kept() {
    let records = read(",".repeat(1_000_000).as_bytes(), 4096);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].problem, Some(FileCode::TooManyCells));
    assert_eq!(records[0].cells().len(), MAX_CELLS);
    assert_eq!(problems(&",".repeat(MAX_CELLS - 1)), [None]);
}

proptest! {
    #[test]
    fn what_the_csv_crate_writes_is_read_the_same_however_it_is_cut(
        table in prop::collection::vec(prop::collection::vec("[a-c,;\"\r\n ]{0,5}", 2..4), 1..6),
        is_semicolon: bool,
        piece in 1usize..9,
    ) {
        let delimiter = if is_semicolon { b';' } else { b',' };
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(Vec::new());
        writer.write_record(["head", "er"]).unwrap();
        for row in &table {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let records = read(&bytes, piece);
        let read: Vec<Vec<String>> = records.iter().skip(1).map(texts).collect();
        prop_assert_eq!(read, table);
        prop_assert!(records.iter().all(|record| record.problem.is_none()));
    }

    #[test]
    fn any_bytes_are_read_the_same_however_they_are_cut(
        bytes in prop::collection::vec(prop::sample::select(&b"ab,;\"\"\r\n\0\xef\xbb\xbf\xff"[..]), 0..60),
        piece in 1usize..9,
    ) {
        prop_assert_eq!(read(&bytes, piece), read(&bytes, usize::MAX));
    }
}

fn read(bytes: &[u8], piece: usize) -> Vec<Record> {
    let mut records = Records::new();
    let mut found = Vec::new();
    for mut piece in bytes.chunks(piece.min(bytes.len().max(1))) {
        while let Some(record) = records.next(&mut piece) {
            found.push(record);
        }
    }
    found.extend(records.finish());
    found
}

fn texts(record: &Record) -> Vec<String> {
    record.cells().map(|cell| String::from_utf8(cell.to_vec()).unwrap()).collect()
}

fn raw(bytes: &[u8]) -> Vec<(u64, Vec<Vec<u8>>)> {
    read(bytes, 1).iter().map(|record| (record.line, record.cells().map(<[u8]>::to_vec).collect())).collect()
}

/// Leaked, so that rows compare with literals.
fn rows(text: &str) -> Vec<(u64, Vec<&'static str>)> {
    let leaked = |record: &Record| texts(record).into_iter().map(|text| &*text.leak()).collect();
    read(text.as_bytes(), 3).iter().map(|record| (record.line, leaked(record))).collect()
}

fn problems(text: &str) -> Vec<Option<FileCode>> {
    read(text.as_bytes(), 5).iter().map(|record| record.problem).collect()
}
