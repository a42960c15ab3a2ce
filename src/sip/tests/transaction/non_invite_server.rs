//! RFC 3261 figure 8 with the transport errors of RFC 6026 section 8.8.

use ringway_sip::transaction::Step::{Destroy, Transmit, TransportFailed};
use ringway_sip::transaction::Timer::J;
use ringway_sip::transaction::non_invite_server::Event::{self, Request, Send, TransportError};
use ringway_sip::transaction::non_invite_server::State::{self, Completed, Proceeding, Terminated, Trying};
use ringway_sip::transaction::{NonInviteServer, TimerValues};

use crate::clock::{Clock, each};
use crate::start;
use crate::table::assert_figure;

const EVENTS: [Event; 6] = [Request, Send(100), Send(200), Send(404), TransportError, Event::Timer(J)];

#[test]
fn over_udp_it_follows_the_figure() {
    let states = [Trying, Proceeding, Completed, Terminated];
    let rows = [
        (Trying, Request, Trying, vec![]),
        (Trying, Send(100), Proceeding, vec![Transmit]),
        (Trying, Send(200), Completed, vec![Transmit, start(J, 32_000)]),
        (Trying, Send(404), Completed, vec![Transmit, start(J, 32_000)]),
        (Trying, TransportError, Trying, vec![]),
        (Trying, Event::Timer(J), Trying, vec![]),
        //
        (Proceeding, Request, Proceeding, vec![Transmit]),
        (Proceeding, Send(100), Proceeding, vec![Transmit]),
        (Proceeding, Send(200), Completed, vec![Transmit, start(J, 32_000)]),
        (Proceeding, Send(404), Completed, vec![Transmit, start(J, 32_000)]),
        (Proceeding, TransportError, Proceeding, vec![TransportFailed]),
        (Proceeding, Event::Timer(J), Proceeding, vec![]),
        //
        (Completed, Request, Completed, vec![Transmit]),
        (Completed, Send(100), Completed, vec![]),
        (Completed, Send(200), Completed, vec![]),
        (Completed, Send(404), Completed, vec![]),
        (Completed, TransportError, Completed, vec![TransportFailed]),
        (Completed, Event::Timer(J), Terminated, vec![Destroy]),
        //
        (Terminated, Request, Terminated, vec![]),
        (Terminated, Send(100), Terminated, vec![]),
        (Terminated, Send(200), Terminated, vec![]),
        (Terminated, Send(404), Terminated, vec![]),
        (Terminated, TransportError, Terminated, vec![]),
        (Terminated, Event::Timer(J), Terminated, vec![]),
    ];
    assert_figure(&states, &EVENTS, |state| reach(state, false), &rows);
}

#[test]
fn over_a_reliable_transport_the_final_response_ends_it() {
    let states = [Trying, Proceeding, Terminated];
    let rows = [
        (Trying, Request, Trying, vec![]),
        (Trying, Send(100), Proceeding, vec![Transmit]),
        (Trying, Send(200), Terminated, vec![Transmit, Destroy]),
        (Trying, Send(404), Terminated, vec![Transmit, Destroy]),
        (Trying, TransportError, Trying, vec![]),
        (Trying, Event::Timer(J), Trying, vec![]),
        //
        (Proceeding, Request, Proceeding, vec![Transmit]),
        (Proceeding, Send(100), Proceeding, vec![Transmit]),
        (Proceeding, Send(200), Terminated, vec![Transmit, Destroy]),
        (Proceeding, Send(404), Terminated, vec![Transmit, Destroy]),
        (Proceeding, TransportError, Proceeding, vec![TransportFailed]),
        (Proceeding, Event::Timer(J), Proceeding, vec![]),
        //
        (Terminated, Request, Terminated, vec![]),
        (Terminated, Send(100), Terminated, vec![]),
        (Terminated, Send(200), Terminated, vec![]),
        (Terminated, Send(404), Terminated, vec![]),
        (Terminated, TransportError, Terminated, vec![]),
        (Terminated, Event::Timer(J), Terminated, vec![]),
    ];
    assert_figure(&states, &EVENTS, |state| reach(state, true), &rows);
}

#[test]
fn a_request_that_comes_again_gets_the_latest_answer_for_32_seconds() {
    let steps = Clock::new(NonInviteServer::new(false, TimerValues::default()))
        .at(500, Request)
        .at(1_000, Send(100))
        .at(1_500, Request)
        .at(3_000, Send(200))
        .at(3_500, Request)
        .at(34_999, Request)
        .until_it_ends();
    let sent = each(&[1_000, 1_500, 3_000, 3_500, 34_999], Transmit);
    assert_eq!(steps, [sent, vec![(35_000, Destroy)]].concat());
}

fn reach(state: State, reliable: bool) -> NonInviteServer {
    let mut machine = NonInviteServer::new(reliable, TimerValues::default());
    let way: &[Event] = match state {
        Trying => &[],
        Proceeding => &[Send(100)],
        Completed => &[Send(200)],
        Terminated => &[Send(200), Event::Timer(J)],
    };
    way.iter().for_each(|event| {
        machine.handle(*event);
    });
    machine
}
