//! How many phones and apps an extension registers at once, and what becomes of one too many.

use std::time::Duration;

use ringway_directory::{DEFAULT_MAX_APPS, DEFAULT_MAX_PHONES, Extension, Tenant, WhenFull};

use crate::registration::{register_in_order, registered, without_jitter};
use crate::scene::{ACME, Heard, Phone, Scene, acme, extension};

/// A scene in which 101 may have what an extension may have by default.
fn scene(when_full: WhenFull) -> Scene {
    let mut scene = Scene::with(without_jitter);
    scene.redirect(|edit| {
        let limits = Extension {
            max_phones: DEFAULT_MAX_PHONES,
            max_apps: DEFAULT_MAX_APPS,
            ..extension("acme.example", "101")
        };
        edit.put_extension(ACME, limits);
        edit.put_tenant(Tenant { when_full, ..acme() });
    });
    scene
}

fn phone(number: usize) -> String {
    format!("<sip:phone{number}@198.51.100.1>")
}

fn app(number: usize) -> String {
    format!("<sip:app{number}@198.51.100.1;pn-provider=acme;pn-prid=p{number}>")
}

/// A device of its own registers, a second after the one before.
fn device_registers(scene: &mut Scene, phone: Phone, contact: &str) -> Heard {
    scene.advance(Duration::from_secs(1));
    register_in_order(scene, phone, contact, 2, contact)
}

fn uris(contacts: &[String]) -> Vec<String> {
    contacts.iter().filter_map(|contact| Some(format!("{}>", contact.split_once('>')?.0))).collect()
}

#[test]
fn three_phones_and_five_apps_register_and_the_next_of_either_is_told_of_the_limit() {
    let mut scene = scene(WhenFull::Reject);
    let desk = scene.phone("101@acme.example");
    let all: Vec<_> = (1..=3).map(phone).chain((1..=5).map(app)).collect();
    for contact in &all {
        assert_eq!(device_registers(&mut scene, desk, contact).status(), Some(200), "{contact}");
    }
    for contact in [phone(4), app(6)] {
        let refusal = device_registers(&mut scene, desk, &contact);
        assert_eq!((refusal.status(), &*refusal.reason_code()), (Some(403), "registration-limit"), "{contact}");
        assert!(refusal.header("Warning").contains("the registration limit of this extension is reached"));
    }
    assert_eq!(uris(&registered(&mut scene, desk)), all);
    // Whoever is registered goes on as before.
    let refresh = register_in_order(&mut scene, desk, &phone(2), 4, &phone(2));
    assert_eq!(refresh.status(), Some(200));
}

#[test]
fn a_phone_that_unregisters_or_expires_makes_room() {
    let mut scene = scene(WhenFull::Reject);
    let desk = scene.phone("101@acme.example");
    for number in 1..=3 {
        device_registers(&mut scene, desk, &phone(number));
    }
    register_in_order(&mut scene, desk, &phone(1), 4, &format!("{};expires=0", phone(1)));
    assert_eq!(device_registers(&mut scene, desk, &phone(4)).status(), Some(200));
    scene.advance(Duration::from_secs(300));
    assert_eq!(device_registers(&mut scene, desk, &phone(5)).status(), Some(200));
    assert_eq!(uris(&registered(&mut scene, desk)), [phone(5)]);
}

#[test]
fn where_the_tenant_says_so_the_phone_that_registered_longest_ago_gives_way() {
    let mut scene = scene(WhenFull::ReplaceOldest);
    let desk = scene.phone("101@acme.example");
    for number in 1..=3 {
        device_registers(&mut scene, desk, &phone(number));
    }
    // The first is refreshed, so the second is the oldest.
    scene.advance(Duration::from_secs(1));
    register_in_order(&mut scene, desk, &phone(1), 4, &phone(1));
    assert_eq!(device_registers(&mut scene, desk, &phone(4)).status(), Some(200));
    assert_eq!(uris(&registered(&mut scene, desk)), [1, 3, 4].map(phone));
}
