//! What can be wrong with a file or a row, besides its values.

/// The kinds of fault that CSV adds to those of the values ([`ringway_directory::Code`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileCode {
    /// A column that must be there is not.
    MissingColumn,
    /// Two headers mean the same column.
    DuplicateColumn,
    /// Nobody knows this header; the column is passed over. A warning.
    UnknownColumn,
    /// The row has fewer or more cells than the header.
    RaggedRow,
    /// The row is longer than 65,536 bytes.
    RowTooLong,
    /// The row has more than 256 cells.
    TooManyCells,
    /// The cell is not UTF-8.
    NotUtf8,
    /// The row holds a NUL byte.
    NulByte,
    /// A quoted cell never ends.
    UnclosedQuote,
    /// Something stands between a closing quote and the next cell.
    StrayQuote,
    /// The value stands in an earlier row already.
    DuplicateInFile,
    /// The file has more rows than allowed.
    TooManyRows,
    /// The file has more bytes than allowed.
    FileTooLong,
    /// The file has no header row.
    EmptyFile,
}

impl FileCode {
    /// Every code, for documentation and its tests.
    pub const ALL: [Self; 14] = [
        Self::MissingColumn,
        Self::DuplicateColumn,
        Self::UnknownColumn,
        Self::RaggedRow,
        Self::RowTooLong,
        Self::TooManyCells,
        Self::NotUtf8,
        Self::NulByte,
        Self::UnclosedQuote,
        Self::StrayQuote,
        Self::DuplicateInFile,
        Self::TooManyRows,
        Self::FileTooLong,
        Self::EmptyFile,
    ];

    /// The code as programs see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingColumn => "MISSING_COLUMN",
            Self::DuplicateColumn => "DUPLICATE_COLUMN",
            Self::UnknownColumn => "UNKNOWN_COLUMN",
            Self::RaggedRow => "RAGGED_ROW",
            Self::RowTooLong => "ROW_TOO_LONG",
            Self::TooManyCells => "TOO_MANY_CELLS",
            Self::NotUtf8 => "NOT_UTF8",
            Self::NulByte => "NUL_BYTE",
            Self::UnclosedQuote => "UNCLOSED_QUOTE",
            Self::StrayQuote => "STRAY_QUOTE",
            Self::DuplicateInFile => "DUPLICATE_IN_FILE",
            Self::TooManyRows => "TOO_MANY_ROWS",
            Self::FileTooLong => "FILE_TOO_LONG",
            Self::EmptyFile => "EMPTY_FILE",
        }
    }

    /// What to tell people of a row that breaks a rule of the format.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::RowTooLong => "the row is longer than 65,536 bytes; is a closing quote missing?",
            Self::TooManyCells => "the row has more than 256 cells",
            Self::NulByte => "the row holds a NUL byte; save the file as \"CSV UTF-8\"",
            Self::UnclosedQuote => "a quoted cell that begins in this row never ends",
            Self::StrayQuote => "text follows a closing quote; write a quote within a quoted cell twice",
            _ => "the row can't be read",
        }
    }
}
