//! The house's laws that a machine can keep: which floor may import which, and what the pure floors may not have.
//!
//! docs/architecture.md draws the floors. Cargo refuses a cycle; this refuses an arrow that points up or sideways.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each floor and the floors that it may import. One that is missing here is not built yet.
const ARROWS: &[(&str, &[&str])] = &[
    ("sip", &[]),
    ("directory", &[]),
    ("telemetry", &[]),
    ("policy", &["directory"]),
    ("capture", &["sip"]),
    ("edge", &["sip", "directory", "policy"]),
    ("net", &["sip", "telemetry"]),
    ("store", &["directory", "policy", "telemetry"]),
    ("cluster", &["edge", "sip", "telemetry"]),
    ("hooks", &["edge", "policy", "sip", "telemetry"]),
    ("media", &["sip", "telemetry"]),
    ("api", &["directory", "policy", "edge", "store", "telemetry"]),
    (
        "server",
        &[
            "api",
            "net",
            "store",
            "cluster",
            "hooks",
            "media",
            "capture",
            "edge",
            "policy",
            "sip",
            "directory",
            "telemetry",
        ],
    ),
];

/// Floors that decide and do nothing else.
const PURE: &[&str] = &["sip", "directory", "policy", "edge", "capture"];

/// What a pure floor may not depend on, with why.
const IMPURE: &[(&str, &[&str])] = &[
    ("a runtime", &["tokio", "async-std", "smol", "futures", "mio"]),
    ("sockets or system calls", &["socket2", "libc", "nix", "rustix", "quinn", "rustls", "hyper", "axum", "reqwest"]),
    ("a store", &["sqlx", "rusqlite", "redis", "fred", "csv"]),
    ("scripts", &["mlua"]),
    ("randomness that is no argument", &["rand", "getrandom", "fastrand", "uuid"]),
    ("a clock", &["chrono", "time", "quanta"]),
    ("logs or metrics", &["tracing", "log", "prometheus", "metrics"]),
];

/// A Cargo.toml, as far as it matters here: the names of its dependencies, by their table.
struct Manifest {
    name: String,
    dependencies: BTreeSet<String>,
    for_tests: BTreeSet<String>,
}

#[test]
fn arrows_between_the_floors_only_point_down() {
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    for manifest in floors() {
        let allowed = arrows
            .get(manifest.name.as_str())
            .unwrap_or_else(|| panic!("src/{} has no row in ARROWS: give it its place in the house", manifest.name));
        for dependency in manifest.dependencies.union(&manifest.for_tests) {
            let Some(floor) = dependency.strip_prefix("ringway-") else { continue };
            assert!(
                allowed.contains(&floor),
                "src/{}/Cargo.toml: {} may not import {floor}",
                manifest.name,
                manifest.name
            );
        }
    }
}

#[test]
fn the_front_door_opens_onto_the_server_alone() {
    let manifest = read(&root().join("Cargo.toml"));
    let ours: Vec<_> = manifest.dependencies.iter().filter(|name| name.starts_with("ringway")).collect();
    assert_eq!(ours, ["ringway-server"]);
    let lines = fs::read_to_string(root().join("src/main.rs")).unwrap().lines().count();
    assert!(lines < 80, "src/main.rs has {lines} lines: it hands over to the server and does no work");
}

#[test]
fn a_pure_floor_depends_on_nothing_that_acts() {
    for manifest in floors().iter().filter(|manifest| PURE.contains(&manifest.name.as_str())) {
        for (what, crates) in IMPURE {
            for dependency in &manifest.dependencies {
                assert!(
                    !crates.contains(&dependency.as_str()),
                    "src/{}/Cargo.toml: {dependency} is {what}; a pure floor takes that as an argument",
                    manifest.name
                );
            }
        }
    }
}

#[test]
fn clippy_bans_clocks_randomness_and_io_on_every_pure_floor() {
    let shared = fs::read_to_string(root().join("clippy.toml")).unwrap();
    let mut texts = BTreeMap::new();
    for name in floors().into_iter().map(|manifest| manifest.name).filter(|name| PURE.contains(&name.as_str())) {
        let path = root().join("src").join(&name).join("clippy.toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for line in shared.lines().filter(|line| line.contains(" = ")) {
            assert!(text.contains(line), "{}: the workspace's `{line}` is missing", path.display());
        }
        texts.insert(name, text);
    }
    let (first, text) = texts.first_key_value().unwrap();
    for banned in [
        "std::time::Instant::now",
        "std::time::SystemTime::now",
        "std::thread::sleep",
        "rand::rng",
        "std::net::UdpSocket",
        "std::net::TcpStream",
        "std::fs::File",
    ] {
        assert!(text.contains(&format!("\"{banned}\"")), "src/{first}/clippy.toml does not ban {banned}");
    }
    for (name, other) in &texts {
        assert_eq!(text, other, "src/{first}/clippy.toml and src/{name}/clippy.toml differ");
    }
}

#[test]
fn a_pure_floor_s_code_names_no_files_and_no_environment() {
    for floor in PURE.iter().map(|floor| root().join("src").join(floor)).filter(|floor| floor.exists()) {
        for path in sources(&floor) {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                for banned in ["std::fs", "std::env::", "std::process", "tokio::"] {
                    assert!(!line.contains(banned), "{}:{}: {banned} on a pure floor", path.display(), number + 1);
                }
            }
        }
    }
}

/// The sources of a crate, without what only tests are made of.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(&*name, "tests" | "fuzz" | "benches" | "examples") {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_crate_keeps_the_house_s_lints_and_declares_nothing_of_its_own() {
    for manifest in floors() {
        let path = root().join("src").join(&manifest.name).join("Cargo.toml");
        let table: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        let workspace = |section: &str, key: &str| {
            table.get(section).and_then(|value| value.get(key)).and_then(|value| match value {
                toml::Value::Boolean(inherited) => Some(*inherited),
                toml::Value::Table(inner) => inner.get("workspace").and_then(toml::Value::as_bool),
                _ => None,
            })
        };
        assert_eq!(workspace("lints", "workspace"), Some(true), "{}: [lints] workspace = true", path.display());
        for key in ["version", "edition", "rust-version", "license"] {
            assert_eq!(workspace("package", key), Some(true), "{}: {key}.workspace = true", path.display());
        }
    }
}

fn floors() -> Vec<Manifest> {
    let mut manifests: Vec<_> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("Cargo.toml"))
        .filter(|path| path.exists())
        .map(|path| read(&path))
        .collect();
    manifests.sort_by(|one, two| one.name.cmp(&two.name));
    assert!(manifests.len() >= 8, "the floors were not found under {}", root().display());
    manifests
}

fn read(path: &Path) -> Manifest {
    let table: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let name = table["package"]["name"].as_str().unwrap();
    let name = name.strip_prefix("ringway-").unwrap_or(name).to_owned();
    let mut manifest = Manifest { name, dependencies: BTreeSet::new(), for_tests: BTreeSet::new() };
    collect(&table, &mut manifest);
    if let Some(targets) = table.get("target").and_then(toml::Value::as_table) {
        targets.values().filter_map(toml::Value::as_table).for_each(|target| collect(target, &mut manifest));
    }
    manifest
}

fn collect(table: &toml::Table, manifest: &mut Manifest) {
    let names =
        |section: &str| table.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
    manifest.dependencies.extend(names("dependencies").chain(names("build-dependencies")).cloned());
    manifest.for_tests.extend(names("dev-dependencies").cloned());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
