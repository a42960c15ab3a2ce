//! RFC 3261 figure 7 with the Accepted state and the transport errors of RFC 6026.

use ringway_sip::transaction::Step::{Deliver, Destroy, Stop, TimedOut, Transmit, TransportFailed};
use ringway_sip::transaction::Timer::{G, H, I, L};
use ringway_sip::transaction::invite_server::Event::{self, Ack, Request, Send, TransportError};
use ringway_sip::transaction::invite_server::State::{self, Accepted, Completed, Confirmed, Proceeding, Terminated};
use ringway_sip::transaction::{InviteServer, TimerValues};

use crate::clock::{Clock, each};
use crate::start;
use crate::table::assert_figure;

const EVENTS: [Event; 10] = [
    Request,
    Ack,
    Send(180),
    Send(200),
    Send(486),
    TransportError,
    Event::Timer(G),
    Event::Timer(H),
    Event::Timer(I),
    Event::Timer(L),
];

#[test]
fn over_udp_it_follows_the_figure() {
    let states = [Proceeding, Accepted, Completed, Confirmed, Terminated];
    let rows = [
        (Proceeding, Request, Proceeding, vec![Transmit]),
        (Proceeding, Ack, Proceeding, vec![]),
        (Proceeding, Send(180), Proceeding, vec![Transmit]),
        (Proceeding, Send(200), Accepted, vec![Transmit, start(L, 32_000)]),
        (Proceeding, Send(486), Completed, vec![Transmit, start(G, 500), start(H, 32_000)]),
        (Proceeding, TransportError, Proceeding, vec![TransportFailed]),
        (Proceeding, Event::Timer(G), Proceeding, vec![]),
        (Proceeding, Event::Timer(H), Proceeding, vec![]),
        (Proceeding, Event::Timer(I), Proceeding, vec![]),
        (Proceeding, Event::Timer(L), Proceeding, vec![]),
        //
        (Accepted, Request, Accepted, vec![]),
        (Accepted, Ack, Accepted, vec![Deliver]),
        (Accepted, Send(180), Accepted, vec![]),
        (Accepted, Send(200), Accepted, vec![Transmit]),
        (Accepted, Send(486), Accepted, vec![]),
        (Accepted, TransportError, Accepted, vec![TransportFailed]),
        (Accepted, Event::Timer(G), Accepted, vec![]),
        (Accepted, Event::Timer(H), Accepted, vec![]),
        (Accepted, Event::Timer(I), Accepted, vec![]),
        (Accepted, Event::Timer(L), Terminated, vec![Destroy]),
        //
        (Completed, Request, Completed, vec![Transmit]),
        (Completed, Ack, Confirmed, vec![Stop(G), Stop(H), start(I, 5_000)]),
        (Completed, Send(180), Completed, vec![]),
        (Completed, Send(200), Completed, vec![]),
        (Completed, Send(486), Completed, vec![]),
        (Completed, TransportError, Completed, vec![TransportFailed]),
        (Completed, Event::Timer(G), Completed, vec![Transmit, start(G, 1_000)]),
        (Completed, Event::Timer(H), Terminated, vec![Stop(G), TimedOut, Destroy]),
        (Completed, Event::Timer(I), Completed, vec![]),
        (Completed, Event::Timer(L), Completed, vec![]),
        //
        (Confirmed, Request, Confirmed, vec![]),
        (Confirmed, Ack, Confirmed, vec![]),
        (Confirmed, Send(180), Confirmed, vec![]),
        (Confirmed, Send(200), Confirmed, vec![]),
        (Confirmed, Send(486), Confirmed, vec![]),
        (Confirmed, TransportError, Confirmed, vec![]),
        (Confirmed, Event::Timer(G), Confirmed, vec![]),
        (Confirmed, Event::Timer(H), Confirmed, vec![]),
        (Confirmed, Event::Timer(I), Terminated, vec![Destroy]),
        (Confirmed, Event::Timer(L), Confirmed, vec![]),
        //
        (Terminated, Request, Terminated, vec![]),
        (Terminated, Ack, Terminated, vec![]),
        (Terminated, Send(180), Terminated, vec![]),
        (Terminated, Send(200), Terminated, vec![]),
        (Terminated, Send(486), Terminated, vec![]),
        (Terminated, TransportError, Terminated, vec![]),
        (Terminated, Event::Timer(G), Terminated, vec![]),
        (Terminated, Event::Timer(H), Terminated, vec![]),
        (Terminated, Event::Timer(I), Terminated, vec![]),
        (Terminated, Event::Timer(L), Terminated, vec![]),
    ];
    assert_figure(&states, &EVENTS, |state| reach(state, false), &rows);
}

#[test]
fn over_a_reliable_transport_a_failure_is_sent_once_and_its_ack_ends_it() {
    let states = [Proceeding, Accepted, Completed, Terminated];
    let rows = [
        (Proceeding, Request, Proceeding, vec![Transmit]),
        (Proceeding, Ack, Proceeding, vec![]),
        (Proceeding, Send(180), Proceeding, vec![Transmit]),
        (Proceeding, Send(200), Accepted, vec![Transmit, start(L, 32_000)]),
        (Proceeding, Send(486), Completed, vec![Transmit, start(H, 32_000)]),
        (Proceeding, TransportError, Proceeding, vec![TransportFailed]),
        (Proceeding, Event::Timer(G), Proceeding, vec![]),
        (Proceeding, Event::Timer(H), Proceeding, vec![]),
        (Proceeding, Event::Timer(I), Proceeding, vec![]),
        (Proceeding, Event::Timer(L), Proceeding, vec![]),
        //
        (Accepted, Request, Accepted, vec![]),
        (Accepted, Ack, Accepted, vec![Deliver]),
        (Accepted, Send(180), Accepted, vec![]),
        (Accepted, Send(200), Accepted, vec![Transmit]),
        (Accepted, Send(486), Accepted, vec![]),
        (Accepted, TransportError, Accepted, vec![TransportFailed]),
        (Accepted, Event::Timer(G), Accepted, vec![]),
        (Accepted, Event::Timer(H), Accepted, vec![]),
        (Accepted, Event::Timer(I), Accepted, vec![]),
        (Accepted, Event::Timer(L), Terminated, vec![Destroy]),
        //
        (Completed, Request, Completed, vec![Transmit]),
        (Completed, Ack, Terminated, vec![Stop(H), Destroy]),
        (Completed, Send(180), Completed, vec![]),
        (Completed, Send(200), Completed, vec![]),
        (Completed, Send(486), Completed, vec![]),
        (Completed, TransportError, Completed, vec![TransportFailed]),
        (Completed, Event::Timer(G), Completed, vec![]),
        (Completed, Event::Timer(H), Terminated, vec![TimedOut, Destroy]),
        (Completed, Event::Timer(I), Completed, vec![]),
        (Completed, Event::Timer(L), Completed, vec![]),
        //
        (Terminated, Request, Terminated, vec![]),
        (Terminated, Ack, Terminated, vec![]),
        (Terminated, Send(180), Terminated, vec![]),
        (Terminated, Send(200), Terminated, vec![]),
        (Terminated, Send(486), Terminated, vec![]),
        (Terminated, TransportError, Terminated, vec![]),
        (Terminated, Event::Timer(G), Terminated, vec![]),
        (Terminated, Event::Timer(H), Terminated, vec![]),
        (Terminated, Event::Timer(I), Terminated, vec![]),
        (Terminated, Event::Timer(L), Terminated, vec![]),
    ];
    assert_figure(&states, &EVENTS, |state| reach(state, true), &rows);
}

#[test]
fn an_invite_that_comes_again_before_any_answer_has_nothing_to_be_answered_with() {
    let mut machine = InviteServer::new(false, TimerValues::default());
    assert_eq!(machine.handle(Request).to_vec(), []);
    assert_eq!(machine.handle(Send(100)).to_vec(), [Transmit]);
    assert_eq!(machine.handle(Request).to_vec(), [Transmit]);
}

#[test]
fn a_failure_without_ack_is_sent_again_ever_more_slowly_and_given_up_after_32_seconds() {
    let steps = proceeding(false).at(0, Send(486)).until_it_ends();
    let times = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(steps, [each(&times, Transmit), vec![(32_000, TimedOut), (32_000, Destroy)]].concat());
}

#[test]
fn an_ack_stops_the_failure_and_its_retransmissions_are_absorbed_for_t4() {
    let steps = proceeding(false)
        .at(0, Send(100))
        .at(500, Request)
        .at(1_000, Send(603))
        .at(1_200, Request)
        .at(2_600, Ack)
        .at(3_000, Ack)
        .at(3_100, Request)
        .until_it_ends();
    let sent = each(&[0, 500, 1_000, 1_200, 1_500, 2_500], Transmit);
    assert_eq!(steps, [sent, vec![(7_600, Destroy)]].concat());
}

#[test]
fn after_a_2xx_invites_are_absorbed_and_every_ack_goes_to_the_core_for_32_seconds() {
    let steps = proceeding(false)
        .at(0, Send(180))
        .at(10_000, Send(200))
        .at(10_100, Request)
        .at(10_500, Send(200))
        .at(10_700, Ack)
        .at(11_000, Ack)
        .until_it_ends();
    let expected = [
        (0, Transmit),
        (10_000, Transmit),
        (10_500, Transmit),
        (10_700, Deliver),
        (11_000, Deliver),
        (42_000, Destroy),
    ];
    assert_eq!(steps, expected);
}

fn proceeding(reliable: bool) -> Clock<InviteServer> {
    Clock::new(InviteServer::new(reliable, TimerValues::default()))
}

fn reach(state: State, reliable: bool) -> InviteServer {
    let mut machine = InviteServer::new(reliable, TimerValues::default());
    let way: &[Event] = match state {
        Proceeding => &[Send(100)],
        Accepted => &[Send(200)],
        Completed => &[Send(100), Send(486)],
        Confirmed => &[Send(486), Ack],
        Terminated => &[Send(486), Event::Timer(H)],
    };
    way.iter().for_each(|event| {
        machine.handle(*event);
    });
    machine
}
