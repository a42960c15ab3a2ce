//! Digest authentication: checking one answer with each hash, minting a challenge, and the whole judgement of a
//! REGISTER whose nonce is known, with its HMAC and its window of counts.
#![allow(missing_docs, reason = "criterion's macros write functions without comments")]
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ringway_bench::clock::thread_time;
use ringway_bench::measurement::{self, ThreadTime};
use ringway_bench::{Known, Phones, nonce_of};
use ringway_directory::{Snapshot, Tenant};
use ringway_edge::Settings;
use ringway_edge::auth::{Authenticator, Challenge, Question, Role, Verdict};
use ringway_edge::counters::Counters;
use ringway_edge::keys::Keys;
use ringway_sip::digest::{Algorithm, Credentials, ha1};
use ringway_sip::write::ResponseWriter;
use ringway_sip::{Flow, ListenerId, Message, Monotonic, Now, ShardId, Transport, Wall};

const NOW: Now = Now { monotonic: Monotonic::from_micros(1_000_000), wall: Wall::from_seconds(1_800_000_000) };

/// Answers that are judged before the authenticator is made anew.
const COUNTS: u32 = 4096;

/// Always the same one, so that nonces of one are good for the next.
fn authenticator() -> Authenticator {
    Authenticator::new(ShardId(0), Keys::new([42; 32]), 42)
}

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        listener: ListenerId(0),
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "10.0.0.0:5060".parse().unwrap(),
        connection: None,
    }
}

/// The challenge to a REGISTER.
fn challenge(
    authenticator: &mut Authenticator,
    tenant: &Tenant,
    settings: &Settings,
    request: &Message<'_>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let essentials = request.essentials().unwrap();
    let response =
        ResponseWriter::begin(request, &essentials, flow().remote, 401, "Unauthorized", Some(b"tag"), &mut out);
    let challenge = Challenge { role: Role::Server, stale: false, source: flow().source() };
    authenticator.write_challenge(NOW, challenge, tenant, settings, response).finish();
    out
}

fn register(phones: &mut Phones, known: Option<&Known>) -> Vec<u8> {
    let mut text = Vec::new();
    phones.register(&mut text, 0, known);
    text
}

fn tenant(directory: &Snapshot) -> &Tenant {
    directory.tenants().next().unwrap()
}

fn verify(criterion: &mut Criterion<ThreadTime>) {
    let mut group = criterion.benchmark_group("digest-verify");
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let ha1 = ha1(algorithm, b"1000017", b"acme.example.com", b"secret");
        let response = "0".repeat(2 * ha1.as_bytes().len());
        let value = format!(
            "Digest username=\"1000017\", realm=\"acme.example.com\", nonce=\"AZyk9kQXAAAAAQCq0Yp4mFv7c3H2bWkT\", \
             uri=\"sip:acme.example.com\", response=\"{response}\", algorithm={}, cnonce=\"0a4f113b\", qop=auth, \
             nc=00000001",
            algorithm.as_str()
        );
        group.bench_function(BenchmarkId::from_parameter(algorithm.as_str()), |bencher| {
            bencher.iter(|| {
                let credentials = Credentials::parse(black_box(value.as_bytes())).unwrap();
                black_box(credentials.verify(&ha1, b"REGISTER", b""))
            });
        });
    }
    group.finish();
}

fn mint(criterion: &mut Criterion<ThreadTime>) {
    let mut phones = Phones::new(1, 1);
    let (directory, settings) = (phones.directory(false), Settings::default());
    let text = register(&mut phones, None);
    let request = Message::parse(&text).unwrap();
    let mut authenticator = authenticator();
    criterion.bench_function("digest-challenge", |bencher| {
        bencher.iter(|| challenge(&mut authenticator, tenant(&directory), &settings, &request));
    });
}

fn authenticate(criterion: &mut Criterion<ThreadTime>) {
    let mut phones = Phones::new(1, 1);
    let (directory, settings) = (phones.directory(false), Settings::default());
    let tenant = tenant(&directory);
    let text = register(&mut phones, None);
    let challenge = challenge(&mut authenticator(), tenant, &settings, &Message::parse(&text).unwrap());
    let nonce = nonce_of(&challenge);
    let answers: Vec<_> =
        (1..=COUNTS).map(|count| register(&mut phones, Some(&Known { nonce: nonce.to_vec(), count }))).collect();
    let answers: Vec<_> = answers.iter().map(|text| Message::parse(text).unwrap()).collect();
    let answers: Vec<_> = answers.iter().map(|request| (request, request.essentials().unwrap())).collect();
    let (flow, mut counters) = (flow(), Counters::default());
    criterion.bench_function("digest-authenticate", |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = std::time::Duration::ZERO;
            let mut left = usize::try_from(times).unwrap();
            while left > 0 {
                let mut authenticator = authenticator();
                let start = thread_time();
                for (request, essentials) in answers.iter().take(left) {
                    let question = Question { request, essentials, flow: &flow, tenant, role: Role::Server };
                    let verdict = authenticator.authenticate(NOW, &question, &directory, &settings, &mut counters);
                    assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
                }
                spent += thread_time() - start;
                left -= left.min(answers.len());
            }
            spent
        });
    });
}

criterion_group! { name = benches; config = measurement::criterion(); targets = verify, mint, authenticate }
criterion_main!(benches);
