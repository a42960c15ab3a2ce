//! Header lines that are copied from a request.

use std::ops::Range;

use super::{write_field, write_value};
use crate::Name;
use crate::message::{Field, Message};

/// Copies header lines. Those that are written as Ringway writes them, and stand one behind the other in the request, are
/// copied together.
pub(super) struct Lines<'o, 'm, 'a> {
    request: &'m Message<'a>,
    out: &'o mut Vec<u8>,
    /// The stretch of the request that is to be copied next.
    pending: Range<usize>,
}

impl<'o, 'm, 'a> Lines<'o, 'm, 'a> {
    pub(super) fn new(request: &'m Message<'a>, out: &'o mut Vec<u8>) -> Self {
        Self { request, out, pending: 0..0 }
    }

    /// All header fields of that name.
    pub(super) fn copy(&mut self, name: Name) {
        for field in self.request.fields_named(name) {
            self.copy_field(name, &field);
        }
    }

    /// The first header field of that name.
    pub(super) fn copy_first(&mut self, name: Name) {
        if let Some(field) = self.request.field(name) {
            self.copy_field(name, &field);
        }
    }

    /// To, with a tag behind it.
    pub(super) fn copy_to(&mut self, tag: Option<&[u8]>) {
        self.copy_first(Name::To);
        let Some(tag) = tag.filter(|_| self.request.has(Name::To)) else { return };
        self.write_pending();
        self.out.truncate(self.out.len() - b"\r\n".len());
        self.out.extend_from_slice(b";tag=");
        write_value(self.out, tag);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Ends the copying.
    pub(super) fn finish(mut self) {
        self.write_pending();
    }

    fn copy_field(&mut self, name: Name, field: &Field<'a>) {
        let is_plain = self.request.is_plain(field);
        if is_plain && field.line.start == self.pending.end {
            self.pending.end = field.line.end;
            return;
        }
        self.write_pending();
        if is_plain {
            self.pending = field.line.into();
        } else {
            write_field(self.out, name, field.value);
        }
    }

    fn write_pending(&mut self) {
        self.out.extend_from_slice(self.request.bytes().get(self.pending.clone()).unwrap_or_default());
        self.pending = 0..0;
    }
}
