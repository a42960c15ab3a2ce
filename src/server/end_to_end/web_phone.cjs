// A browser's phone without the browser: JsSIP in Node, driven like phone.py. One command a line on standard input, one
// JSON event a line on standard output.
//
//     register | unregister | call URI | answer CODE | hangup | message URI TEXT | quit
//
// JsSIP speaks SIP over WebSocket as it does in a browser. Only the browser's media are played by a stand-in, which
// offers and answers with the lines that a browser writes.

const options = Object.fromEntries(
  process.argv.slice(2).join(" ").split("--").filter(Boolean).map((pair) => pair.trim().split(" ")));
const { createRequire } = require("module");
const modules = createRequire(options.modules + "/");

// A self-signed certificate is what the node under test has.
const WebSocket = modules("ws");
class Socket extends WebSocket {
  constructor(url, protocol) {
    super(url, protocol, { rejectUnauthorized: false });
  }
}

class PeerConnection {
  constructor() {
    this.iceGatheringState = "complete";
    this.iceConnectionState = "connected";
    this.signalingState = "stable";
    this.localDescription = null;
  }
  static lines(type) {
    const setup = type === "offer" ? "actpass" : "active";
    return ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111",
      "c=IN IP4 0.0.0.0", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx",
      "a=fingerprint:sha-256 " + Array(32).fill("AB").join(":"), "a=setup:" + setup, "a=mid:0", "a=sendrecv",
      "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", "a=candidate:1 1 udp 2122260223 127.0.0.1 40000 typ host", ""].join("\r\n");
  }
  addEventListener() {}
  removeEventListener() {}
  getSenders() { return []; }
  createOffer() { return Promise.resolve({ type: "offer", sdp: PeerConnection.lines("offer") }); }
  createAnswer() { return Promise.resolve({ type: "answer", sdp: PeerConnection.lines("answer") }); }
  setLocalDescription(description) { this.localDescription = description; return Promise.resolve(); }
  setRemoteDescription(description) { this.remoteDescription = description; return Promise.resolve(); }
  close() { this.signalingState = "closed"; }
}

Object.assign(globalThis, {
  window: globalThis,
  WebSocket: Socket,
  RTCPeerConnection: PeerConnection,
  RTCSessionDescription: class { constructor(description) { Object.assign(this, description); } },
});
const JsSIP = modules("jssip");

function tell(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

const agent = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(options.url)],
  uri: `sip:${options.number}@${options.domain}`,
  authorization_user: options.number,
  password: options.password,
  register: false,
  session_timers: false,
});
let session = null;
const media = { mediaConstraints: { audio: false, video: false } };

agent.on("connected", () => tell("ready"));
agent.on("disconnected", () => tell("disconnected"));
agent.on("registered", () => tell("registration", { code: 200 }));
agent.on("unregistered", () => tell("registration", { code: 200 }));
agent.on("registrationFailed", ({ response, cause }) =>
  tell("registration", { code: response ? response.status_code : 0, reason: cause }));
agent.on("newMessage", ({ originator, request }) => {
  if (originator === "remote") tell("message", { text: request.body });
});
agent.on("newRTCSession", ({ originator, session: fresh, request }) => {
  session = fresh;
  if (originator === "remote") tell("incoming", { remote: request.from.uri.toString() });
  fresh.on("progress", ({ originator }) => originator === "remote" && tell("state", { state: "EARLY", code: 180 }));
  fresh.on("confirmed", () => tell("state", { state: "CONFIRMED", code: 200 }));
  fresh.on("ended", ({ cause }) => tell("state", { state: "DISCONNECTED", code: 200, reason: cause }));
  fresh.on("failed", ({ message, cause }) =>
    tell("state", { state: "DISCONNECTED", code: (message && message.status_code) || 0, reason: cause }));
});

function obey(line) {
  const [verb, first = "", ...rest] = line.trim().split(" ");
  if (verb === "register") agent.register();
  else if (verb === "unregister") agent.unregister();
  else if (verb === "call") agent.call(first, media);
  else if (verb === "answer" && first === "200") session.answer(media);
  else if (verb === "answer") session.terminate({ status_code: Number(first) });
  else if (verb === "hangup") session.terminate();
  else if (verb === "message") agent.sendMessage(first, rest.join(" "));
  else if (verb === "quit") process.exit(0);
  else tell("error", { message: `no such command: ${verb}` });
}

let commands = "";
process.stdin.on("data", (read) => {
  commands += read;
  const lines = commands.split("\n");
  commands = lines.pop();
  lines.forEach(obey);
});
process.stdin.on("end", () => process.exit(0));
agent.start();
