//! What people may write, and what they are told when they wrote something else.
#![allow(clippy::unwrap_used)]

use ringway_directory::validation::{AuthName, Domain, Email, Number, Password, parse_flag, parse_hash, parse_network};
use ringway_directory::{Code, Fault, TenantDraft};

#[test]
fn numbers_have_three_to_thirty_two_digits_and_keep_their_zeros() {
    for (text, number) in [("101", "101"), (" 007 ", "007"), (&"9".repeat(32), &"9".repeat(32))] {
        assert_eq!(Number::parse("n", text).unwrap().as_str(), number);
    }
    for (text, code) in [
        ("", Code::Required),
        ("  ", Code::Required),
        ("12", Code::TooShort),
        (&"9".repeat(33), Code::TooLong),
        ("10a", Code::BadCharacter),
        ("+101", Code::BadCharacter),
        ("1 01", Code::BadCharacter),
        ("١٠١", Code::BadCharacter),
    ] {
        assert_eq!(code_of(Number::parse("n", text)), Some(code), "{text:?}");
    }
}

#[test]
fn auth_names_have_the_characters_of_a_sip_user_part() {
    let longest = "a".repeat(63);
    for name in ["a", "101", "Alice.O'Hara", "-_.!~*'()&=+$,;?/", longest.as_str()] {
        assert_eq!(AuthName::parse("a", name).unwrap().as_str(), name);
    }
    for (text, code) in [
        ("", Code::Required),
        (&"a".repeat(64), Code::TooLong),
        ("a b", Code::BadCharacter),
        ("a@b", Code::BadCharacter),
        ("a:b", Code::BadCharacter),
        ("a\"b", Code::BadCharacter),
        ("a%41", Code::BadCharacter),
        ("a\u{0}", Code::BadCharacter),
        ("ä", Code::BadCharacter),
    ] {
        assert_eq!(code_of(AuthName::parse("a", text)), Some(code), "{text:?}");
    }
}

#[test]
fn typed_passwords_need_six_characters_and_nothing_else() {
    for text in ["p000001", "pw-1000001", "123456", "      ", "ä€üöß€", "a\"b,c;d"] {
        assert_eq!(Password::parse("p", text).unwrap().as_str(), text);
    }
    for (text, code) in [
        ("", Code::Required),
        ("12345", Code::TooShort),
        ("äöüäö", Code::TooShort),
        (&"x".repeat(129), Code::TooLong),
        ("abc\ndef", Code::BadCharacter),
        ("abc\u{0}def", Code::BadCharacter),
    ] {
        assert_eq!(code_of(Password::parse("p", text)), Some(code), "{text:?}");
    }
}

#[test]
fn a_password_is_never_printed() {
    assert_eq!(format!("{:?}", Password::parse("p", "secret").unwrap()), "Password");
}

#[test]
fn generated_passwords_have_twenty_characters_without_look_alikes() {
    let mut random = counting_bytes();
    let passwords: Vec<_> = (0..200).map(|_| Password::generate(&mut random)).collect();
    for password in &passwords {
        assert_eq!(password.as_str().len(), 20);
        assert!(password.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte)));
        assert!(!password.as_str().contains(['0', 'O', 'o', '1', 'l', 'I']));
        assert_eq!(Password::parse("p", password.as_str()).unwrap(), *password);
    }
    assert!(passwords.iter().any(|password| *password != passwords[0]));
}

#[test]
fn every_character_of_a_generated_password_is_equally_likely() {
    let mut random = counting_bytes();
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..5900 {
        for character in Password::generate(&mut random).as_str().chars() {
            *seen.entry(character).or_insert(0u32) += 1;
        }
    }
    assert_eq!(seen.len(), 59);
    let (least, most) = (seen.values().min().unwrap(), seen.values().max().unwrap());
    assert!(*least > 1800 && *most < 2200, "{least} to {most}, 2000 on average");
}

#[test]
fn generated_auth_names_are_valid_and_have_twelve_characters() {
    let name = AuthName::generate(&mut counting_bytes());
    assert_eq!(name.as_str().len(), 12);
    assert_eq!(AuthName::parse("a", name.as_str()).unwrap(), name);
}

#[test]
fn domains_become_lower_case_a_labels() {
    for (text, domain) in [
        ("demo.ringway.test", "demo.ringway.test"),
        ("ACME.Example.", "acme.example"),
        ("pbx", "pbx"),
        ("müller.example", "xn--mller-kva.example"),
        ("xn--mller-kva.example", "xn--mller-kva.example"),
        (" acme.example ", "acme.example"),
        ("4you.example", "4you.example"),
    ] {
        assert_eq!(Domain::parse("d", text).unwrap().as_str(), domain);
    }
}

#[test]
fn addresses_and_malformed_names_are_no_domains() {
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = format!("{}example", "a.".repeat(130));
    for (text, code) in [
        ("", Code::Required),
        (".", Code::Required),
        ("192.0.2.1", Code::BadFormat),
        ("1.2.3", Code::BadFormat),
        ("127.1", Code::BadFormat),
        ("[2001:db8::1]", Code::BadFormat),
        ("2001:db8::1", Code::BadFormat),
        ("１９２.0.2.1", Code::BadFormat),
        ("a..example", Code::BadFormat),
        ("-a.example", Code::BadFormat),
        ("a-.example", Code::BadFormat),
        ("a_b.example", Code::BadCharacter),
        ("a b.example", Code::BadCharacter),
        ("sip:acme.example", Code::BadCharacter),
        (&long_label, Code::TooLong),
        (&long_name, Code::TooLong),
        ("xn--\u{7f}.example", Code::BadFormat),
    ] {
        assert!(Domain::parse("d", text).is_err(), "{text:?}");
        assert_eq!(code_of(Domain::parse("d", text)), Some(code), "{text:?}");
    }
}

#[test]
fn e_mail_addresses_keep_their_case_and_compare_without_it() {
    let email = Email::parse("e", " Bob.O'Hara+sip@Example.COM ").unwrap();
    assert_eq!(email.as_str(), "Bob.O'Hara+sip@example.com");
    assert_eq!(&*email.key(), "bob.o'hara+sip@example.com");
    assert_eq!(Email::parse("e", "_a@müller.example").unwrap().as_str(), "_a@xn--mller-kva.example");
}

#[test]
fn what_is_no_e_mail_address_is_refused() {
    let long_local = format!("{}@example.com", "a".repeat(65));
    let long_whole = format!("{}@{}example", "a".repeat(64), "a.".repeat(100));
    for (text, code) in [
        ("", Code::Required),
        ("bob", Code::BadFormat),
        ("@example.com", Code::BadFormat),
        (".bob@example.com", Code::BadFormat),
        ("bob.@example.com", Code::BadFormat),
        ("b..ob@example.com", Code::BadFormat),
        ("-bob@example.com", Code::BadFormat),
        ("bob@192.0.2.1", Code::BadFormat),
        ("bob@", Code::Required),
        ("b ob@example.com", Code::BadCharacter),
        ("a@b@example.com", Code::BadCharacter),
        ("bob\r\n@example.com", Code::BadCharacter),
        (&long_local, Code::TooLong),
        (&long_whole, Code::TooLong),
    ] {
        assert_eq!(code_of(Email::parse("e", text)), Some(code), "{text:?}");
    }
}

#[test]
fn yes_and_no_are_read_as_other_products_write_them() {
    for text in ["true", "TRUE", "1", "Yes", " on "] {
        assert_eq!(parse_flag("f", text), Ok(true), "{text}");
    }
    for text in ["false", "False", "0", "no", "OFF"] {
        assert_eq!(parse_flag("f", text), Ok(false), "{text}");
    }
    assert_eq!(code_of(parse_flag("f", "maybe")), Some(Code::BadFormat));
}

#[test]
fn hashes_are_exactly_as_long_as_their_algorithm_makes_them() {
    assert_eq!(parse_hash("h", " 00ffAB "), Ok([0, 255, 171]));
    for text in ["", "00ffa", "00ffabc", "00ffag", "00ff+a", "éé"] {
        assert_eq!(code_of(parse_hash::<3>("h", text)), Some(Code::BadFormat), "{text:?}");
    }
}

#[test]
fn networks_are_prefixes_or_single_addresses() {
    for (text, network) in [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
    ] {
        assert_eq!(parse_network("t", text).unwrap().to_string(), network);
    }
    assert_eq!(
        parse_network("t", "192.0.2.7/24").unwrap_err().message,
        "192.0.2.7/24 has bits set beyond its prefix; write 192.0.2.0/24"
    );
    for text in ["", "192.0.2.0/33", "192.0.2", "example.com", "192.0.2.0/24 "] {
        let result = parse_network("t", text);
        assert_eq!(result.is_err(), text.trim() != "192.0.2.0/24", "{text:?}");
    }
}

#[test]
fn a_tenant_draft_reports_everything_that_is_wrong_at_once() {
    let draft = TenantDraft {
        domain: "192.0.2.1".into(),
        aliases: vec!["good.example".into(), "b ad.example".into()],
        name: "x\ny".into(),
        trust: vec!["10.0.0.0/8".into(), "10.0.0.1/8".into()],
        ..TenantDraft::default()
    };
    let faults = draft.validate().unwrap_err();
    let found: Vec<_> = faults.iter().map(|fault| (&*fault.field, fault.code)).collect();
    assert_eq!(
        found,
        [
            ("domain", Code::BadFormat),
            ("alias", Code::BadCharacter),
            ("name", Code::BadCharacter),
            ("trust", Code::BadFormat)
        ]
    );
}

#[test]
fn a_tenant_is_called_by_its_domain_unless_it_has_a_name_and_repeated_aliases_count_once() {
    let draft = TenantDraft {
        domain: "Acme.example".into(),
        aliases: vec!["acme.EXAMPLE.".into(), "b.example".into(), "B.example".into()],
        trust: vec!["10.0.0.1".into(), "10.0.0.1/32".into()],
        ..TenantDraft::default()
    };
    let tenant = draft.validate().unwrap();
    assert_eq!(tenant.domain.as_str(), "acme.example");
    assert_eq!(tenant.name.as_str(), "Acme.example");
    assert_eq!(tenant.aliases, [Domain::parse("d", "b.example").unwrap()]);
    assert_eq!(tenant.trust.len(), 1);
}

fn code_of<T>(result: Result<T, Fault>) -> Option<Code> {
    result.err().map(|fault| fault.code)
}

/// Bytes that differ from call to call, the same in every run.
fn counting_bytes() -> impl FnMut(&mut [u8]) {
    let mut state = 1u64;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 33) as u8;
        }
    }
}
