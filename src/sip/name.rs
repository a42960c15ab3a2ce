//! Header field names: long and compact forms as one name (RFC 3261 section 7.3.3 and the registry at IANA).

use crate::bytes::block::{Block, WIDTH};

/// How often a header field may stand in a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occurs {
    /// Once; a second one leaves open which is meant, so the message is malformed.
    Once,
    /// Any number of times, or it decides nothing.
    Often,
}

struct Row {
    long: &'static str,
    compact: u8,
    occurs: Occurs,
}

macro_rules! names {
    ($($variant:ident $long:literal $compact:literal $occurs:ident,)*) => {
        /// The name of a header field. `Other` stands for all that have no name here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the names are the standard's")]
        pub enum Name {
            $($variant,)*
            Other,
        }

        impl Name {
            /// Every name but `Other`, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }

        static ROWS: [Row; Name::ALL.len()] =
            [$(Row { long: $long, compact: $compact, occurs: Occurs::$occurs },)*];

        const LONG: [&[u8]; Name::ALL.len()] = [$($long.as_bytes(),)*];
        const COMPACT: [u8; Name::ALL.len()] = [$($compact,)*];
    };
}

names! {
    Via "Via" b'v' Often,
    From "From" b'f' Once,
    To "To" b't' Once,
    CallId "Call-ID" b'i' Once,
    CSeq "CSeq" 0 Once,
    MaxForwards "Max-Forwards" 0 Once,
    Contact "Contact" b'm' Often,
    Route "Route" 0 Often,
    RecordRoute "Record-Route" 0 Often,
    ContentLength "Content-Length" b'l' Once,
    ContentType "Content-Type" b'c' Once,
    ContentEncoding "Content-Encoding" b'e' Often,
    Expires "Expires" 0 Once,
    MinExpires "Min-Expires" 0 Once,
    Authorization "Authorization" 0 Often,
    ProxyAuthorization "Proxy-Authorization" 0 Often,
    WwwAuthenticate "WWW-Authenticate" 0 Often,
    ProxyAuthenticate "Proxy-Authenticate" 0 Often,
    AuthenticationInfo "Authentication-Info" 0 Often,
    ProxyAuthenticationInfo "Proxy-Authentication-Info" 0 Often,
    Require "Require" 0 Often,
    ProxyRequire "Proxy-Require" 0 Often,
    Supported "Supported" b'k' Often,
    Unsupported "Unsupported" 0 Often,
    Allow "Allow" 0 Often,
    Accept "Accept" 0 Often,
    UserAgent "User-Agent" 0 Often,
    Server "Server" 0 Often,
    Date "Date" 0 Often,
    Warning "Warning" 0 Often,
    RetryAfter "Retry-After" 0 Once,
    Reason "Reason" 0 Often,
    Path "Path" 0 Often,
    ServiceRoute "Service-Route" 0 Often,
    Timestamp "Timestamp" 0 Once,
    MaxBreadth "Max-Breadth" 0 Once,
    Event "Event" b'o' Once,
    SubscriptionState "Subscription-State" 0 Once,
    ReferTo "Refer-To" b'r' Once,
    ReferredBy "Referred-By" b'b' Once,
    Replaces "Replaces" 0 Once,
    Join "Join" 0 Once,
    Subject "Subject" b's' Often,
    SessionExpires "Session-Expires" b'x' Once,
    MinSe "Min-SE" 0 Once,
    RSeq "RSeq" 0 Once,
    RAck "RAck" 0 Once,
    Diversion "Diversion" 0 Often,
    HistoryInfo "History-Info" 0 Often,
    PAssertedIdentity "P-Asserted-Identity" 0 Often,
    PPreferredIdentity "P-Preferred-Identity" 0 Often,
    Privacy "Privacy" 0 Often,
    RemotePartyId "Remote-Party-ID" 0 Often,
    Identity "Identity" b'y' Often,
    IdentityInfo "Identity-Info" b'n' Often,
    AllowEvents "Allow-Events" b'u' Often,
    AcceptContact "Accept-Contact" b'a' Often,
    RejectContact "Reject-Contact" b'j' Often,
    RequestDisposition "Request-Disposition" b'd' Often,
    FlowTimer "Flow-Timer" 0 Once,
    SipEtag "SIP-ETag" 0 Once,
    SipIfMatch "SIP-If-Match" 0 Once,
}

/// Long names by hash; built by the compiler.
static NAME_BY_HASH: [Name; SLOTS] = names_by_hash();
/// Compact names by letter.
static NAME_BY_LETTER: [Name; 26] = names_by_letter();
/// How lines begin: long names and their colons, as far as they fit into a block, and NULs behind them.
static HEADS: [[u8; WIDTH]; Name::COUNT] = heads();

const SLOTS: usize = 256;

const fn names_by_hash() -> [Name; SLOTS] {
    let mut table = [Name::Other; SLOTS];
    let mut row = 0;
    while row < LONG.len() {
        let slot = hash(LONG[row]);
        assert!(matches!(table[slot], Name::Other), "two names share a slot: other factors are needed");
        table[slot] = Name::ALL[row];
        row += 1;
    }
    table
}

const fn names_by_letter() -> [Name; 26] {
    let mut table = [Name::Other; 26];
    let mut row = 0;
    while row < COMPACT.len() {
        if COMPACT[row] != 0 {
            table[(COMPACT[row] - b'a') as usize] = Name::ALL[row];
        }
        row += 1;
    }
    table
}

const fn heads() -> [[u8; WIDTH]; Name::COUNT] {
    let mut table = [[0; WIDTH]; Name::COUNT];
    let mut row = 0;
    while row < LONG.len() {
        let mut at = 0;
        while at < WIDTH && at <= LONG[row].len() {
            table[row][at] = if at < LONG[row].len() { LONG[row][at] } else { b':' };
            at += 1;
        }
        row += 1;
    }
    table
}

/// Length, first and last letter tell the names apart, in any case. With these factors no two of them share a slot.
#[inline]
const fn hash(name: &[u8]) -> usize {
    match name {
        [first, .., last] => ((*first | 0x20) as usize * 2 + (*last | 0x20) as usize * 55 + name.len() * 26) % SLOTS,
        _ => 0,
    }
}

impl Name {
    /// Reads a name in its long or compact form, in any case.
    pub fn parse(bytes: &[u8]) -> Self {
        if let [letter] = bytes {
            return Self::of_letter(*letter);
        }
        let name = NAME_BY_HASH[hash(bytes)];
        if name.as_str().as_bytes().eq_ignore_ascii_case(bytes) { name } else { Self::Other }
    }

    /// The name that a line begins with, and where the colon behind it stands. `None` when the name is not written as the
    /// standard does, and when it is longer than most, has white space behind it or is none of ours: all that is
    /// [`Name::parse`]'s.
    #[inline]
    pub(crate) fn at_start_of(line: &[u8]) -> Option<(Self, usize)> {
        let head = Block::first_of(line);
        let colon = head.is(b':').bits().trailing_zeros() as usize;
        if colon == 1 {
            return Some((Self::of_letter(*line.first()?), colon)).filter(|(name, _)| *name != Self::Other);
        }
        let name = NAME_BY_HASH[hash(line.get(..colon)?)];
        // Nothing else has a colon there, so as many equal bytes are the whole name.
        let equal = head.is_same(Block::new(&HEADS[name as usize])).bits().trailing_ones() as usize;
        (equal > colon).then_some((name, colon))
    }

    #[inline]
    fn of_letter(letter: u8) -> Self {
        let index = usize::from((letter | 0x20).wrapping_sub(b'a'));
        NAME_BY_LETTER.get(index).copied().unwrap_or(Self::Other)
    }

    /// The long form, as the standard writes it; empty for `Other`.
    pub fn as_str(self) -> &'static str {
        ROWS.get(self as usize).map_or("", |row| row.long)
    }

    /// The compact form's letter, if there is one.
    pub fn compact(self) -> Option<u8> {
        ROWS.get(self as usize).map(|row| row.compact).filter(|&letter| letter != 0)
    }

    /// Whether a message that has it twice is malformed (RFC 3261 section 7.3.1). Header fields that decide nothing, such as
    /// User-Agent, are not counted in: a phone that repeats them harms nobody.
    pub fn is_singleton(self) -> bool {
        ROWS.get(self as usize).is_some_and(|row| row.occurs == Occurs::Once)
    }

    /// How many names there are, `Other` included.
    pub(crate) const COUNT: usize = Self::ALL.len() + 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_in_its_long_form_in_any_case() {
        for &name in Name::ALL {
            let long = name.as_str();
            for form in [long.to_owned(), long.to_ascii_lowercase(), long.to_ascii_uppercase()] {
                assert_eq!(Name::parse(form.as_bytes()), name, "{form}");
            }
            assert_eq!(Name::parse(format!("{long}x").as_bytes()), Name::Other);
            assert_eq!(Name::parse(format!("x{long}").as_bytes()), Name::Other);
        }
    }

    #[test]
    fn a_line_begins_with_a_name_only_when_it_is_written_as_the_standard_does() {
        for &name in Name::ALL {
            let long = name.as_str();
            let expected = (long.len() < WIDTH).then_some((name, long.len()));
            for value in ["", " value of some length"] {
                assert_eq!(Name::at_start_of(format!("{long}:{value}").as_bytes()), expected, "{long}");
                for other in [format!("{long} :{value}"), format!("{long}x:{value}"), format!("{long}{value}")] {
                    assert_eq!(Name::at_start_of(other.as_bytes()), None, "{other}");
                }
                let lower = format!("{}:{value}", long.to_ascii_lowercase());
                assert_eq!(Name::at_start_of(lower.as_bytes()), None);
            }
            if let Some(letter) = name.compact() {
                assert_eq!(Name::at_start_of(&[letter, b':']), Some((name, 1)));
            }
        }
        for line in ["", ":", "x: y", "\0: y", "\0\0: y"] {
            let found = Name::at_start_of(line.as_bytes());
            assert!(found.is_none_or(|found| found == (Name::SessionExpires, 1)), "{line:?} {found:?}");
        }
    }

    #[test]
    fn compact_forms_are_the_registered_letters_in_either_case() {
        let registered = "a Accept-Contact, b Referred-By, c Content-Type, d Request-Disposition, e Content-Encoding, f From, \
                          i Call-ID, j Reject-Contact, k Supported, l Content-Length, m Contact, n Identity-Info, o Event, \
                          r Refer-To, s Subject, t To, u Allow-Events, v Via, x Session-Expires, y Identity";
        let mut letters = String::new();
        for pair in registered.split(", ") {
            let (letter, long) = pair.split_once(' ').unwrap();
            assert_eq!(Name::parse(letter.as_bytes()).as_str(), long);
            assert_eq!(Name::parse(letter.to_ascii_uppercase().as_bytes()).as_str(), long);
            assert_eq!(Name::parse(letter.as_bytes()).compact(), letter.bytes().next());
            letters.push_str(letter);
        }
        for byte in 0..=u8::MAX {
            if !letters.contains(char::from(byte.to_ascii_lowercase())) {
                assert_eq!(Name::parse(&[byte]), Name::Other, "{byte:#x}");
            }
        }
    }

    #[test]
    fn what_has_no_name_is_other() {
        for name in ["", "X-Thing", "Vias", "From ", "CSe", "\u{fc}"] {
            assert_eq!(Name::parse(name.as_bytes()), Name::Other, "{name}");
        }
        assert_eq!(Name::Other.as_str(), "");
        assert!(!Name::Other.is_singleton());
    }
}
