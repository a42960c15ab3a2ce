//! Small automatic user agents, for simulations: each is a UAC and a UAS on the transaction machines of `ringway_sip`,
//! keeps its dialogs, and does what its plan says. What it sends waits in `out`; whoever drives it is the wire.

use std::collections::HashSet;
use std::time::Duration;

use ringway_sip::Monotonic;
use ringway_sip::transaction::{
    InviteClient, InviteServer, NonInviteClient, NonInviteServer, Step, Steps, Timer, TimerValues, invite_client,
    invite_server, non_invite_client, non_invite_server,
};

use super::heard::tag;
use super::{Dialog, Heard, Phone, Request, Scene};

/// The timers that a transaction has started.
#[derive(Clone, Debug, Default)]
struct Timers(Vec<(Monotonic, Timer)>);

impl Timers {
    fn start(&mut self, now: Monotonic, timer: Timer, after: Duration) {
        self.stop(timer);
        self.0.push((now + after, timer));
    }

    fn stop(&mut self, timer: Timer) {
        self.0.retain(|(_, running)| *running != timer);
    }

    fn deadline(&self) -> Option<Monotonic> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    fn take_due(&mut self, now: Monotonic) -> Option<Timer> {
        let due = self.0.iter().position(|(at, _)| *at <= now)?;
        Some(self.0.remove(due).1)
    }
}

#[derive(Clone, Debug)]
enum ClientMachine {
    Invite(InviteClient),
    Other(NonInviteClient),
}

/// A request that the user agent sent.
#[derive(Clone, Debug)]
struct Client {
    request: Request,
    text: String,
    machine: ClientMachine,
    timers: Timers,
    /// Whether it bears credentials already.
    is_retry: bool,
    finals: Vec<u16>,
    is_over: bool,
}

#[derive(Clone, Debug)]
enum ServerMachine {
    Invite(InviteServer),
    Other(NonInviteServer),
}

/// A request that the user agent heard.
#[derive(Clone, Debug)]
struct Server {
    branch: String,
    method: String,
    machine: ServerMachine,
    timers: Timers,
    response: String,
    is_over: bool,
}

/// What somebody does about a ringing phone, and when.
#[derive(Clone, Debug)]
pub struct Plan {
    pub rings_after: Option<Duration>,
    /// The status, and the Contact of a redirection; none: nobody is there.
    pub answer: Option<(Duration, u16, String)>,
}

/// One dialog of a call.
#[derive(Clone, Debug)]
struct Leg {
    /// The callee's tag.
    tag: String,
    dialog: Dialog,
    /// The caller's ACK, to be sent for each 2xx that comes again.
    ack: String,
    is_talking: bool,
}

/// A 2xx that is repeated until its ACK comes (section 13.3.1.4).
#[derive(Clone, Debug)]
struct Repeated {
    next: Monotonic,
    pause: Duration,
    until: Monotonic,
}

/// A call, seen from one side.
#[derive(Clone, Debug)]
pub struct Call {
    pub call_id: String,
    pub is_caller: bool,
    /// The caller's INVITE.
    invite: Option<Request>,
    /// The INVITE that the callee heard, and the tag of this callee.
    heard: Option<(Heard, String)>,
    rings_at: Option<Monotonic>,
    answers_at: Option<(Monotonic, u16, String)>,
    repeated: Option<Repeated>,
    legs: Vec<Leg>,
    is_ringing: bool,
    wants_cancel: bool,
    /// When a caller that has cancelled no longer waits for the final response (section 9.1).
    gives_up_at: Option<Monotonic>,
    pub is_pending: bool,
}

pub struct Ua {
    pub phone: Phone,
    pub out: Vec<String>,
    pub calls: Vec<Call>,
    /// The legs in which this user agent has sent or taken a BYE, by Call-ID and callee's tag.
    pub hung_up: HashSet<(String, String)>,
    values: TimerValues,
    clients: Vec<Client>,
    servers: Vec<Server>,
    asked: HashSet<(String, String)>,
    plans: Vec<Plan>,
}

impl Ua {
    pub fn new(phone: Phone, values: TimerValues) -> Self {
        Self {
            phone,
            out: Vec::new(),
            calls: Vec::new(),
            hung_up: HashSet::new(),
            values,
            clients: Vec::new(),
            servers: Vec::new(),
            asked: HashSet::new(),
            plans: Vec::new(),
        }
    }

    /// What is done about the next call that comes; without a plan it is answered at once.
    pub fn plan(&mut self, plan: Plan) {
        self.plans = vec![plan];
    }

    pub fn has_plan(&self) -> bool {
        !self.plans.is_empty()
    }

    /// The Call-IDs and callee tags of the dialogs in which it talks.
    pub fn talks(&self, as_caller: bool) -> impl Iterator<Item = (String, String)> {
        let calls = self.calls.iter().filter(move |call| call.is_caller == as_caller);
        calls.flat_map(|call| {
            let talking = call.legs.iter().filter(|leg| leg.is_talking && call.repeated.is_none());
            talking.map(|leg| (call.call_id.clone(), leg.tag.clone()))
        })
    }

    /// Every dialog that it has ever had, by Call-ID and callee's tag.
    pub fn legs(&self) -> impl Iterator<Item = (String, String)> {
        self.calls.iter().flat_map(|call| call.legs.iter().map(|leg| (call.call_id.clone(), leg.tag.clone())))
    }

    /// Whether nothing is going on: no transaction, no call.
    pub fn is_idle(&self) -> bool {
        self.clients.iter().all(|client| client.is_over)
            && self.servers.iter().all(|server| server.is_over)
            && self.calls.iter().all(|call| !call.is_pending && call.legs.iter().all(|leg| !leg.is_talking))
    }

    // --- what its user does ---

    pub fn send(&mut self, scene: &Scene, request: Request) {
        self.start(scene.now.monotonic, request, false);
    }

    pub fn call(&mut self, scene: &mut Scene, uri: &str) -> String {
        let invite = scene.request(self.phone, "INVITE", uri);
        let call_id = invite.call_id.clone();
        self.calls.push(Call {
            call_id: call_id.clone(),
            is_caller: true,
            invite: None,
            heard: None,
            rings_at: None,
            answers_at: None,
            repeated: None,
            legs: Vec::new(),
            is_ringing: false,
            wants_cancel: false,
            gives_up_at: None,
            is_pending: true,
        });
        self.start(scene.now.monotonic, invite, false);
        call_id
    }

    /// Gives a call up: hangs up where it talks, cancels what it waits for, rejects what rings here.
    pub fn end_call(&mut self, scene: &mut Scene, at: usize) {
        let now = scene.now.monotonic;
        let call = &mut self.calls[at];
        if call.is_pending && call.is_caller {
            call.wants_cancel = true;
            if call.is_ringing && call.gives_up_at.is_none() {
                self.cancel(now, at);
            }
        } else if call.is_pending {
            call.rings_at = None;
            call.answers_at = Some((now, 480, String::new()));
        } else if call.repeated.is_none() {
            for leg in 0..call.legs.len() {
                self.hang_up(scene, at, leg);
            }
        }
    }

    fn cancel(&mut self, now: Monotonic, at: usize) {
        let call = &mut self.calls[at];
        let Some(invite) = &call.invite else { return };
        call.gives_up_at = Some(now + self.values.t1() * 64);
        let request = Request {
            method: "CANCEL".into(),
            contact: None,
            headers: Vec::new(),
            body: String::new(),
            ..invite.clone()
        };
        self.start(now, request, true);
    }

    fn hang_up(&mut self, scene: &mut Scene, at: usize, leg: usize) {
        let call = &mut self.calls[at];
        let leg = &mut call.legs[leg];
        if !std::mem::replace(&mut leg.is_talking, false) {
            return;
        }
        self.hung_up.insert((call.call_id.clone(), leg.tag.clone()));
        let bye = leg.dialog.request(scene, self.phone, "BYE");
        self.start(scene.now.monotonic, bye, false);
    }

    // --- client transactions ---

    fn start(&mut self, now: Monotonic, request: Request, is_retry: bool) {
        let is_invite = request.method == "INVITE";
        if is_invite && let Some(call) = self.calls.iter_mut().find(|call| call.call_id == request.call_id) {
            call.invite = Some(request.clone());
        }
        let reliable = request.via.contains("/TCP");
        let machine = if is_invite {
            ClientMachine::Invite(InviteClient::new(reliable, self.values))
        } else {
            ClientMachine::Other(NonInviteClient::new(reliable, self.values))
        };
        self.asked.insert((request.branch.clone(), request.method.clone()));
        let text = request.text();
        let timers = Timers::default();
        self.clients.push(Client { request, text, machine, timers, is_retry, finals: Vec::new(), is_over: false });
        let client = self.clients.len() - 1;
        let steps = match &mut self.clients[client].machine {
            ClientMachine::Invite(machine) => machine.handle(invite_client::Event::Start),
            ClientMachine::Other(machine) => machine.handle(non_invite_client::Event::Start),
        };
        self.take_client_steps(now, client, steps, None);
    }

    /// Takes the steps; tells whether the response goes to the user.
    fn take_client_steps(&mut self, now: Monotonic, at: usize, steps: Steps, response: Option<&Heard>) -> bool {
        let client = &mut self.clients[at];
        let mut is_delivered = false;
        let mut has_failed = false;
        for step in steps {
            match step {
                Step::Transmit => self.out.push(client.text.clone()),
                Step::Acknowledge => self.out.extend(response.map(|response| response.ack(&client.text))),
                Step::Deliver => is_delivered = true,
                Step::Start(timer, after) => client.timers.start(now, timer, after),
                Step::Stop(timer) => client.timers.stop(timer),
                Step::TimedOut | Step::TransportFailed => has_failed = true,
                Step::Destroy => {
                    client.timers = Timers::default();
                    client.is_over = true;
                }
            }
        }
        if has_failed && client.request.method == "INVITE" {
            let call_id = client.request.call_id.clone();
            self.end_pending(&call_id);
        }
        is_delivered
    }

    fn end_pending(&mut self, call_id: &str) {
        for call in self.calls.iter_mut().filter(|call| call.is_caller && call.call_id == call_id) {
            call.is_pending = false;
        }
    }

    fn hear_response(&mut self, scene: &mut Scene, heard: &Heard, status: u16) {
        let method = heard.header("CSeq").split(' ').nth(1).unwrap_or_default().to_owned();
        let branch = heard.branch();
        assert!(self.asked.contains(&(branch.clone(), method.clone())), "nobody here asked for{heard}");
        assert_eq!(heard.headers("Via").len(), 1, "{heard}");
        let is_asked = |client: &Client| client.request.branch == branch && client.request.method == method;
        let Some(at) = self.clients.iter().position(is_asked) else { return };
        let client = &mut self.clients[at];
        if status >= 200 {
            // Whatever comes again is the same; only 2xx of several devices may differ, and not in that.
            let is_same = client
                .finals
                .iter()
                .all(|&seen| seen == status || (method == "INVITE" && seen / 100 == 2 && status / 100 == 2));
            assert!(is_same, "a second final after {:?}: {heard}", client.finals);
            client.finals.push(status);
        }
        let steps = match &mut client.machine {
            ClientMachine::Invite(machine) => machine.handle(invite_client::Event::response(status)),
            ClientMachine::Other(machine) => machine.handle(non_invite_client::Event::response(status)),
        };
        if self.take_client_steps(scene.now.monotonic, at, steps, Some(heard)) {
            self.take_response(scene, at, heard, status);
        }
    }

    fn take_response(&mut self, scene: &mut Scene, client: usize, heard: &Heard, status: u16) {
        let now = scene.now.monotonic;
        let Client { request, is_retry, .. } = self.clients[client].clone();
        let call = self.calls.iter().position(|call| call.is_caller && call.call_id == request.call_id);
        if matches!(status, 401 | 407) && !is_retry {
            if request.method == "INVITE" && call.is_some_and(|call| self.calls[call].wants_cancel) {
                self.end_pending(&request.call_id);
                return;
            }
            let serial = scene.next_serial();
            let state = scene.state(self.phone);
            let request = request.with_credentials(heard, &state.number, &state.password, serial);
            self.start(now, request, true);
            return;
        }
        let (Some(at), "INVITE") = (call, request.method.as_str()) else { return };
        match status {
            ..=199 => {
                let call = &mut self.calls[at];
                call.is_ringing = true;
                if call.wants_cancel && call.is_pending && call.gives_up_at.is_none() {
                    self.cancel(now, at);
                }
            }
            200..=299 => self.take_2xx(scene, at, &request, heard),
            300.. => self.calls[at].is_pending = false,
        }
    }

    fn take_2xx(&mut self, scene: &mut Scene, at: usize, invite: &Request, heard: &Heard) {
        let to_tag = heard.to_tag();
        if let Some(leg) = self.calls[at].legs.iter().find(|leg| leg.tag == to_tag) {
            self.out.push(leg.ack.clone());
            return;
        }
        let mut dialog = Dialog::of_caller(invite, heard);
        let ack = dialog.ack(scene, self.phone);
        self.out.push(ack.clone());
        let call = &mut self.calls[at];
        let is_wanted = call.is_pending && !call.wants_cancel;
        call.is_pending = false;
        call.legs.push(Leg { tag: to_tag, dialog, ack, is_talking: true });
        if !is_wanted {
            let leg = call.legs.len() - 1;
            self.hang_up(scene, at, leg);
        }
    }

    // --- server transactions ---

    fn hear_request(&mut self, scene: &mut Scene, heard: &Heard, method: &str) {
        let branch = heard.branch();
        match method {
            "ACK" => return self.hear_ack(scene, heard),
            "CANCEL" => return self.hear_cancel(scene, heard),
            _ => {}
        }
        if let Some(at) = self.servers.iter().position(|server| server.branch == branch && server.method == method) {
            let steps = match &mut self.servers[at].machine {
                ServerMachine::Invite(machine) => machine.handle(invite_server::Event::Request),
                ServerMachine::Other(machine) => machine.handle(non_invite_server::Event::Request),
            };
            self.take_server_steps(scene.now.monotonic, at, steps);
            return;
        }
        let reliable = heard.header("Via").contains("/TCP");
        let machine = if method == "INVITE" {
            ServerMachine::Invite(InviteServer::new(reliable, self.values))
        } else {
            ServerMachine::Other(NonInviteServer::new(reliable, self.values))
        };
        self.servers.push(Server {
            branch,
            method: method.into(),
            machine,
            timers: Timers::default(),
            response: String::new(),
            is_over: false,
        });
        let at = self.servers.len() - 1;
        match method {
            "INVITE" => self.hear_invite(scene, heard),
            "BYE" => {
                let status = if self.is_hung_up_on(heard) { 200 } else { 481 };
                self.respond(scene, at, heard, status, "", None);
            }
            _ => self.respond(scene, at, heard, 200, &format!("{method}-tag"), None),
        }
    }

    fn hear_invite(&mut self, scene: &mut Scene, heard: &Heard) {
        let now = scene.now.monotonic;
        let serial = scene.next_serial();
        let at_once = Plan { rings_after: None, answer: Some((Duration::ZERO, 200, String::new())) };
        let plan = self.plans.pop().unwrap_or(at_once);
        self.calls.push(Call {
            call_id: heard.header("Call-ID"),
            is_caller: false,
            invite: None,
            heard: Some((heard.clone(), format!("callee-{serial}"))),
            rings_at: plan.rings_after.map(|after| now + after),
            answers_at: plan.answer.map(|(after, status, contact)| (now + after, status, contact)),
            repeated: None,
            legs: Vec::new(),
            is_ringing: false,
            wants_cancel: false,
            gives_up_at: None,
            is_pending: true,
        });
    }

    /// Takes a BYE; false when there is no such dialog.
    fn is_hung_up_on(&mut self, heard: &Heard) -> bool {
        let call_id = heard.header("Call-ID");
        let tags = [heard.to_tag(), tag(&heard.header("From"))];
        for call in self.calls.iter_mut().filter(|call| call.call_id == call_id) {
            let callee_tag = &tags[usize::from(call.is_caller)];
            if let Some(leg) = call.legs.iter_mut().find(|leg| leg.tag == *callee_tag) {
                leg.is_talking = false;
                call.repeated = None;
                self.hung_up.insert((call_id, leg.tag.clone()));
                return true;
            }
        }
        false
    }

    fn hear_ack(&mut self, scene: &Scene, heard: &Heard) {
        let branch = heard.branch();
        if let Some(at) = self.servers.iter().position(|server| server.branch == branch) {
            if let ServerMachine::Invite(machine) = &mut self.servers[at].machine {
                let steps = machine.handle(invite_server::Event::Ack);
                self.take_server_steps(scene.now.monotonic, at, steps);
            }
            return;
        }
        let (call_id, to_tag) = (heard.header("Call-ID"), heard.to_tag());
        let is_meant =
            |call: &&mut Call| call.heard.as_ref().is_some_and(|(_, tag)| *tag == to_tag) && call.call_id == call_id;
        let call = self.calls.iter_mut().find(is_meant);
        call.unwrap_or_else(|| panic!("an ACK for nobody here{heard}")).repeated = None;
    }

    fn hear_cancel(&mut self, scene: &mut Scene, heard: &Heard) {
        let branch = heard.branch();
        let Some(at) = self.servers.iter().position(|server| server.branch == branch && server.method == "INVITE")
        else {
            // It overtook its INVITE.
            self.out.push(heard.response(481, "cancel-tag", "sip:x@y"));
            return;
        };
        self.out.push(heard.response(200, "cancel-tag", "sip:x@y"));
        let ServerMachine::Invite(machine) = &self.servers[at].machine else { return };
        if machine.state() != invite_server::State::Proceeding {
            return;
        }
        let call =
            self.calls.iter_mut().find(|call| call.heard.as_ref().is_some_and(|(invite, _)| invite.branch() == branch));
        let call = call.expect("an INVITE that was heard is a call");
        call.is_pending = false;
        let (invite, tag) = call.heard.clone().expect("a callee's");
        self.respond(scene, at, &invite, 487, &tag, None);
    }

    fn respond(&mut self, scene: &Scene, at: usize, heard: &Heard, status: u16, tag: &str, contact: Option<&str>) {
        let own = scene.contact(self.phone);
        self.servers[at].response = heard.response(status, tag, contact.unwrap_or(&own));
        let steps = match &mut self.servers[at].machine {
            ServerMachine::Invite(machine) => machine.handle(invite_server::Event::Send(status)),
            ServerMachine::Other(machine) => machine.handle(non_invite_server::Event::Send(status)),
        };
        self.take_server_steps(scene.now.monotonic, at, steps);
    }

    fn take_server_steps(&mut self, now: Monotonic, at: usize, steps: Steps) {
        let server = &mut self.servers[at];
        for step in steps {
            match step {
                Step::Transmit => self.out.push(server.response.clone()),
                Step::Start(timer, after) => server.timers.start(now, timer, after),
                Step::Stop(timer) => server.timers.stop(timer),
                Step::Destroy => {
                    server.timers = Timers::default();
                    server.is_over = true;
                }
                Step::Acknowledge | Step::Deliver | Step::TimedOut | Step::TransportFailed => {}
            }
        }
    }

    // --- the wire and the clock ---

    pub fn hear(&mut self, scene: &mut Scene, heard: &Heard) {
        match (heard.status(), heard.method()) {
            (Some(status), _) => self.hear_response(scene, heard, status),
            (None, Some(method)) => self.hear_request(scene, heard, &method),
            (None, None) => panic!("neither request nor response{heard}"),
        }
    }

    pub fn deadline(&self) -> Option<Monotonic> {
        let clients = self.clients.iter().filter_map(|client| client.timers.deadline());
        let servers = self.servers.iter().filter_map(|server| server.timers.deadline());
        let calls = self.calls.iter().flat_map(|call| {
            let pending = [call.rings_at, call.answers_at.as_ref().map(|(at, ..)| *at), call.gives_up_at];
            let pending = pending.into_iter().filter(|_| call.is_pending);
            pending.chain([call.repeated.as_ref().map(|repeated| repeated.next.min(repeated.until))])
        });
        clients.chain(servers).chain(calls.flatten()).min()
    }

    /// Does what is due.
    pub fn wake(&mut self, scene: &mut Scene) {
        let now = scene.now.monotonic;
        for at in 0..self.clients.len() {
            while let Some(timer) = self.clients[at].timers.take_due(now) {
                let steps = match &mut self.clients[at].machine {
                    ClientMachine::Invite(machine) => machine.handle(invite_client::Event::Timer(timer)),
                    ClientMachine::Other(machine) => machine.handle(non_invite_client::Event::Timer(timer)),
                };
                self.take_client_steps(now, at, steps, None);
            }
        }
        for at in 0..self.servers.len() {
            while let Some(timer) = self.servers[at].timers.take_due(now) {
                let steps = match &mut self.servers[at].machine {
                    ServerMachine::Invite(machine) => machine.handle(invite_server::Event::Timer(timer)),
                    ServerMachine::Other(machine) => machine.handle(non_invite_server::Event::Timer(timer)),
                };
                self.take_server_steps(now, at, steps);
            }
        }
        for at in 0..self.calls.len() {
            self.wake_call(scene, at);
        }
    }

    fn wake_call(&mut self, scene: &mut Scene, at: usize) {
        let now = scene.now.monotonic;
        if self.calls[at].is_pending && self.calls[at].gives_up_at.is_some_and(|gives_up| gives_up <= now) {
            // Nobody has answered the INVITE since its CANCEL.
            self.calls[at].is_pending = false;
            let call_id = self.calls[at].call_id.clone();
            for client in self
                .clients
                .iter_mut()
                .filter(|client| client.request.call_id == call_id && client.request.method == "INVITE")
            {
                client.is_over |= !matches!(&client.machine, ClientMachine::Invite(machine) if machine.state() == invite_client::State::Completed);
            }
        }
        if self.calls[at].is_pending && self.calls[at].rings_at.is_some_and(|rings| rings <= now) {
            self.calls[at].rings_at = None;
            self.respond_to_invite(scene, at, 180, None);
        }
        let due =
            self.calls[at].answers_at.clone().filter(|(answers, ..)| self.calls[at].is_pending && *answers <= now);
        if let Some((_, status, contact)) = due {
            let call = &mut self.calls[at];
            call.answers_at = None;
            call.is_pending = false;
            if status == 200 {
                let (heard, tag) = call.heard.clone().expect("a callee's");
                let dialog = Dialog::of_callee(&heard, &tag);
                call.legs.push(Leg { tag, dialog, ack: String::new(), is_talking: true });
                let pause = self.values.t1();
                call.repeated = Some(Repeated { next: now + pause, pause, until: now + pause * 64 });
            }
            self.respond_to_invite(scene, at, status, Some(contact.as_str()).filter(|contact| !contact.is_empty()));
        }
        self.repeat_2xx(scene, at);
    }

    fn repeat_2xx(&mut self, scene: &mut Scene, at: usize) {
        let now = scene.now.monotonic;
        let Some(repeated) = &mut self.calls[at].repeated else { return };
        if repeated.until <= now {
            // Nobody acknowledges it: the dialog ends (section 13.3.1.4).
            self.calls[at].repeated = None;
            self.hang_up(scene, at, 0);
        } else if repeated.next <= now {
            repeated.pause = (repeated.pause * 2).min(self.values.t2());
            repeated.next = now + repeated.pause;
            let (heard, tag) = self.calls[at].heard.clone().expect("a callee's");
            self.out.push(heard.response(200, &tag, &scene.contact(self.phone)));
        }
    }

    fn respond_to_invite(&mut self, scene: &Scene, at: usize, status: u16, contact: Option<&str>) {
        let (heard, tag) = self.calls[at].heard.clone().expect("a callee's");
        let branch = heard.branch();
        let server = self.servers.iter().position(|server| server.branch == branch && server.method == "INVITE");
        self.respond(scene, server.expect("its INVITE was heard"), &heard, status, &tag, contact);
    }
}
