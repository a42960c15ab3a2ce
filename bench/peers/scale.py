"""Ringway at scale, beside itself: a million bindings, their refresh and expiry, an avalanche, two shards."""

import re
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import SERVER_CORE, Invalid, accounting, machine
from .bench import Bench, Lengths, say
from .figures import Figure, ratios, turning_order
from .generator import ADDRESSES, WINDOW, cpu_us, finish
from .scraper import Scraper, scrape, slower_than, value
from .servers import Ringway
from .watch import SCRAPE_SECONDS, Watch
from .workloads import SCATTERED

FEW, MANY = 10_000, 1_000_000
# A REGISTER at a million bindings may cost so much more than at ten thousand.
GROWTH_BAR = 1.20

# No request may take longer, in seconds, from the kernel's receipt to the send.
STALL = 0.005
# Refreshes a second in the search for stalls. A million phones that register for an hour come back at 300 to 550 a second; and a
# generator that was held up for 20 ms sends 400 at once, which is no stall of the server's.
REFRESH_RATE = 20_000
# The shortest that a registration may live, in seconds, so that all run out within the next minute.
SHORT_EXPIRES = 60
PROBE_RATE = 2_000

PHONES, AVALANCHE_SECONDS, AVALANCHE_BAR = 200_000, 10, 60.0
# Calls that stand while the node is killed.
CALLS = 1_000
# Memory after the avalanche to memory before it, at most.
MEMORY_BAR = 1.10

SHARDS_BAR = 1.10


@dataclass
class Finding:
    """One line of the table of scale."""

    what: str
    figure: str
    bar: str = ""
    is_met: bool | None = None
    details: dict = field(default_factory=dict)


class Scale:
    """Runs the parts that are asked for."""

    def __init__(self, bench: Bench, lengths: Lengths, many: int = MANY, phones: int = PHONES):
        self.bench = bench
        self.lengths = lengths
        self.many = many
        self.phones = phones
        self.faults: list[str] = []

    def growth(self) -> list[Finding]:
        """What a REGISTER costs with few bindings and with many."""
        costs: dict[str, list[float | None]] = {"few": [], "many": []}
        for repetition in range(self.lengths.repetitions):
            for name in turning_order(list(costs), repetition):
                count = FEW if name == "few" else self.many
                server = self.bench.ringway(count, False)
                costs[name].append(self.cost(f"growth, {count:,} bindings", server, "register", count, SCATTERED))
        figure = Figure.of(ratios(costs["many"], costs["few"]))
        return [
            Finding(f"CPU us of a REGISTER at {FEW:,} bindings", number(Figure.of(costs["few"]))),
            Finding(f"CPU us of a REGISTER at {self.many:,} bindings", number(Figure.of(costs["many"]))),
            Finding("the ratio of the two", number(figure, 3), f"<= {GROWTH_BAR:.2f}", met(figure, GROWTH_BAR), {"us": costs}),
        ]

    def shards(self) -> list[Finding]:
        """What an operation costs with two shards. Both variants share core 0, for the generator has the other. The bar is for
        phones at many addresses: they are spread evenly, and the server is what holds the run up. With few the generator does, so
        that each shard falls asleep for want of work and is woken while the other has the core."""
        findings = []
        for scenario, addresses in (("register", SCATTERED), ("call", SCATTERED), ("register", ADDRESSES), ("call", ADDRESSES)):
            costs: dict[str, list[float | None]] = {"1": [], "2": []}
            for repetition in range(self.lengths.repetitions):
                for name in turning_order(list(costs), repetition):
                    server = self.bench.ringway(FEW, False, shards=int(name))
                    costs[name].append(self.cost(f"shards, {name}", server, scenario, FEW, addresses))
            figure = Figure.of(ratios(costs["2"], costs["1"]))
            medians = " and ".join(number(Figure.of(found)) for found in costs.values())
            bar, is_met = (f"<= {SHARDS_BAR:.2f}", met(figure, SHARDS_BAR)) if addresses == SCATTERED else ("", None)
            findings += [
                Finding(f"CPU us, {scenario}, {addresses:,} addresses, one shard and two", medians),
                Finding("the ratio of the two", number(figure, 3), bar, is_met, {"us": costs}),
            ]
        return findings

    def cost(self, where: str, server: Ringway, scenario: str, count: int, addresses: int) -> float | None:
        """CPU microseconds of an operation in a closed loop."""
        # Who registers one after the other seldom lies side by side in the directory.
        file = self.bench.users(count, in_any_order=True)
        lengths = ["--duration", str(self.lengths.seconds), "--warm-up", str(self.lengths.warm_up)]
        options = [*lengths, "--window", str(WINDOW), "--register-first"]
        try:
            with server, Scraper(server.metrics_url):
                report = self.bench.generator_with(addresses).run(server, file, scenario, *options)
                found = cpu_us(report)
                held = value(metrics_of(server), "ringway_registrations")
                if held < count:
                    raise Invalid(f"{held:,.0f} bindings are held, and {count:,} phones have registered")
        except Invalid as fault:
            self.faults.append(f"{where}: {fault}")
            return None
        mark = " (g)" if report["verdict"]["kind"] == "generator_bound" else ""
        say(f"{where}: {scenario} {found:.2f} us{mark}")
        return found

    def stalls(self) -> list[Finding]:
        """Whether refresh or expiry of many bindings holds anything up."""
        file, few = self.bench.users(self.many), self.bench.users(FEW)
        seconds = self.many / REFRESH_RATE
        stolen = accounting.stolen_ticks()
        findings = []
        # The generator sleeps: beside one that never does the kernel's own threads would find time only on the server's core.
        # With digest, as phones have it: a nonce and its window for each registration.
        quiet, ringway = machine.others_elsewhere(), self.bench.ringway(self.many, True)
        with quiet as moved, ringway as server, Watch(server, server.metrics_url, STALL) as watch:
            say(f"{moved} threads of the kernel and of others keep off core {SERVER_CORE} meanwhile")
            self.bench.generator.register_all(server, file, rate=REFRESH_RATE)
            time.sleep(SCRAPE_SECONDS)
            begin, since = metrics_of(server), time.monotonic()
            held = value(begin, "ringway_registrations")
            findings.append(Finding("bindings held", f"{held:,.0f}", f"{self.many:,}", held == self.many))
            options = ["--rate", str(REFRESH_RATE), "--operations", str(self.many), "--expires", str(SHORT_EXPIRES)]
            refresh = self.bench.generator.work(server, file, "register", "--no-setup", *options, sleeps=True)
            machines, refreshed = watch.machines(since, REFRESH_RATE), metrics_of(server)
            findings.append(self.stall(f"refresh of {self.many:,} at {REFRESH_RATE:,}/s", begin, refreshed, machines))
            since = time.monotonic()
            # All that were refreshed run out now. The probes register nobody.
            options = ["--rate", str(PROBE_RATE), "--duration", str(SHORT_EXPIRES + seconds + 10)]
            probe = self.bench.generator.work(server, few, "options", "--no-setup", *options, sleeps=True)
            machines, expired = watch.machines(since, PROBE_RATE), metrics_of(server)
            findings.append(self.stall(f"expiry of as many, probed by OPTIONS at {PROBE_RATE:,}/s", refreshed, expired, machines))
            heart = {"slow": [asdict(second) for second in watch.seconds if second.slow], "late": [asdict(beat) for beat in watch.beats]}
            left = value(expired, "ringway_registrations")
            findings.append(Finding("bindings left after it", f"{left:,.0f}", "0", left == 0))
        for finding, report in zip(findings[1:], (refresh, probe)):
            finding.details = {"report": report}
        findings[1].details["watch"] = heart
        findings[1].details["stolen_ticks"] = accounting.stolen_ticks() - stolen
        return findings

    def stall(self, what: str, before: str, after: str, machines: tuple[int, float]) -> Finding:
        """How many requests the server held up. Those of seconds in which the machine stood still are told, and not its own."""
        begin, end = (slower_than(metrics, STALL) for metrics in (before, after))
        slow = sum(count - begin.get(method, 0) for method, count in end.items())
        total = sum(value(metrics, "ringway_sip_request_duration_seconds_count") * sign for metrics, sign in ((after, 1), (before, -1)))
        if total <= 0:
            raise Invalid(f"{what}: no request was counted")
        of_machine, longest_ms = min(machines[0], slow), machines[1]
        figure = f"{slow - of_machine} of {total:,.0f}"
        if of_machine:
            figure += f", and {of_machine} when the host or the kernel kept a core for up to {longest_ms:.1f} ms"
        say(f"{what}: {figure} above {STALL * 1e3:g} ms")
        return Finding(f"requests above {STALL * 1e3:g} ms, {what}", figure, "0", slow == of_machine)

    def avalanche(self) -> list[Finding]:
        """All phones come back within seconds of a crash, while calls stand."""
        file, seconds = self.bench.users(self.phones), str(AVALANCHE_SECONDS)
        with self.bench.ringway(self.phones, True) as server, Restart(server, self.bench.directory) as restart:
            self.bench.generator.register_all(server, file, "avalanche", rate=self.phones // AVALANCHE_SECONDS)
            time.sleep(self.lengths.settle)
            before = server.memory()
            options = ["--no-setup", "--duration", seconds, "--calls", str(CALLS), "--between", restart.command]
            report = finish(self.bench.generator.start(server, file, "avalanche", *options))
            time.sleep(self.lengths.settle)
            if not server.is_running():
                raise Invalid(f"{server.name} has ended after the avalanche: {server.why()}")
            if report["verdict"]["kind"] == "invalid":
                raise Invalid(f"avalanche: {report['verdict']['reason']}")
            after = server.memory()
        said = " ".join(report["notes"])
        took = re.search(r"bound ([0-9.]+) s after", said)
        hung_up = re.search(r"and ([0-9]+) were hung up", said)
        say(f"avalanche: {said}")
        return [
            Finding(
                f"{self.phones:,} phones register in {seconds} s after SIGKILL and restart: all bound after, s",
                took[1] if took else "never",
                f"< {AVALANCHE_BAR:g}",
                bool(took) and float(took[1]) < AVALANCHE_BAR,
                {"report": report},
            ),
            Finding(
                "calls that stood, and were hung up as they should be: half of them meanwhile, half afterwards",
                f"{hung_up[1] if hung_up else 0} of {CALLS}",
                "all",
                bool(hung_up) and int(hung_up[1]) == CALLS,
            ),
            Finding(
                "memory before and after, MB",
                f"{before / 1e6:.0f}, {after / 1e6:.0f}",
                f"<= {MEMORY_BAR:.2f} times",
                after <= MEMORY_BAR * before,
            ),
        ]


def metrics_of(server: Ringway) -> str:
    """What the node says of itself; `Invalid` when it does not answer."""
    metrics = scrape(server.metrics_url)
    if not metrics:
        raise Invalid(f"{server.name} does not answer on {server.metrics_url}: {server.why()}")
    return metrics


class Restart:
    """Kills a server as a crash would, and starts it again, when the generator's command asks for it."""

    def __init__(self, server: Ringway, directory: Path):
        self.server = server
        self.asked, self.done = directory / "restart-asked", directory / "restart-done"
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    @property
    def command(self) -> str:
        """Asks, and waits until it is done."""
        return f"touch {self.asked}; while [ ! -e {self.done} ]; do sleep 0.05; done"

    def run(self) -> None:
        while not self.asked.exists():
            if self.is_over.wait(0.02):
                return
        try:
            self.server.kill()
            self.server.start()
        finally:
            self.done.touch()

    def __enter__(self) -> "Restart":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.is_over.set()
        self.thread.join()


def number(figure: Figure | None, digits: int = 2) -> str:
    return f"{figure.median:.{digits}f} ({figure.least:.{digits}f}..{figure.most:.{digits}f})" if figure else "-"


def met(figure: Figure | None, bar: float) -> bool | None:
    return figure and figure.median <= bar


def table(findings: list[Finding]) -> str:
    lines = ["| scale | Ringway | bar | met? |", "|---|---:|---:|---|"]
    words = {None: "-", True: "yes", False: "**no**"}
    lines += [f"| {found.what} | {found.figure} | {found.bar} | {words[found.is_met]} |" for found in findings]
    return "\n".join(lines)
