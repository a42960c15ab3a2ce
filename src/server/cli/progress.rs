//! A bar that shows how far an import has come, on a terminal; elsewhere nothing is shown.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar of one file.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for a file of so many bytes. It is drawn to standard error, and only when that is a terminal.
    pub(super) fn new(bytes: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// So many bytes and rows are taken in.
    pub(super) fn set(&self, bytes: u64, rows: u64) {
        self.bar.set_message(format!("{rows} rows"));
        self.bar.set_position(bytes);
    }

    /// Takes the bar off the terminal.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
