//! Whole dialogs over a stream, cut wherever a segment may end: what everybody hears is the same to the byte.

use ringway_edge::{Arrival, Input};
use ringway_sip::frame::{Frame, FrameLimits, Framer};

use crate::scene::{Dialog, Phone, Request, Scene};

const LIMITS: FrameLimits = FrameLimits { head: 65_535, body: 262_144 };
const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// What one session was heard to be, by both phones, in order; and how the framer saw the stream.
#[derive(Debug, PartialEq, Eq)]
struct Transcript {
    alice: Vec<Vec<u8>>,
    bob: Vec<Vec<u8>>,
    keep_alives: usize,
    is_closed: bool,
}

/// Alice on a stream and Bob, who answers all that he hears.
struct Session {
    scene: Scene,
    alice: Phone,
    bob: Phone,
    framer: Framer,
    transcript: Transcript,
}

impl Session {
    fn new() -> Self {
        let mut scene = Scene::with_shards(2, |_| {});
        let (alice, bob) = (scene.tcp_phone("101@acme.example"), scene.phone("102@acme.example"));
        scene.register(bob);
        let transcript = Transcript { alice: vec![], bob: vec![], keep_alives: 0, is_closed: false };
        Self { scene, alice, bob, framer: Framer::new(LIMITS), transcript }
    }

    /// A segment of Alice's stream, and all that follows from it.
    fn segment(&mut self, bytes: &[u8]) {
        self.framer.push(bytes);
        let (flow, shard) = (self.scene.state(self.alice).flow, self.scene.state(self.alice).shard);
        while let Some(frame) = self.framer.next() {
            match frame {
                Ok(Frame::Message(bytes)) => {
                    let input = Input::Message { flow, bytes, arrival: Arrival::Wire };
                    self.scene.input(shard, input);
                }
                Ok(Frame::Ping | Frame::Pong) => self.transcript.keep_alives += 1,
                Err(error) => {
                    let input =
                        Input::Unframed { flow, head: error.head().unwrap_or_default(), problem: error.problem() };
                    self.scene.input(shard, input);
                    self.transcript.is_closed = true;
                }
            }
            while let Some(heard) = self.scene.hear(self.bob) {
                self.transcript.bob.push(heard.bytes.clone());
                if heard.method().is_some_and(|method| method != "ACK") {
                    self.scene.respond(self.bob, &heard, 200);
                }
            }
        }
        while let Some(heard) = self.scene.hear(self.alice) {
            self.transcript.alice.push(heard.bytes);
        }
    }

    fn end(mut self) -> Transcript {
        self.scene.expect_nothing_more();
        self.transcript
    }
}

/// A registration, a call with SDP and its end, each with its challenge answered; keep-alives lie between, and what may be
/// pipelined is. Made by playing it once: the node has no randomness of its own, so it challenges the same each time.
fn dialog() -> Vec<u8> {
    let mut session = Session::new();
    let mut stream = Vec::new();
    let mut say = |session: &mut Session, bytes: &[u8]| {
        stream.extend_from_slice(bytes);
        session.segment(bytes);
    };
    let alice = session.alice;
    let challenged = |session: &mut Session, request: Request| {
        let heard = session.transcript.alice.last().unwrap().clone();
        request.with_credentials(&crate::scene::Heard::new(&heard), "101", "secret-101", session.scene.next_serial())
    };

    say(&mut session, b"\r\n\r\n");
    let register = session.scene.request(alice, "REGISTER", "sip:acme.example");
    say(&mut session, register.text().as_bytes());
    let register = challenged(&mut session, register);
    say(&mut session, &[register.text().as_bytes(), b"\r\n"].concat());
    let invite = session.scene.request(alice, "INVITE", "sip:102@acme.example").body("application/sdp", SDP);
    say(&mut session, invite.text().as_bytes());
    let refusal = session.transcript.alice.last().unwrap().clone();
    let ack = crate::scene::Heard::new(&refusal).ack(&invite.text());
    let invite = challenged(&mut session, invite);
    let options = session.scene.request(alice, "OPTIONS", "sip:acme.example");
    // The ACK, the next INVITE and an OPTIONS in one write, with a keep-alive in the middle.
    say(&mut session, format!("{ack}{}\r\n\r\n{}", invite.text(), options.text()).as_bytes());
    let mut heard = session.transcript.alice.iter().map(|heard| crate::scene::Heard::new(heard));
    let ok = heard.rfind(|heard| heard.status() == Some(200) && heard.header("CSeq").ends_with("INVITE")).unwrap();
    let mut dialog = Dialog::of_caller(&invite, &ok);
    let ack = dialog.ack(&mut session.scene, alice);
    let bye = dialog.request(&mut session.scene, alice, "BYE");
    say(&mut session, format!("{ack}{}\r\n\r\n", bye.text()).as_bytes());

    let transcript = session.end();
    let statuses: Vec<_> =
        transcript.alice.iter().map(|heard| crate::scene::Heard::new(heard).status().unwrap()).collect();
    assert_eq!(statuses, [401, 200, 407, 100, 200, 200, 200], "the dialog that is cut is a whole one");
    let methods: Vec<_> = transcript.bob.iter().filter_map(|heard| crate::scene::Heard::new(heard).method()).collect();
    assert_eq!(methods, ["INVITE", "ACK", "BYE"]);
    assert_eq!((transcript.keep_alives, transcript.is_closed), (7, false));
    stream
}

fn played<'a>(segments: impl IntoIterator<Item = &'a [u8]>) -> Transcript {
    let mut session = Session::new();
    for segment in segments {
        session.segment(segment);
    }
    session.end()
}

#[test]
fn a_whole_dialog_over_a_stream_is_answered_the_same_cut_at_every_byte() {
    let stream = dialog();
    let whole = played([&stream[..]]);
    assert_eq!(whole.alice.len(), 7);
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(played([head, tail]), whole, "cut at {at}");
    }
}

#[test]
fn a_whole_dialog_over_a_stream_is_answered_the_same_in_pieces_of_every_length() {
    let stream = dialog();
    let whole = played([&stream[..]]);
    for length in 1..200 {
        assert_eq!(played(stream.chunks(length)), whole, "in pieces of {length}");
    }
}

#[test]
fn a_dialog_behind_which_the_stream_breaks_is_answered_the_same_cut_at_every_byte_and_400_ends_it() {
    let mut stream = dialog();
    let begin = stream.len();
    stream.extend_from_slice(
        b"OPTIONS sip:acme.example SIP/2.0\r\nVia: SIP/2.0/TCP 198.51.100.1:40000;branch=z9hG4bK-two\r\n\
          Max-Forwards: 70\r\nFrom: <sip:101@acme.example>;tag=two\r\nTo: <sip:acme.example>\r\nCall-ID: two\r\n\
          CSeq: 1 OPTIONS\r\nContent-Length: 4\r\nl: 5\r\n\r\nbodyX",
    );
    let whole = played([&stream[..]]);
    let last = crate::scene::Heard::new(whole.alice.last().unwrap());
    assert_eq!((last.status(), &*last.header("CSeq"), whole.is_closed), (Some(400), "1 OPTIONS", true), "{last}");
    for at in begin..=stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(played([head, tail]), whole, "cut at {at}");
    }
    assert_eq!(played(stream.chunks(1)), whole);
}
