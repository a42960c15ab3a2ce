//! Every target's property over its corpus: what fuzzing has found worth keeping is asked again with every test run, on
//! any toolchain.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use ringway_fuzz::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn every_target_holds_for_its_corpus() {
    for (name, check) in TARGETS {
        let mut inputs = 0;
        for entry in fs::read_dir(folder("corpus").join(name)).unwrap_or_else(|error| panic!("{name}: {error}")) {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            assert!(std::panic::catch_unwind(|| check(&bytes)).is_ok(), "{}", path.display());
            inputs += 1;
        }
        assert!(inputs >= 10, "{name} has a corpus of {inputs}");
    }
}

#[test]
fn every_target_holds_for_nothing_for_noise_and_for_the_beginnings_of_its_corpus() {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for (name, check) in TARGETS {
        check(b"");
        let mut noise = Vec::new();
        for _ in 0..300 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            noise.push((seed >> 56) as u8);
            check(&noise);
        }
        let mut files: Vec<_> =
            fs::read_dir(folder("corpus").join(name)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        for path in files.iter().take(3) {
            let bytes = fs::read(path).unwrap();
            for end in 0..bytes.len().min(200) {
                check(&bytes[..end]);
            }
        }
    }
}

#[test]
fn every_target_is_a_program_and_has_a_log_of_ten_minutes() {
    let mut programs: Vec<_> = fs::read_dir(folder("targets"))
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    programs.sort();
    let mut names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.sort();
    assert_eq!(programs, names);
    for name in names {
        let log = fs::read_to_string(folder("logs").join(format!("{name}.txt")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let seconds: u64 = log.lines().find_map(|line| line.strip_prefix("seconds: ")).unwrap().parse().unwrap();
        let executions: u64 = log.lines().find_map(|line| line.strip_prefix("executions: ")).unwrap().parse().unwrap();
        assert!(seconds >= 600 && executions > 0, "{name}: {executions} executions in {seconds} s");
    }
}
