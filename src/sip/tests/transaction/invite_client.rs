//! RFC 3261 figure 5 with the Accepted state of RFC 6026.

use ringway_sip::transaction::Step::{Acknowledge, Deliver, Destroy, Stop, TimedOut, Transmit, TransportFailed};
use ringway_sip::transaction::Timer::{A, B, D, M};
use ringway_sip::transaction::invite_client::Event::{self, Failure, Provisional, Start, Success, TransportError};
use ringway_sip::transaction::invite_client::State::{self, Accepted, Calling, Completed, Proceeding, Terminated};
use ringway_sip::transaction::{InviteClient, TimerValues};

use crate::clock::{Clock, each};
use crate::start;
use crate::table::assert_figure;

const EVENTS: [Event; 9] = [
    Start,
    Provisional,
    Success,
    Failure,
    TransportError,
    Event::Timer(A),
    Event::Timer(B),
    Event::Timer(D),
    Event::Timer(M),
];

#[test]
fn over_udp_it_follows_the_figure() {
    let states = [Calling, Proceeding, Accepted, Completed, Terminated];
    let rows = [
        (Calling, Start, Calling, vec![Transmit, start(A, 500), start(B, 32_000)]),
        (Calling, Event::Timer(A), Calling, vec![Transmit, start(A, 1_000)]),
        (Calling, Event::Timer(B), Terminated, vec![Stop(A), TimedOut, Destroy]),
        (Calling, TransportError, Terminated, vec![Stop(A), Stop(B), TransportFailed, Destroy]),
        (Calling, Provisional, Proceeding, vec![Stop(A), Stop(B), Deliver]),
        (Calling, Success, Accepted, vec![Stop(A), Stop(B), Deliver, start(M, 32_000)]),
        (Calling, Failure, Completed, vec![Stop(A), Stop(B), Acknowledge, Deliver, start(D, 32_000)]),
        (Calling, Event::Timer(D), Calling, vec![]),
        (Calling, Event::Timer(M), Calling, vec![]),
        //
        (Proceeding, Start, Proceeding, vec![]),
        (Proceeding, Event::Timer(A), Proceeding, vec![]),
        (Proceeding, Event::Timer(B), Proceeding, vec![]),
        (Proceeding, TransportError, Proceeding, vec![]),
        (Proceeding, Provisional, Proceeding, vec![Deliver]),
        (Proceeding, Success, Accepted, vec![Deliver, start(M, 32_000)]),
        (Proceeding, Failure, Completed, vec![Acknowledge, Deliver, start(D, 32_000)]),
        (Proceeding, Event::Timer(D), Proceeding, vec![]),
        (Proceeding, Event::Timer(M), Proceeding, vec![]),
        //
        (Accepted, Start, Accepted, vec![]),
        (Accepted, Event::Timer(A), Accepted, vec![]),
        (Accepted, Event::Timer(B), Accepted, vec![]),
        (Accepted, TransportError, Accepted, vec![]),
        (Accepted, Provisional, Accepted, vec![]),
        (Accepted, Success, Accepted, vec![Deliver]),
        (Accepted, Failure, Accepted, vec![]),
        (Accepted, Event::Timer(D), Accepted, vec![]),
        (Accepted, Event::Timer(M), Terminated, vec![Destroy]),
        //
        (Completed, Start, Completed, vec![]),
        (Completed, Event::Timer(A), Completed, vec![]),
        (Completed, Event::Timer(B), Completed, vec![]),
        (Completed, TransportError, Terminated, vec![Stop(D), TransportFailed, Destroy]),
        (Completed, Provisional, Completed, vec![]),
        (Completed, Success, Completed, vec![]),
        (Completed, Failure, Completed, vec![Acknowledge]),
        (Completed, Event::Timer(D), Terminated, vec![Destroy]),
        (Completed, Event::Timer(M), Completed, vec![]),
        //
        (Terminated, Start, Terminated, vec![]),
        (Terminated, Event::Timer(A), Terminated, vec![]),
        (Terminated, Event::Timer(B), Terminated, vec![]),
        (Terminated, TransportError, Terminated, vec![]),
        (Terminated, Provisional, Terminated, vec![]),
        (Terminated, Success, Terminated, vec![]),
        (Terminated, Failure, Terminated, vec![]),
        (Terminated, Event::Timer(D), Terminated, vec![]),
        (Terminated, Event::Timer(M), Terminated, vec![]),
    ];
    assert_figure(&states, &EVENTS, |state| reach(state, false), &rows);
}

#[test]
fn over_a_reliable_transport_nothing_is_sent_again_and_a_failure_ends_it_at_once() {
    let states = [Calling, Proceeding, Accepted, Terminated];
    let rows = [
        (Calling, Start, Calling, vec![Transmit, start(B, 32_000)]),
        (Calling, Event::Timer(A), Calling, vec![]),
        (Calling, Event::Timer(B), Terminated, vec![TimedOut, Destroy]),
        (Calling, TransportError, Terminated, vec![Stop(B), TransportFailed, Destroy]),
        (Calling, Provisional, Proceeding, vec![Stop(B), Deliver]),
        (Calling, Success, Accepted, vec![Stop(B), Deliver, start(M, 32_000)]),
        (Calling, Failure, Terminated, vec![Stop(B), Acknowledge, Deliver, Destroy]),
        (Calling, Event::Timer(D), Calling, vec![]),
        (Calling, Event::Timer(M), Calling, vec![]),
        //
        (Proceeding, Start, Proceeding, vec![]),
        (Proceeding, Event::Timer(A), Proceeding, vec![]),
        (Proceeding, Event::Timer(B), Proceeding, vec![]),
        (Proceeding, TransportError, Proceeding, vec![]),
        (Proceeding, Provisional, Proceeding, vec![Deliver]),
        (Proceeding, Success, Accepted, vec![Deliver, start(M, 32_000)]),
        (Proceeding, Failure, Terminated, vec![Acknowledge, Deliver, Destroy]),
        (Proceeding, Event::Timer(D), Proceeding, vec![]),
        (Proceeding, Event::Timer(M), Proceeding, vec![]),
        //
        (Accepted, Start, Accepted, vec![]),
        (Accepted, Event::Timer(A), Accepted, vec![]),
        (Accepted, Event::Timer(B), Accepted, vec![]),
        (Accepted, TransportError, Accepted, vec![]),
        (Accepted, Provisional, Accepted, vec![]),
        (Accepted, Success, Accepted, vec![Deliver]),
        (Accepted, Failure, Accepted, vec![]),
        (Accepted, Event::Timer(D), Accepted, vec![]),
        (Accepted, Event::Timer(M), Terminated, vec![Destroy]),
        //
        (Terminated, Start, Terminated, vec![]),
        (Terminated, Event::Timer(A), Terminated, vec![]),
        (Terminated, Event::Timer(B), Terminated, vec![]),
        (Terminated, TransportError, Terminated, vec![]),
        (Terminated, Provisional, Terminated, vec![]),
        (Terminated, Success, Terminated, vec![]),
        (Terminated, Failure, Terminated, vec![]),
        (Terminated, Event::Timer(D), Terminated, vec![]),
        (Terminated, Event::Timer(M), Terminated, vec![]),
    ];
    assert_figure(&states, &EVENTS, |state| reach(state, true), &rows);
}

#[test]
fn an_invite_that_nobody_answers_is_sent_seven_times_and_given_up_after_32_seconds() {
    let sent = each(&[0, 500, 1_500, 3_500, 7_500, 15_500, 31_500], Transmit);
    let steps = calling(false).until_it_ends();
    assert_eq!(steps, [sent, vec![(32_000, TimedOut), (32_000, Destroy)]].concat());
}

#[test]
fn over_a_reliable_transport_an_invite_that_nobody_answers_is_sent_once() {
    assert_eq!(calling(true).until_it_ends(), [(0, Transmit), (32_000, TimedOut), (32_000, Destroy)]);
}

#[test]
fn an_invite_that_rings_is_not_sent_again_and_waits_for_further_2xx_for_32_seconds() {
    let steps = calling(false)
        .at(1_600, Provisional)
        .at(100_000, Provisional)
        .at(120_000, Success)
        .at(120_500, Success)
        .at(151_999, Success)
        .until_it_ends();
    let sent = each(&[0, 500, 1_500], Transmit);
    let delivered = each(&[1_600, 100_000, 120_000, 120_500, 151_999], Deliver);
    assert_eq!(steps, [sent, delivered, vec![(152_000, Destroy)]].concat());
}

#[test]
fn a_failure_whose_ack_is_lost_is_acknowledged_again_and_delivered_once() {
    let steps = calling(false).at(600, Failure).at(1_100, Failure).at(2_100, Failure).until_it_ends();
    let expected = [
        (0, Transmit),
        (500, Transmit),
        (600, Acknowledge),
        (600, Deliver),
        (1_100, Acknowledge),
        (2_100, Acknowledge),
        (32_600, Destroy),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_status_code_is_the_event_of_its_class() {
    for (status, event) in
        [(100, Provisional), (199, Provisional), (200, Success), (299, Success), (300, Failure), (699, Failure)]
    {
        assert_eq!(Event::response(status), event);
    }
}

#[test]
fn a_machine_is_no_bigger_than_twenty_bytes() {
    assert!(size_of::<InviteClient>() <= 20);
}

fn calling(reliable: bool) -> Clock<InviteClient> {
    Clock::new(InviteClient::new(reliable, TimerValues::default())).at(0, Start)
}

fn reach(state: State, reliable: bool) -> InviteClient {
    let mut machine = InviteClient::new(reliable, TimerValues::default());
    let way: &[Event] = match state {
        Calling => &[],
        Proceeding => &[Start, Provisional],
        Accepted => &[Start, Success],
        Completed => &[Start, Failure],
        Terminated => &[Start, Event::Timer(B)],
    };
    way.iter().for_each(|event| {
        machine.handle(*event);
    });
    machine
}
