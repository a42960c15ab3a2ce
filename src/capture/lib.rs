//! What a capture shows of the messages that pass: which belong to it, what is masked in them, and how they are written.
//!
//! Nothing here opens a file or a socket, or knows a tenant's domains: whose a host is, the caller says.

mod filter;
pub mod hep;
mod ladder;
mod mask;
pub mod pcap;
mod seen;
mod subject;

pub use filter::{Filter, MAX_FOLLOWED, Wanted};
pub use ladder::{Style, ladders};
pub use mask::mask;
pub use seen::{Seen, Way};
pub use subject::{Fallback, Named, Subject, Tenancy};
