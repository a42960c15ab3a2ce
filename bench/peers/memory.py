"""What a binding, an extension, a call and a finished call cost in memory."""

import time
from dataclasses import dataclass

from . import Invalid
from .bench import Bench, Lengths, say
from .figures import Figure
from .generator import finish
from .servers import Server

# Calls that are set up for the memory of a call, and how many a second.
CALLS, CALLS_A_SECOND = 10_000, 1_000
# Longer than all of them take to be set up; shorter than a finished transaction is kept (RFC 3261, timers of 32 s).
HOLD_SECONDS = 15
# How often the memory of a binding is measured where there is a bar for it.
BAR_REPETITIONS = 5


@dataclass
class Line:
    """One line of the memory table, in bytes each; `None` where there is nothing to measure."""

    what: str
    ringway: Figure | None
    kamailio: Figure | None
    bar: float | None = None

    @property
    def is_met(self) -> bool | None:
        return None if self.bar is None or self.ringway is None else self.ringway.median <= self.bar


class Memory:
    """Measures one server after the other; none of them is busy with anything else."""

    def __init__(self, bench: Bench, lengths: Lengths):
        self.bench = bench
        self.lengths = lengths
        self.faults: list[str] = []

    def bindings(self, count: int, authentication: bool, bar: float | None = None) -> Line:
        """`count` extensions register once, from as many Contacts; several times where there is a bar."""
        repetitions = range(BAR_REPETITIONS if bar else 1)
        how = "registered with digest: the windows of nonce counts are in it" if authentication else "registered without authentication"
        return Line(
            f"a binding at {count:,}, {how}",
            Figure.of([self.growth(self.bench.ringway(count, authentication), count, authentication) for _ in repetitions]),
            Figure.of([self.growth(self.bench.kamailio(count, authentication), count, authentication) for _ in repetitions]),
            bar,
        )

    def extension(self, count: int) -> Line:
        """What Ringway keeps of an extension that nobody has registered. Kamailio's configuration has none at all."""
        what = f"an extension at {count:,}"
        try:
            empty, full = (self.resident(self.bench.ringway(users, True)) for users in (0, count))
        except Invalid as fault:
            self.faults.append(f"memory of {what}: {fault}")
            return Line(what, None, None)
        return Line(what, Figure.of([(full - empty) / count]), None)

    def calls(self) -> list[Line]:
        """Calls that stand, and calls that have ended, while all their transactions are still kept."""
        lines = []
        for what, hold in [
            ("a call in progress, with the transactions of its INVITE", HOLD_SECONDS),
            ("a finished call: the transactions of INVITE and BYE, until their timers run out", 0),
        ]:
            ringway = self.call_growth(self.bench.ringway(4 * CALLS, False), hold)
            kamailio = self.call_growth(self.bench.kamailio(4 * CALLS, False), hold)
            lines.append(Line(what, Figure.of(ringway[:1]), Figure.of(kamailio[:1])))
            kind = "such calls" if hold == 0 else "calls that were held"
            rest = f"what the process still has of {kind}, {self.lengths.settle:.0f} s after they ended"
            lines.append(Line(rest, Figure.of(ringway[1:]), Figure.of(kamailio[1:])))
        return lines

    def resident(self, server: Server) -> int:
        with server:
            time.sleep(2)
            return server.memory()

    def growth(self, server: Server, count: int, authentication: bool) -> float | None:
        """Bytes a registration."""
        try:
            with server:
                time.sleep(2)
                before = server.memory()
                self.bench.generator.register_all(server, self.bench.users(count))
                time.sleep(self.lengths.settle)
                found = (server.memory() - before) / count
        except Invalid as fault:
            self.faults.append(f"memory at {count:,}: {fault}")
            return None
        say(f"memory at {count:,}{' with digest' if authentication else ''}: {server.name} {found:.0f} bytes a binding")
        return found

    def call_growth(self, server: Server, hold: int) -> tuple[float | None, float | None]:
        """Bytes a call: when all are set up, and after everything has ended."""
        users = self.bench.users(4 * CALLS)
        try:
            with server:
                self.bench.generator.register_all(server, users, "call")
                time.sleep(2)
                before = server.memory()
                options = ["--operations", str(CALLS), "--rate", str(CALLS_A_SECOND), "--hold", str(hold)]
                run = self.bench.generator.start(server, users, "call", "--no-setup", "--drain", str(2 * HOLD_SECONDS), *options)
                time.sleep(CALLS / CALLS_A_SECOND + 1)
                during = server.memory() - before
                report = finish(run)
                time.sleep(self.lengths.settle)
                after = server.memory() - before
        except Invalid as fault:
            self.faults.append(f"memory of calls: {fault}")
            return None, None
        calls = report["operations"]["succeeded"]
        if calls < 0.99 * CALLS:
            self.faults.append(f"memory of calls at {server.name}: {calls} of {CALLS} calls succeeded")
            return None, None
        say(f"memory of calls held {hold} s: {server.name} {during / calls:.0f} bytes, {after / calls:.0f} after their end")
        return during / calls, after / calls
