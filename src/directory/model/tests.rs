//! What documents take, and what they say of what they don't.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::did::{DidPool, stretches};
use super::holidays::Holiday;
use super::hours::{OfficeHours, Week, minute};
use super::money::Money;
use super::*;
use crate::Code;

fn members(value: Value) -> Members {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

/// Where a change of an extension's settings is wrong, and how.
fn faults(change: Value) -> Vec<(String, Code)> {
    match Settings::default().changed(&members(change), "101") {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| (fault.field.into_owned(), fault.code)).collect(),
    }
}

fn changed(change: Value) -> Settings {
    Settings::default().changed(&members(change), "101").unwrap()
}

#[test]
fn what_nobody_has_said_is_as_the_documentation_says() {
    let settings = Settings::default();
    assert!(settings.kept().is_empty());
    let all = Value::Object(settings.members());
    for (name, is) in [
        ("available_office_hours_forward_rule", json!("RING_ANYWAY")),
        ("busy_office_hours_forward_rule", json!("FORWARD_TO_VOICEMAIL")),
        ("offline_non_office_hours_forward_rule", json!("FORWARD_TO_VOICEMAIL")),
        ("available_no_answer_forward_rule", json!("FORWARD_TO_VOICEMAIL")),
    ] {
        assert_eq!(all[name]["action"], is, "{name}");
    }
    assert_eq!(all["available_no_answer_forward_rule"]["timeout"], 30);
    assert_eq!((&all["delivery_outbound_cid"], &all["anonymous_outbound_calls"]), (&json!(true), &json!(false)));
    assert_eq!((&all["office_hours"]["mode"], &all["voicemail_play_datetime"]), (&json!("GLOBAL"), &json!("DISABLE")));
}

#[test]
fn what_was_said_is_kept_and_read_again_and_null_takes_it_away() {
    let settings = changed(json!({"mobile_number": "+49 170 1", "office_hours": {"mode": "CUSTOM",
        "saturday": {"enabled": false}}, "status": "LUNCH"}));
    let kept = settings.kept();
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["mobile_number", "office_hours", "status"]);
    assert_eq!(Settings::read(&Value::Object(kept).to_string()).unwrap(), settings);
    let change = members(json!({"office_hours": {"saturday": null}, "status": null}));
    let settings = settings.changed(&change, "101").unwrap();
    assert_eq!(settings.kept().keys().collect::<Vec<_>>(), ["mobile_number", "office_hours"]);
    assert!(settings.office_hours.saturday.enabled);
}

#[test]
fn what_is_wrong_is_told_with_the_way_to_it() {
    let one = |place: &str, code| vec![(place.to_owned(), code)];
    assert_eq!(faults(json!({"status": "ASLEEP"})), one("status", Code::BadFormat));
    assert_eq!(faults(json!({"enable_voicemail": "yes"})), one("enable_voicemail", Code::BadFormat));
    assert_eq!(faults(json!({"phones": [{"mac": "00"}]})), one("phones/0/mac", Code::BadFormat));
    assert_eq!(faults(json!({"phones": [{}]})), one("phones/0", Code::BadFormat));
    assert_eq!(
        faults(json!({"phones": [{"mac": "001565abcdef", "colour": 1}]})),
        one("phones/0/colour", Code::BadFormat)
    );
    assert_eq!(faults(json!({"time_zone": "Europe/Bonn"})), one("time_zone", Code::BadFormat));
    assert_eq!(
        faults(json!({"dnd_office_hours_forward_rule": {"action": "RING_ANYWAY"}})),
        one("dnd_office_hours_forward_rule/action", Code::Conflict)
    );
    assert_eq!(
        faults(json!({"busy_office_hours_forward_rule": {"action": "FORWARD_TO_NUMBER", "number": "101"}})),
        one("busy_office_hours_forward_rule/number", Code::Conflict)
    );
    assert_eq!(
        faults(json!({"busy_no_answer_forward_rule": {"action": "FORWARD_TO_NUMBER", "number": "102", "timeout": 4}})),
        one("busy_no_answer_forward_rule/timeout", Code::BadFormat)
    );
    assert_eq!(
        faults(json!({"status_note": "x".repeat(129), "voicemail_max_messages": 501})),
        [("status_note".to_owned(), Code::TooLong), ("voicemail_max_messages".to_owned(), Code::BadFormat)]
    );
}

#[test]
fn every_limit_holds_at_it_and_breaks_over_it() {
    let text = |length| json!("x".repeat(length));
    let list = |length, item: Value| Value::Array(vec![item; length]);
    let key = json!({"key": "BLF", "value": "102"});
    let exception = json!({"caller_id": "102", "action": "HANGUP"});
    for (name, at, over) in [
        ("status_note", text(128), text(129)),
        ("job_title", text(128), text(129)),
        ("caller_id", json!("1".repeat(31)), json!("1".repeat(32))),
        ("mobile_number", json!("1".repeat(32)), json!("1".repeat(33))),
        ("voicemail_max_messages", json!(500), json!(501)),
        ("voicemail_max_messages", json!(1), json!(0)),
        ("voicemail_max_seconds", json!(3600), json!(3601)),
        ("blfs", list(200, key.clone()), list(201, key)),
        ("custom_forward_rules", list(100, exception.clone()), list(101, exception)),
        ("allowed_sources", list(64, json!("192.0.2.0/24")), list(65, json!("192.0.2.0/24"))),
        ("speed_dial_8", json!({"2": "1", "9": "1"}), json!({"1": "1"})),
        ("speed_dial_100", json!({"00": "1", "99": "1"}), json!({"100": "1"})),
    ] {
        assert_eq!(faults(json!({ name: at })), [], "{name}");
        assert_eq!(faults(json!({ name: over })).len(), 1, "{name}");
    }
}

#[test]
fn callers_are_numbers_ranges_masks_and_the_three_words() {
    let is_good = |mask: &str| faults(json!({"rejected_callers": [mask]})).is_empty();
    for mask in ["101", "+49301", "1000-2000", "0044**********", "0044%", "anonymous", "101;internal;%"] {
        assert!(is_good(mask), "{mask}");
    }
    for mask in ["", "1000-20", "2000-1000", "4%4", "alice", "++49", "1 2"] {
        assert!(!is_good(mask), "{mask}");
    }
}

#[test]
fn a_day_of_other_products_is_written_as_it_is_here() {
    let day = |from: &str, to: &str| json!({"monday": {"enabled": true, "ranges": [{"from": from, "to": to}]}});
    let monday = |office_hours| changed(json!({ "office_hours": office_hours })).office_hours.monday;
    let open = monday(day("00:00", "23:59"));
    assert!(open.enabled && open.ranges.is_empty());
    let closed = monday(day("00:00", "00:00"));
    assert!(!closed.enabled && closed.ranges.is_empty());
    let shifts = json!([{"from": "09:00", "to": "12:00"}, {"from": "12:00", "to": "17:30"}]);
    let with = |ranges: Value| faults(json!({"office_hours": {"monday": {"ranges": ranges}}}));
    assert_eq!(with(shifts), []);
    for ranges in [
        json!([{"from": "09:00", "to": "09:00"}]),
        json!([{"from": "18:00", "to": "06:00"}]),
        json!([{"from": "9:00", "to": "12:00"}]),
        json!([{"from": "09:00", "to": "24:00"}]),
        json!([{"from": "12:00", "to": "14:00"}, {"from": "09:00", "to": "12:30"}]),
    ] {
        assert_eq!(with(ranges.clone()).len(), 1, "{ranges}");
    }
    assert_eq!((minute("00:00"), minute("23:59"), minute("23:60"), minute("+1:00")), (Some(0), Some(1439), None, None));
}

#[test]
fn a_holiday_has_days_that_there_are() {
    let is_good = |holiday: Value| {
        let holiday: Result<Holiday, _> = written(members(holiday));
        holiday.is_ok()
    };
    assert!(is_good(json!({"name": "New Year", "every_year": true, "start_month": 1, "start_day": 1})));
    assert!(is_good(json!({"name": "Leap", "every_year": true, "start_month": 2, "start_day": 29})));
    assert!(is_good(
        json!({"name": "Winter", "every_year": true, "consecutive": true, "start_month": 12, "start_day": 24,
        "end_month": 1, "end_day": 2})
    ));
    assert!(!is_good(json!({"name": "Leap", "start_year": 2027, "start_month": 2, "start_day": 29})));
    assert!(!is_good(json!({"name": "No year", "start_month": 2, "start_day": 1})));
    assert!(!is_good(
        json!({"name": "Back", "start_year": 2027, "start_month": 3, "start_day": 2, "consecutive": true,
        "end_month": 3, "end_day": 1})
    ));
    assert!(!is_good(json!({"name": "x".repeat(65), "every_year": true, "start_month": 1, "start_day": 1})));
    assert!(!is_good(json!({"name": "x", "region": "de", "every_year": true, "start_month": 1, "start_day": 1})));
}

#[test]
fn a_pool_is_numbers_and_ranges_without_what_makes_them_ambiguous() {
    let pool = |numbers: &str| written::<DidPool>(members(json!({"name": "p", "trunk": "t", "numbers": numbers})));
    assert!(pool("101;203;300-450").is_ok());
    for numbers in ["", "+49", "049", "00491", "450-300", "300-45", "1;1", "100-200;150", "1".repeat(19).as_str()] {
        assert!(pool(numbers).is_err(), "{numbers}");
    }
    let found: Vec<_> = stretches("101;300-450").collect();
    let has = |number: &str| found.iter().any(|part| part.has(number));
    for number in ["101", "+101", "00101", "0101", "300", "450"] {
        assert!(has(number), "{number}");
    }
    for number in ["102", "299", "451", "1010", ""] {
        assert!(!has(number), "{number}");
    }
}

#[test]
fn a_role_that_could_not_be_used_is_refused() {
    let role = |value: Value| written::<Role>(members(value)).map_err(|faults| faults[0].field.to_string());
    assert!(role(json!({"name": "Front desk", "users": "view"})).is_ok());
    assert_eq!(role(json!({"name": "admin"})).unwrap_err(), "name");
    assert_eq!(role(json!({"name": "r", "roles": "full"})).unwrap_err(), "users");
    assert_eq!(
        role(json!({"name": "r", "international_calls": true, "domestic_calls": false})).unwrap_err(),
        "domestic_calls"
    );
    assert_eq!(role(json!({"name": "r", "voicemail": "write"})).unwrap_err(), "voicemail");
}

#[test]
fn codes_do_one_thing_each_and_a_profile_s_can_be_changed() {
    let codes = |value: Value| written::<FeatureCodes>(members(value));
    for profile in ["PORTSIP", "YEASTAR"] {
        let table = codes(json!({ "profile": profile })).unwrap();
        assert!(table.in_force().count() > 20);
    }
    let portsip = codes(json!({})).unwrap();
    assert!(portsip.in_force().any(|known| known == ("*57", Function::Voicemail)));
    let own = codes(json!({"codes": {"VOICEMAIL": {"code": "*57#"}}}));
    assert_eq!(own.unwrap_err()[0].field, "codes/VOICEMAIL/code");
    let own = codes(json!({"codes": {"VOICEMAIL": {"code": "*72"}}}));
    assert_eq!(own.unwrap_err()[0].code, Code::Conflict);
    let own = codes(json!({"codes": {"VOICEMAIL": {"code": "*72"}, "FORWARD_ALWAYS": {"enabled": false}}})).unwrap();
    assert!(own.in_force().any(|known| known == ("*72", Function::Voicemail)));
}

#[test]
fn a_trunk_has_what_it_needs_to_be_reached_and_known() {
    let trunk = |value: Value| written::<Trunk>(members(value)).map_err(|faults| faults[0].field.to_string());
    assert!(trunk(json!({"name": "c", "host": "sip.carrier.example", "auth_name": "u"})).is_ok());
    assert!(trunk(json!({"name": "c", "mode": "IP", "host": "192.0.2.1", "sources": ["192.0.2.0/24"]})).is_ok());
    assert_eq!(trunk(json!({"name": "c", "auth_name": "u"})).unwrap_err(), "host");
    assert_eq!(trunk(json!({"name": "c", "host": "h"})).unwrap_err(), "auth_name");
    assert_eq!(trunk(json!({"name": "c", "mode": "IP", "host": "h"})).unwrap_err(), "sources");
    assert_eq!(trunk(json!({"name": "a/b", "host": "h", "auth_name": "u"})).unwrap_err(), "name");
    assert_eq!(trunk(json!({"name": "c", "host": "-_. !", "auth_name": "u"})).unwrap_err(), "host");
    let shown =
        format!("{:?}", trunk(json!({"name": "c", "host": "h", "auth_name": "u", "password": "hidden"})).unwrap());
    assert!(!shown.contains("hidden"));
}

#[test]
fn pins_that_are_easily_guessed_are_refused_and_none_such_is_drawn() {
    for (pin, is_good) in [
        ("294817", true),
        ("2948170000", false),
        ("294811", true),
        ("12345", false),
        ("12948171234", false),
        ("294111", false),
        ("294123", false),
        ("294321", false),
        ("29481a", false),
        ("294817", true),
    ] {
        assert_eq!(pin::fault("voicemail_pin", pin, "101").is_none(), is_good, "{pin}");
    }
    assert!(pin::fault("voicemail_pin", "294817", "294817").is_some());
    let mut seed = 0u8;
    let mut random = |bytes: &mut [u8]| {
        bytes.iter_mut().for_each(|byte| {
            seed = seed.wrapping_mul(141).wrapping_add(83);
            *byte = seed;
        })
    };
    for _ in 0..100 {
        let drawn = pin::generate("101", &mut random);
        assert!(pin::fault("voicemail_pin", &drawn, "101").is_none(), "{drawn}");
    }
}

#[test]
fn money_is_exact() {
    for (text, amount) in [("0", 0), ("0.24", 24_000), ("1.00001", 100_001), ("-2.5", -250_000), ("12", 1_200_000)] {
        assert_eq!(text.parse(), Ok(Money(amount)), "{text}");
    }
    for text in ["", ".5", "1.", "1.000001", "1,5", "1e3", "+1", "99999999999999999", "--1"] {
        assert!(text.parse::<Money>().is_err(), "{text}");
    }
    assert_eq!(serde_json::to_value(Money(-50)).unwrap(), json!("-0.00050"));
}

proptest! {
    #[test]
    fn money_reads_what_it_writes(amount in -1_000_000_000_000_000i64..1_000_000_000_000_000) {
        prop_assert_eq!(Money(amount).to_string().parse(), Ok(Money(amount)));
    }

    #[test]
    fn no_document_makes_it_panic(text in ".{0,40}", number in any::<i64>()) {
        for name in Settings::names() {
            for value in [json!(text), json!(number), json!([text]), json!({ text.as_str(): number }), json!(null)] {
                _ = Settings::default().changed(&members(json!({ name: value })), "101");
            }
        }
        _ = written::<Week>(members(json!({ text.as_str(): text })));
        _ = serde_json::from_value::<OfficeHours>(json!({"mode": text}));
    }
}
