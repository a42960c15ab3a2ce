//! The SIP protocol on bytes.
//!
//! This floor opens no socket, reads no clock and draws no random number: time, randomness and hash seeds are
//! arguments. It never allocates to read a message, and no input can make it panic.

mod bytes;
pub mod digest;
pub mod edit;
pub mod flow;
pub mod frame;
pub mod header;
pub mod media;
pub mod message;
pub mod method;
pub mod name;
pub mod params;
pub mod sdp;
pub mod stun;
pub mod time;
pub mod transaction;
pub mod uri;
pub mod write;

pub use edit::Edits;
pub use flow::{ConnectionId, Flow, ListenerId, ShardId, Transport};
pub use header::{CSeq, Contact, ContactSet, NameAddr, Via};
pub use message::{Essentials, Field, Message, NotSip, Problem, Span};
pub use method::Method;
pub use name::Name;
pub use params::Params;
pub use sdp::{MAX_SECTIONS, Sdp, SdpProblem};
pub use time::{Monotonic, Now, Wall};
pub use uri::{Scheme, Uri, UriError};
