//! No machine leaves Terminated, `Destroy` is its last step and comes once, and what it stops was running.
use ringway_sip::transaction::{
    InviteClient, InviteServer, NonInviteClient, NonInviteServer, Step, Timer, TimerValues, invite_client,
    invite_server, non_invite_client, non_invite_server,
};

/// Drives one machine: a small byte is an event from outside, the first of them to begin with; a larger one fires a
/// timer that runs, or when none runs a stale one.
macro_rules! drive {
    ($machine:expr, $module:ident, $events:expr, $bytes:expr) => {{
        use $module::{Event, State};
        let mut machine = $machine;
        let mut running = Vec::new();
        let mut is_destroyed = false;
        for byte in std::iter::once(&0).chain($bytes) {
            let event = match $events.get(usize::from(*byte)) {
                Some(event) => *event,
                None if running.is_empty() => Event::Timer(Timer::ALL[usize::from(*byte) % Timer::ALL.len()]),
                None => Event::Timer(running.remove(usize::from(*byte) % running.len())),
            };
            for step in machine.handle(event) {
                assert!(!is_destroyed, "{step:?} after the end");
                match step {
                    Step::Start(timer, _) => {
                        running.retain(|other| *other != timer);
                        running.push(timer);
                    }
                    Step::Stop(timer) => {
                        let before = running.len();
                        running.retain(|other| *other != timer);
                        assert_eq!(running.len() + 1, before, "{timer:?} was stopped and did not run");
                    }
                    Step::Destroy => is_destroyed = true,
                    _ => {}
                }
            }
            assert_eq!(is_destroyed, machine.state() == State::Terminated);
            assert!(!is_destroyed || running.is_empty(), "timers outlive their transaction");
        }
    }};
}

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let reliable = first % 2 == 1;
    let timers = TimerValues::default();
    {
        use invite_client::Event::{Failure, Provisional, Start, Success, TransportError};
        let events = [Start, Provisional, Success, Failure, TransportError];
        drive!(InviteClient::new(reliable, timers), invite_client, events, bytes);
    }
    {
        use invite_server::Event::{Ack, Request, Send, TransportError};
        let events = [Request, Ack, Send(100), Send(200), Send(486), TransportError];
        drive!(InviteServer::new(reliable, timers), invite_server, events, bytes);
    }
    {
        use non_invite_client::Event::{Final, Provisional, Start, TransportError};
        let events = [Start, Provisional, Final, TransportError];
        drive!(NonInviteClient::new(reliable, timers), non_invite_client, events, bytes);
    }
    {
        use non_invite_server::Event::{Request, Send, TransportError};
        let events = [Request, Send(100), Send(200), TransportError];
        drive!(NonInviteServer::new(reliable, timers), non_invite_server, events, bytes);
    }
}
