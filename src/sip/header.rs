//! Typed header values, one a file. Each is read only when it is asked for, and borrows from the message.

pub mod contact;
pub mod cseq;
pub mod name_addr;
pub mod numbers;
pub mod via;

pub use contact::{Contact, ContactSet};
pub use cseq::CSeq;
pub use name_addr::NameAddr;
pub use via::Via;
