//! The four transaction machines, each from its beginning to its end.
#![allow(missing_docs, reason = "criterion's macros write functions without comments")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ringway_bench::measurement::{self, ThreadTime};
use ringway_sip::transaction::{
    InviteClient, InviteServer, NonInviteClient, NonInviteServer, Timer, TimerValues, invite_client, invite_server,
    non_invite_client, non_invite_server,
};

fn transaction(criterion: &mut Criterion<ThreadTime>) {
    let mut group = criterion.benchmark_group("transaction");
    let timers = TimerValues::default();
    group.bench_function("invite-client", |bencher| {
        bencher.iter(|| {
            use invite_client::Event;
            let mut machine = InviteClient::new(false, black_box(timers));
            for event in
                [Event::Start, Event::response(100), Event::response(180), Event::response(200), Event::Timer(Timer::M)]
            {
                black_box(machine.handle(black_box(event)));
            }
        });
    });
    group.bench_function("invite-server", |bencher| {
        bencher.iter(|| {
            use invite_server::Event;
            let mut machine = InviteServer::new(false, black_box(timers));
            for event in [Event::Send(100), Event::Send(180), Event::Send(200), Event::Timer(Timer::L)] {
                black_box(machine.handle(black_box(event)));
            }
        });
    });
    group.bench_function("non-invite-client", |bencher| {
        bencher.iter(|| {
            use non_invite_client::Event;
            let mut machine = NonInviteClient::new(false, black_box(timers));
            for event in [Event::Start, Event::response(200), Event::Timer(Timer::K)] {
                black_box(machine.handle(black_box(event)));
            }
        });
    });
    group.bench_function("non-invite-server", |bencher| {
        bencher.iter(|| {
            use non_invite_server::Event;
            let mut machine = NonInviteServer::new(false, black_box(timers));
            for event in [Event::Send(200), Event::Timer(Timer::J)] {
                black_box(machine.handle(black_box(event)));
            }
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = measurement::criterion(); targets = transaction }
criterion_main!(benches);
