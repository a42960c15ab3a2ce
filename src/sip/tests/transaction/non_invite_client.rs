//! RFC 3261 figure 6.

use ringway_sip::transaction::Step::{Deliver, Destroy, Stop, TimedOut, Transmit, TransportFailed};
use ringway_sip::transaction::Timer::{E, F, K};
use ringway_sip::transaction::non_invite_client::Event::{self, Final, Provisional, Start, TransportError};
use ringway_sip::transaction::non_invite_client::State::{self, Completed, Proceeding, Terminated, Trying};
use ringway_sip::transaction::{NonInviteClient, TimerValues};

use crate::clock::{Clock, each};
use crate::start;
use crate::table::assert_figure;

const EVENTS: [Event; 7] =
    [Start, Provisional, Final, TransportError, Event::Timer(E), Event::Timer(F), Event::Timer(K)];

#[test]
fn over_udp_it_follows_the_figure() {
    let states = [Trying, Proceeding, Completed, Terminated];
    let rows = [
        (Trying, Start, Trying, vec![Transmit, start(E, 500), start(F, 32_000)]),
        (Trying, Provisional, Proceeding, vec![Deliver]),
        (Trying, Final, Completed, vec![Stop(E), Stop(F), Deliver, start(K, 5_000)]),
        (Trying, TransportError, Terminated, vec![Stop(E), Stop(F), TransportFailed, Destroy]),
        (Trying, Event::Timer(E), Trying, vec![Transmit, start(E, 1_000)]),
        (Trying, Event::Timer(F), Terminated, vec![Stop(E), TimedOut, Destroy]),
        (Trying, Event::Timer(K), Trying, vec![]),
        //
        (Proceeding, Start, Proceeding, vec![]),
        (Proceeding, Provisional, Proceeding, vec![Deliver]),
        (Proceeding, Final, Completed, vec![Stop(E), Stop(F), Deliver, start(K, 5_000)]),
        (Proceeding, TransportError, Terminated, vec![Stop(E), Stop(F), TransportFailed, Destroy]),
        (Proceeding, Event::Timer(E), Proceeding, vec![Transmit, start(E, 4_000)]),
        (Proceeding, Event::Timer(F), Terminated, vec![Stop(E), TimedOut, Destroy]),
        (Proceeding, Event::Timer(K), Proceeding, vec![]),
        //
        (Completed, Start, Completed, vec![]),
        (Completed, Provisional, Completed, vec![]),
        (Completed, Final, Completed, vec![]),
        (Completed, TransportError, Completed, vec![]),
        (Completed, Event::Timer(E), Completed, vec![]),
        (Completed, Event::Timer(F), Completed, vec![]),
        (Completed, Event::Timer(K), Terminated, vec![Destroy]),
        //
        (Terminated, Start, Terminated, vec![]),
        (Terminated, Provisional, Terminated, vec![]),
        (Terminated, Final, Terminated, vec![]),
        (Terminated, TransportError, Terminated, vec![]),
        (Terminated, Event::Timer(E), Terminated, vec![]),
        (Terminated, Event::Timer(F), Terminated, vec![]),
        (Terminated, Event::Timer(K), Terminated, vec![]),
    ];
    assert_figure(&states, &EVENTS, |state| reach(state, false), &rows);
}

#[test]
fn over_a_reliable_transport_nothing_is_sent_again_and_the_final_response_ends_it() {
    let states = [Trying, Proceeding, Terminated];
    let rows = [
        (Trying, Start, Trying, vec![Transmit, start(F, 32_000)]),
        (Trying, Provisional, Proceeding, vec![Deliver]),
        (Trying, Final, Terminated, vec![Stop(F), Deliver, Destroy]),
        (Trying, TransportError, Terminated, vec![Stop(F), TransportFailed, Destroy]),
        (Trying, Event::Timer(E), Trying, vec![]),
        (Trying, Event::Timer(F), Terminated, vec![TimedOut, Destroy]),
        (Trying, Event::Timer(K), Trying, vec![]),
        //
        (Proceeding, Start, Proceeding, vec![]),
        (Proceeding, Provisional, Proceeding, vec![Deliver]),
        (Proceeding, Final, Terminated, vec![Stop(F), Deliver, Destroy]),
        (Proceeding, TransportError, Terminated, vec![Stop(F), TransportFailed, Destroy]),
        (Proceeding, Event::Timer(E), Proceeding, vec![]),
        (Proceeding, Event::Timer(F), Terminated, vec![TimedOut, Destroy]),
        (Proceeding, Event::Timer(K), Proceeding, vec![]),
        //
        (Terminated, Start, Terminated, vec![]),
        (Terminated, Provisional, Terminated, vec![]),
        (Terminated, Final, Terminated, vec![]),
        (Terminated, TransportError, Terminated, vec![]),
        (Terminated, Event::Timer(E), Terminated, vec![]),
        (Terminated, Event::Timer(F), Terminated, vec![]),
        (Terminated, Event::Timer(K), Terminated, vec![]),
    ];
    assert_figure(&states, &EVENTS, |state| reach(state, true), &rows);
}

#[test]
fn a_request_that_nobody_answers_is_sent_eleven_times_and_given_up_after_32_seconds() {
    let steps = trying(false).until_it_ends();
    let times = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(steps, [each(&times, Transmit), vec![(32_000, TimedOut), (32_000, Destroy)]].concat());
}

#[test]
fn after_a_provisional_response_the_request_is_sent_again_every_t2() {
    let steps = trying(false).at(600, Provisional).until_it_ends();
    let before = each(&[0, 500], Transmit);
    let after = each(&[1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500], Transmit);
    let end = vec![(32_000, TimedOut), (32_000, Destroy)];
    assert_eq!(steps, [before, vec![(600, Deliver)], after, end].concat());
}

#[test]
fn the_final_response_is_delivered_once_and_its_retransmissions_are_absorbed_for_t4() {
    let steps = trying(false).at(1_600, Final).at(2_000, Final).at(6_599, Final).until_it_ends();
    let sent = each(&[0, 500, 1_500], Transmit);
    assert_eq!(steps, [sent, vec![(1_600, Deliver), (6_600, Destroy)]].concat());
}

#[test]
fn a_status_code_is_the_event_of_its_class() {
    for (status, event) in [(100, Provisional), (199, Provisional), (200, Final), (699, Final)] {
        assert_eq!(Event::response(status), event);
    }
}

fn trying(reliable: bool) -> Clock<NonInviteClient> {
    Clock::new(NonInviteClient::new(reliable, TimerValues::default())).at(0, Start)
}

fn reach(state: State, reliable: bool) -> NonInviteClient {
    let mut machine = NonInviteClient::new(reliable, TimerValues::default());
    let way: &[Event] = match state {
        Trying => &[],
        Proceeding => &[Start, Provisional],
        Completed => &[Start, Final],
        Terminated => &[Start, Event::Timer(F)],
    };
    way.iter().for_each(|event| {
        machine.handle(*event);
    });
    machine
}
