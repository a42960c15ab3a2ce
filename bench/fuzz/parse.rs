//! Whatever parses: its fields stand in order and inside the message, their lines are the whole head, and an edit that
//! edits nothing gives the same bytes.
use ringway_sip::message::Problem;
use ringway_sip::{Edits, Message, Name};

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    let mut end = message.first_field_at();
    for field in message.fields() {
        assert_eq!(field.line.start, end, "a gap or an overlap");
        end = field.line.end;
        let value = message.span_of(field.value);
        assert!(field.value.is_empty() || (field.line.start <= value.start && value.end <= field.line.end));
        assert_eq!(message.fields_named(field.name).filter(|named| named.line == field.line).count(), 1);
    }
    let is_cut = matches!(message.problem(), Some(Problem::TooManyHeaders | Problem::HeadTooLarge));
    assert!(end == message.head_end() || is_cut || message.problem().is_some());
    assert_eq!(message.body().len(), message.bytes().len() - message.head_end() - 2);

    for name in [Name::Via, Name::Contact, Name::Route, Name::RecordRoute] {
        for value in message.values(name) {
            assert!(value.is_empty() || !message.span_of(value).is_empty());
        }
    }
    let _ = message.contacts().is_ok();
    if let Ok(essentials) = message.essentials() {
        assert_eq!(message.problem(), None);
        assert!(!essentials.call_id.is_empty() && essentials.cseq.number < 1 << 31);
    }

    let mut copy = Vec::new();
    Edits::new().apply(message.bytes(), &mut copy);
    assert_eq!(copy, message.bytes());
}
