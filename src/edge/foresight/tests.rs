//! What is read ahead of a message, and what is not.

use std::sync::Arc;

use ringway_directory::{Acknowledge, Budgets, Extension, Hashes, MediaPolicy, Snapshot, Tenant, TenantId, WhenFull};
use ringway_sip::{Monotonic, Now, ShardId, Wall};

use super::*;
use crate::{Activity, Bans, Location, Parts, Settings};

fn words<'m>(host: &'m str, number: &'m str, sender: &'m str, auth_name: &'m str) -> Option<Words<'m>> {
    let (host, number) = (host.as_bytes(), number.as_bytes());
    Some(Words { host, number, sender: sender.as_bytes(), auth_name: auth_name.as_bytes(), nonce: Default::default() })
}

#[test]
fn a_register_is_read_by_its_domain_and_its_to() {
    let register =
        b"REGISTER sip:acme.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1\r\nFrom: <sip:7@acme.example>;tag=1\r\n\
        To: \"A\" <sip:101@acme.example:5060;x=y>\r\n\r\n";
    assert_eq!(read(register), words("acme.example", "101", "101", ""));
    let compact = b"REGISTER sip:acme.example:5070 SIP/2.0\r\nt: sip:101@acme.example\r\n\
        Authorization: Digest realm=\"x\", cnonce=\"2\", username=\"k7\", nonce=\"1\"\r\n\r\n";
    let expected = words("acme.example", "101", "101", "k7").map(|words| Words { nonce: b"1", ..words });
    assert_eq!(read(compact), expected);
}

#[test]
fn an_invite_is_read_by_its_target_and_its_sender() {
    let invite = b"INVITE sip:102@acme.example;transport=udp SIP/2.0\r\nTo: <sip:102@acme.example>\r\n\
        From: <sip:101@acme.example>;tag=1\r\nProxy-Authorization: Digest username=\"k7\"\r\n\r\nFrom: <sip:1@x>\r\n";
    assert_eq!(read(invite), words("acme.example", "102", "101", "k7"));
}

#[test]
fn what_is_neither_or_can_t_be_read_is_left_alone() {
    for message in
        ["", "\r\n\r\n", "REGISTER ", "REGISTER x\r\n\r\n", "INVITE tel:1 SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n"]
    {
        assert_eq!(read(message.as_bytes()), None);
    }
    let whole = b"REGISTER sip:a SIP/2.0\r\nTo: <sip:1@a>\r\nAuthorization: Digest username=\"k\"\r\n\r\n";
    for length in 0..whole.len() {
        let _ = read(&whole[..length]);
    }
}

#[test]
fn looking_ahead_changes_nothing() {
    let engine = engine_with(u32::try_from(FEW_EXTENSIONS).unwrap());
    let register =
        |number: u32| format!("REGISTER sip:acme.example SIP/2.0\r\nTo: <sip:{number}@acme.example>\r\n\r\n");
    let mut messages: Vec<_> = (0..40).map(register).collect();
    messages.push("INVITE sip:1@globex.example SIP/2.0\r\nFrom: <sip:2@acme.example>\r\n\r\n".to_owned());
    for begin in 0..messages.len() {
        engine.foresee(messages.iter().skip(begin).map(String::as_bytes));
    }
    engine.foresee(std::iter::empty());
    assert_eq!((engine.counters().requests, engine.saves().count()), (Default::default(), 0));
    engine.check_invariants();
}

fn engine_with(extensions: u32) -> Engine {
    let mut edit = Snapshot::with_seed(1).edit();
    edit.put_tenant(Tenant {
        id: TenantId(1),
        domain: "acme.example".into(),
        aliases: Box::default(),
        name: "Acme".into(),
        trust: Box::default(),
        max_extensions: None,
        max_calls: None,
        budgets: Budgets::default(),
        when_full: WhenFull::Reject,
        media: MediaPolicy::Auto,
        max_media: None,
        max_call_seconds: None,
        acknowledge: Acknowledge::Memory,
        enabled: true,
        auth_name_equals_number: false,
    });
    for number in 0..extensions {
        let number = number.to_string();
        let extension = Extension {
            number: number.as_str().into(),
            auth_name: number.into(),
            display_name: Box::default(),
            enabled: true,
            max_phones: 3,
            max_apps: 5,
            hashes: Hashes::default(),
        };
        edit.put_extension(TenantId(1), extension);
    }
    let parts = Parts {
        shard: ShardId(0),
        boot: 1,
        secret: [1; 32],
        seed: 1,
        location: Arc::new(Location::new(1)),
        activity: Arc::new(Activity::new(1)),
        bans: Arc::new(Bans::new(1)),
        settings: Arc::new(Settings::default()),
        directory: Arc::new(edit.finish()),
        now: Now { monotonic: Monotonic::START, wall: Wall::from_seconds(1_800_000_000) },
    };
    Engine::new(parts)
}
