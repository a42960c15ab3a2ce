"""A softphone on pjsua2 that a test drives: one command a line on standard input, one JSON event a line on standard output.

    register                 registers (and answers the challenge)
    unregister
    call URI
    answer CODE              to the call that is coming in
    hangup [CODE]
    stats                    tells how many RTP packets have come and gone
    quit

Everything happens on one thread: pjsua2's callbacks run inside `libHandleEvents`.
"""

import argparse
import json
import os
import select
import sys

import pjsua2 as pj


def tell(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Call(pj.Call):
    def __init__(self, phone, account, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(account, call_id)
        self.phone = phone

    def onCallState(self, _):
        info = self.getInfo()
        tell("state", state=info.stateText, code=info.lastStatusCode, reason=info.lastReason)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.ended.append(self)
            if self.phone.call is self:
                self.phone.call = None

    def onCallMediaState(self, _):
        # The tone player is this phone's microphone: without something to send there is no RTP to count.
        for index, media in enumerate(self.getInfo().media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                self.phone.tone.startTransmit(self.getAudioMedia(index))

    def packets(self):
        rtcp = self.getStreamStat(0).rtcp
        return rtcp.rxStat.pkt, rtcp.txStat.pkt


class Account(pj.Account):
    def __init__(self, phone):
        super().__init__()
        self.phone = phone

    def onRegState(self, info):
        tell("registration", code=info.code, reason=info.reason, expires=info.expiration)

    def onIncomingCall(self, incoming):
        call = Call(self.phone, self, incoming.callId)
        if self.phone.call is not None:
            busy = pj.CallOpParam()
            busy.statusCode = 486
            call.answer(busy)
            self.phone.ended.append(call)
            return
        self.phone.call = call
        tell("incoming", remote=call.getInfo().remoteUri)


class Phone:
    def __init__(self, arguments):
        self.arguments = arguments
        self.call = None
        self.ended = []
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.logConfig.level = arguments.log
        config.logConfig.consoleLevel = arguments.log
        config.medConfig.noVad = True
        self.endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.boundAddress = "127.0.0.1"
        transport.port = 0
        # What it believes its address to be: behind a NAT another than the one that its packets come from.
        transport.publicAddress = arguments.believes
        kind = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}[
            arguments.transport]
        self.endpoint.transportCreate(kind, transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self.tone = pj.ToneGenerator()
        self.tone.createToneGenerator()
        tone = pj.ToneDesc()
        tone.freq1, tone.freq2, tone.on_msec, tone.off_msec = 440, 0, 1000, 0
        self.tone.play(pj.ToneDescVector([tone]), True)
        account = pj.AccountConfig()
        account.idUri = f"sip:{arguments.number}@{arguments.domain}"
        account.regConfig.registrarUri = f"sip:{arguments.domain}"
        account.regConfig.registerOnAdd = False
        account.regConfig.timeoutSec = 120
        account.regConfig.retryIntervalSec = 0
        suffix = "" if arguments.transport == "udp" else f";transport={arguments.transport}"
        account.sipConfig.proxies.append(f"sip:{arguments.proxy};lr{suffix}")
        account.sipConfig.authCreds.append(
            pj.AuthCredInfo("digest", "*", arguments.auth_name, 0, arguments.password))
        account.natConfig.contactRewriteUse = 0
        account.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
        self.account = Account(self)
        self.account.create(account)
        tell("ready")

    def obey(self, line):
        verb, _, rest = line.strip().partition(" ")
        parameters = pj.CallOpParam(True)
        if verb == "register":
            self.account.setRegistration(True)
        elif verb == "unregister":
            self.account.setRegistration(False)
        elif verb == "call":
            self.call = Call(self, self.account)
            self.call.makeCall(rest, parameters)
        elif verb == "answer":
            parameters.statusCode = int(rest)
            self.call.answer(parameters)
        elif verb == "hangup":
            if rest:
                parameters.statusCode = int(rest)
            if self.call is not None:
                self.call.hangup(parameters)
        elif verb == "stats":
            received, sent = self.call.packets() if self.call is not None else (0, 0)
            tell("stats", received=received, sent=sent)
        elif verb == "quit":
            return False
        else:
            tell("error", message=f"no such command: {verb}")
        return True

    def run(self):
        commands = b""
        while True:
            self.endpoint.libHandleEvents(10)
            self.ended.clear()
            if not select.select([0], [], [], 0)[0]:
                continue
            read = os.read(0, 4096)
            if not read:
                return
            commands += read
            *lines, commands = commands.split(b"\n")
            for line in lines:
                try:
                    if not self.obey(line.decode()):
                        return
                except pj.Error as error:
                    tell("error", message=error.info())


def main():
    parser = argparse.ArgumentParser()
    for name in ["number", "domain", "auth-name", "password", "proxy"]:
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--transport", default="udp")
    parser.add_argument("--believes", default="", metavar="ADDRESS")
    parser.add_argument("--log", type=int, default=0)
    Phone(parser.parse_args()).run()
    sys.stdout.flush()
    # pjsua2's own teardown waits for its threads; there is nothing left that anybody needs.
    os._exit(0)


if __name__ == "__main__":
    main()
