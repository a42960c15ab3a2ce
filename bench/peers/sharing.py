"""Nodes that share registrations by Redis: what that costs a REGISTER, how soon a node that comes knows all, how much Redis takes, how
soon another node rings the phones of one that was killed, and what phones notice of a Redis that is slow or gone."""

import queue
import shutil
import socket
import subprocess
import threading
import time
from contextlib import nullcontext

from . import GENERATOR_CORE, Invalid, accounting
from .bench import Bench, Lengths, say
from .figures import Figure, ratios, turning_order
from .generator import WINDOW, cpu_us, latency_us
from .scale import FEW, MEMORY_BAR, Finding, met, metrics_of, number
from .scraper import Scraper, value
from .servers import HOST, Ports, Ringway, pinned

# A REGISTER with Redis may cost so much more than without.
COST_BAR = 1.15
# Registrations that are new, in a row.
NEW = 300_000
# Phones whose refreshes are just so far apart that each is published.
STEADY = 220_000
# Bindings that a node which comes has to learn, and how many seconds it has for it.
WARM_BAR = 60
# Phones of a node that is killed, and calls to them by way of the other.
PHONES, CALLS = 100_000, 1_000
# What a node has learned of others: registrations that it counts are its own.
LEARNED = "ringway_redis_sections_total"
# A REGISTER may wait so much longer at p99 while Redis is in trouble.
WAIT_BAR = 1.5
# How fast phones register where that is not what is measured.
RATE = 20_000


# Writes something else over some blobs, whichever they are.
SPOIL = """
for _ = 1, 200 do
    local key = redis.call('RANDOMKEY')
    if key and redis.call('TYPE', key).ok == 'string' then
        redis.call('SET', key, ARGV[1] .. math.random(), 'EX', 600)
    end
end
"""
# What nobody of us writes, and what a later version might.
GARBAGE, NEWER = "garbage", "\x02"


class Redis:
    """A Redis of its own, which keeps nothing on the disk, or a replica of another. It shares the generator's core."""

    def __init__(self, bench: Bench, of: "Redis | None" = None):
        self.port = Ports.take()
        self.directory = bench.directory
        self.of = of

    def __enter__(self) -> "Redis":
        if not shutil.which("redis-server"):
            raise Invalid("redis-server is missing: scripts/install-peers installs it")
        self.start()
        wait("Redis answers", lambda: self.ask("PING") == "PONG")
        if self.of:
            wait("the replica follows", lambda: "master_link_status:up" in self.ask("INFO", "replication"))
        return self

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", HOST, "--save", "", "--dir", str(self.directory)]
        command += ["--replicaof", f"{HOST} {self.of.port}"] if self.of else []
        self.process = subprocess.Popen(pinned((GENERATOR_CORE,), command), stdout=subprocess.DEVNULL)

    def restart(self) -> None:
        """Kills it, and starts it again with nothing in it."""
        self.process.kill()
        self.process.wait()
        self.start()

    def take_over(self, link: "Link") -> None:
        """The one that it is a replica of dies, and it takes its place."""
        self.ask("REPLICAOF", "NO", "ONE")
        link.far = self.port
        self.of.process.kill()
        self.of.process.wait()

    def spoil(self, blob: str, is_over: threading.Event) -> None:
        """Writes this over some blobs ten times a second."""
        while not is_over.wait(0.1):
            self.ask("EVAL", SPOIL, "0", blob)

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, *words: str) -> str:
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True)
        return done.stdout.strip()

    def memory(self) -> int:
        lines = (line.partition(":") for line in self.ask("INFO", "memory").splitlines())
        return next(int(text) for name, _, text in lines if name == "used_memory")

    def environment(self, node: str) -> dict[str, str]:
        """What makes a node share by it."""
        return {"RINGWAY_NODE__ID": node, "RINGWAY_REDIS__URL": f"redis://{HOST}:{self.port}"}


class Link:
    """A way to a port that can be made slow, or swallow everything."""

    def __init__(self, port: int):
        self.far = port
        self.delay, self.is_hole = 0.0, False
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((HOST, self.far))
            except OSError:
                near.close()
                continue
            for source, sink in ((near, far), (far, near)):
                pieces: queue.Queue = queue.Queue()
                threading.Thread(target=self.read, args=(source, pieces), daemon=True).start()
                threading.Thread(target=self.write, args=(sink, pieces), daemon=True).start()

    def read(self, source: socket.socket, pieces: queue.Queue) -> None:
        try:
            while piece := source.recv(1 << 16):
                if not self.is_hole:
                    pieces.put((time.monotonic() + self.delay, piece))
        except OSError:
            pass
        pieces.put(None)

    @staticmethod
    def write(sink: socket.socket, pieces: queue.Queue) -> None:
        while (due := pieces.get()) is not None:
            time.sleep(max(0.0, due[0] - time.monotonic()))
            try:
                sink.sendall(due[1])
            except OSError:
                return
        sink.close()


class Sharing:
    """Runs the parts that are asked for."""

    def __init__(self, bench: Bench, lengths: Lengths, many: int, divisor: int):
        self.bench = bench
        self.lengths = lengths
        self.many = many
        self.new, self.steady = NEW // divisor, STEADY // divisor
        self.phones, self.calls = PHONES // divisor, CALLS // divisor
        self.faults: list[str] = []

    def redis(self) -> list[Finding]:
        """What a REGISTER costs alone and with Redis, both turns in one run."""
        findings = []
        seconds = str(3 * self.lengths.seconds)
        for what, count, options in (
            ("refreshed over and over, 256 at a time", FEW, ["--duration", str(self.lengths.seconds), "--register-first"]),
            (f"of {self.steady:,} phones that refresh every 11 s", self.steady, ["--duration", seconds, "--rate", str(self.steady // 11)]),
            (f"of {self.new:,} new phones, 256 at a time", self.new, ["--operations", str(self.new)]),
        ):
            costs: dict[str, list[float | None]] = {"alone": [], "shared": []}
            for repetition in range(self.lengths.repetitions):
                for name in turning_order(list(costs), repetition):
                    costs[name].append(self.cost(f"redis, {name}, {what}", name == "shared", count, options))
            figure = Figure.of(ratios(costs["shared"], costs["alone"]))
            medians = " and ".join(number(Figure.of(found)) for found in costs.values())
            findings += [
                Finding(f"CPU us of a REGISTER, {what}, alone and with Redis", medians),
                Finding("the ratio of the two", number(figure, 3), f"<= {COST_BAR:.2f}", met(figure, COST_BAR), {"us": costs}),
            ]
        return findings

    def cost(self, where: str, is_shared: bool, count: int, options: list[str]) -> float | None:
        """CPU microseconds of the node for a REGISTER. In the closed loop of few phones those that the generator has seen;
        else until Redis has been told of the last."""
        file = self.bench.users(count, in_any_order=True)
        is_loop = "--register-first" in options
        try:
            with Redis(self.bench) as redis:
                environment = redis.environment("a") if is_shared else {}
                with self.bench.ringway(count, False, environment=environment) as server, Scraper(server.metrics_url):
                    if is_shared:
                        wait("the node is connected", lambda: self.metric(server, "ringway_redis_current") == 1)
                    if "--rate" in options:
                        self.bench.generator.register_all(server, file, rate=RATE)
                        self.drain(server)
                    before = accounting.processor_seconds(server.pids)
                    # Few addresses: the connection to Redis has a port that phones at many might want.
                    options = [*options, *(["--warm-up", str(self.lengths.warm_up)] if is_loop else ["--no-setup"])]
                    options += [] if "--rate" in options else ["--window", str(WINDOW)]
                    report = self.bench.generator.run(server, file, "register", *options)
                    self.drain(server)
                    used = accounting.processor_seconds(server.pids) - before
        except Invalid as fault:
            self.faults.append(f"{where}: {fault}")
            return None
        found = cpu_us(report) if is_loop else used / report["operations"]["succeeded"] * 1e6
        say(f"{where}: {found:.2f} us")
        return found

    def drain(self, server: Ringway) -> None:
        wait("all are published", lambda: self.metric(server, "ringway_redis_queue_depth") == 0)

    def cold(self) -> list[Finding]:
        """How long a node that comes takes to know what another has, and what that takes in Redis."""
        file = self.bench.users(self.many)
        with Redis(self.bench) as redis:
            empty = redis.memory()
            with self.bench.ringway(self.many, False, environment=redis.environment("a")) as first:
                self.bench.generator.register_all(first, file, rate=RATE)
                wait("all are published", lambda: self.metric(first, "ringway_redis_queue_depth") == 0, 120)
                each = (redis.memory() - empty) / self.many
                second = self.bench.another(self.many, False, environment=redis.environment("b"))
                with second:
                    begun = time.monotonic()
                    wait("the second node knows all", lambda: self.metric(second, "ringway_redis_current") == 1, 300)
                    took = time.monotonic() - begun
                    known = self.metric(second, LEARNED)
        say(f"cold: {known:,.0f} bindings in {took:.1f} s, {each:.0f} bytes each in Redis")
        return [
            Finding(f"a node that comes knows {self.many:,} bindings after, s", f"{took:.1f}", f"<= {WARM_BAR}", took <= WARM_BAR),
            Finding("of them it knows", f"{known:,.0f}", f"{self.many:,}", known == self.many),
            Finding("bytes a binding in Redis, streams and keys included", f"{each:.0f}"),
        ]

    def killed(self) -> list[Finding]:
        """A node is killed, and its phones are called by way of the other at once."""
        file = self.bench.users(self.phones)
        with Redis(self.bench) as redis:
            first = self.bench.ringway(self.phones, False, environment=redis.environment("a"))
            second = self.bench.another(self.phones, False, environment=redis.environment("b"))
            with first, second:
                self.bench.generator.register_all(first, file, "call", rate=RATE)
                held = self.metric(first, "ringway_registrations")
                wait("the other knows all", lambda: self.metric(second, LEARNED) >= held, 120)
                first.kill()
                begun = time.monotonic()
                options = ["--no-setup", "--operations", str(self.calls), "--window", "64"]
                report = self.bench.generator.run(second, file, "call", *options)
                took = time.monotonic() - begun
                second.stop()
        operations = report["operations"]
        say(f"killed: {operations['succeeded']} of {self.calls} calls after {took:.2f} s")
        return [
            Finding(
                f"of {held:,.0f} phones of a node that is killed called at once by way of the other, and answered",
                f"{operations['succeeded']} of {self.calls}",
                "all",
                operations["succeeded"] == self.calls,
                {"report": report},
            ),
            Finding("all these calls are over after, s, the generator's start included", f"{took:.2f}", "<= 1", took <= 1),
        ]

    def lost(self) -> list[Finding]:
        """How much of what a node had answered the other does not know when the first is killed while phones register."""
        file = self.bench.users(self.many)
        with Redis(self.bench) as redis:
            first = self.bench.ringway(self.many, False, environment=redis.environment("a"))
            second = self.bench.another(self.many, False, environment=redis.environment("b"))
            with first, second:
                for server in (first, second):
                    wait("both are connected", lambda server=server: self.metric(server, "ringway_redis_current") == 1)
                # Each phone is new: whatever was answered is a binding that the other does not know yet.
                options = ["--no-setup", "--rate", str(RATE), "--operations", str(self.many)]
                running = self.bench.generator.start(first, file, "register", *options)
                wait("many are registered", lambda: self.metric(first, "ringway_registrations") > self.many / 5)
                first.kill()
                running.kill()
                running.communicate()
                time.sleep(1.0)
                known = self.metric(second, LEARNED)
                second.stop()
                # Its journal has whatever it had answered.
                first.start()
                answered = self.metric(first, "ringway_registrations")
        lost = answered - known
        say(f"lost: {answered:,.0f} answered, {known:,.0f} known to the other: {lost:,.0f}, {lost / RATE * 1000:.0f} ms")
        return [
            Finding(f"of {answered:,.0f} registrations that a node had answered at {RATE:,}/s when it was killed, unknown to the other", f"{lost:,.0f}"),
            Finding("that is what it answered in so many ms", f"{lost / RATE * 1000:.0f}"),
        ]

    def trouble(self) -> list[Finding]:
        """Phones register while Redis is prompt, slow, swallows everything, is full, is killed and comes back empty, gives way to a
        replica, or has other things in it than were written: how long they wait, and what that takes of memory."""
        file, seconds = self.bench.users(self.phones, in_any_order=True), 3 * self.lengths.seconds
        findings, prompt = [], None
        for what in (
            "answers",
            "is 750 ms late",
            "swallows everything",
            "is full",
            "is killed and comes back empty",
            "is killed and its replica takes over",
            "has garbage in it",
            "has blobs of a newer version in it",
        ):
            with Redis(self.bench) as redis, Redis(self.bench, of=redis) if "replica" in what else nullcontext() as replica:
                link, is_over = Link(redis.port), threading.Event()
                environment = redis.environment("a") | {"RINGWAY_REDIS__URL": f"redis://{HOST}:{link.port}"}
                with self.bench.ringway(self.phones, False, environment=environment) as server:
                    wait("the node is connected", lambda: self.metric(server, "ringway_redis_current") == 1)
                    link.delay, link.is_hole = 0.75 if "late" in what else 0.0, "swallows" in what
                    if "full" in what:
                        redis.ask("CONFIG", "SET", "maxmemory", "1")
                    blob = GARBAGE if "garbage" in what else NEWER if "newer" in what else None
                    if blob:
                        threading.Thread(target=redis.spoil, args=(blob, is_over), daemon=True).start()
                    action = (lambda: replica.take_over(link)) if replica else redis.restart
                    trouble = threading.Timer(seconds / 3, action)
                    if "killed" in what:
                        trouble.start()
                    # Each phone is new once, and is refreshed from then on.
                    options = ["--no-setup", "--rate", str(RATE), "--duration", str(seconds)]
                    report = self.bench.generator.run(server, file, "register", *options)
                    waiting, memory = self.metric(server, "ringway_redis_queue_depth"), server.memory()
                    trouble.cancel()
                    is_over.set()
                    # It meets them when it writes: a refresh 10 s after the phone has come.
                    met_by = f", and {self.metric(server, 'ringway_redis_errors_total'):,.0f} of these blobs met" if blob else ""
                link.listener.close()
            p99 = latency_us(report, "p99")
            prompt = prompt or (p99, memory)
            say(f"trouble: Redis {what}: p99 {p99:,.0f} us, {memory / 1e6:.0f} MB, {waiting:,.0f} wait{met_by}")
            findings += [
                Finding(
                    f"us that a REGISTER waits at p99, {RATE:,}/s, while Redis {what}",
                    f"{p99:,.0f}",
                    f"<= {WAIT_BAR:.2f} times",
                    p99 <= WAIT_BAR * prompt[0],
                    {"report": report},
                ),
                Finding(
                    f"MB of memory then, with {waiting:,.0f} that wait{met_by}",
                    f"{memory / 1e6:.0f}",
                    f"<= {MEMORY_BAR:.2f} times",
                    memory <= MEMORY_BAR * prompt[1],
                ),
            ]
        return findings

    @staticmethod
    def metric(server: Ringway, name: str) -> float:
        return value(metrics_of(server), name)


def wait(what: str, is_so, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            raise Invalid(f"it is not so after {seconds:g} s: {what}")
        time.sleep(0.05)
