"""ringway-load: one run of it, and what it reports."""

import json
import subprocess
from pathlib import Path

from . import DOMAIN, GENERATOR_CORE, Invalid
from .servers import HOST, Floor, Ports, Server, pinned

# Operations in progress in a closed loop: enough to keep any server busy, and few enough that none of them waits so
# long for its answer that it is sent again.
WINDOW = 256

# Addresses of the phones, unless a workload wants others: as behind a proxy or a carrier's NAT.
ADDRESSES = 16

# No run takes longer, not even one of a million users.
RUN_SECONDS = 300

# The share of operations that may fail before a run is not to be used.
FAILED_LIMIT = 0.001


class Generator:
    """The program, and the ports of its phones: the same in each run, so that a phone registers the same Contact."""

    def __init__(self, program: Path, addresses: int = ADDRESSES, transport: str = "udp"):
        self.program = program
        self.transport = transport
        # Local sockets for callers and for whoever registers, and as many for callees.
        self.addresses = addresses
        self.local_port = Ports.take(2 * addresses)
        self.callee_port = self.local_port + addresses

    @property
    def callees(self) -> list[str]:
        """Where callees listen."""
        return [f"{HOST}:{port}" for port in range(self.callee_port, self.callee_port + self.addresses)]

    def ports(self) -> list[str]:
        return ["--local-port", str(self.local_port), "--callee-port", str(self.callee_port)]

    def command(self, server: Server, users: Path, scenario: str, *options: str, sleeps: bool = False) -> list[str]:
        return pinned(
            (GENERATOR_CORE,),
            [
                *(str(self.program), scenario, "--target", server.target_of(self.transport)),
                *("--transport", self.transport, "--domain", DOMAIN),
                *(["--insecure"] if self.transport == "tls" else []),
                *("--users", str(users), "--sockets", str(self.addresses), "--json", *options),
                *([] if sleeps else ["--spin"]),
                # A connection's own port is kept by the kernel for a minute after it; the next run needs others.
                *(self.ports() if self.transport == "udp" else []),
                *(["--floor"] if isinstance(server, Floor) else []),
            ],
        )

    def register_all(self, server: Server, users: Path, scenario: str = "register", rate: int | None = None) -> None:
        """Registers every user once, from where the scenario has them."""
        self.work(server, users, scenario, "--setup-only", *(["--rate", str(rate)] if rate else []))

    def work(self, server: Server, users: Path, scenario: str, *options: str, sleeps: bool = False) -> dict:
        """Runs a scenario whose own times are not used, so that it does not matter whether the generator kept its pace, nor
        whether it sleeps in between. `Invalid` when an operation did not succeed."""
        command = self.command(server, users, scenario, *options, sleeps=sleeps)
        done = run_to_end(command, server)
        report = read(done.stdout, done.stderr, command)
        operations = report["operations"]
        if operations["succeeded"] < operations["started"]:
            raise Invalid(f"{scenario} at {server.name}: not every operation succeeded: {done.stderr.strip()[-600:]}")
        return report

    def run(self, server: Server, users: Path, scenario: str, *options: str) -> dict:
        """Runs a scenario and returns its report; `Invalid` when that is not to be used."""
        command = self.command(server, users, scenario, *options)
        command += ["--server-pid", ",".join(map(str, server.pids))]
        done = run_to_end(command, server)
        return checked(read(done.stdout, done.stderr, command), server.name)

    def start(self, server: Server, users: Path, scenario: str, *options: str) -> subprocess.Popen:
        """Starts a scenario and leaves it running; `finish` takes its report."""
        command = self.command(server, users, scenario, *options)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_to_end(command: list[str], server: Server) -> subprocess.CompletedProcess:
    """Runs the generator; `Invalid` when the server is gone afterwards, or the generator does not end."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        raise Invalid(f"{server.name}: the generator did not end within {RUN_SECONDS} s: {server.why()}") from None
    if not server.is_running():
        raise Invalid(f"{server.name} has ended in the middle of the run: {server.why()}")
    return done


def finish(process: subprocess.Popen) -> dict:
    """Waits for a run that was started, and returns its report, whatever it says."""
    output, error = process.communicate()
    return read(output, error, process.args)


def read(output: str, error: str, command: list[str]) -> dict:
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        raise Invalid(f"{' '.join(command)} gave no report: {error.strip()[-800:]}") from None


def checked(report: dict, server: str) -> dict:
    """The report itself when its figures can be used.

    >>> operations = {"started": 10, "succeeded": 9, "failed": 1, "unfinished": 0, "failures": {"403 Forbidden": 1}}
    >>> checked({"verdict": {"kind": "valid"}, "operations": operations, "scenario": "call"}, "kamailio")
    Traceback (most recent call last):
    peers.Invalid: call at kamailio: 1 of 10 operations failed: 1 x 403 Forbidden
    """
    where = f"{report['scenario']} at {server}"
    operations, verdict = report["operations"], report["verdict"]
    # What had no answer when the run ended would have failed half a minute later.
    lost = operations["failed"] + operations["unfinished"]
    if lost > FAILED_LIMIT * max(1, operations["started"]):
        reasons = ", ".join(f"{count} x {reason}" for reason, count in operations["failures"].items()) or "no answer"
        raise Invalid(f"{where}: {lost} of {operations['started']} operations failed: {reasons}")
    if verdict["kind"] == "invalid":
        raise Invalid(f"{where}: {verdict['reason']}")
    return report


def cpu_us(report: dict) -> float:
    """Microseconds of the server's processors an operation; `Invalid` when the report does not know them."""
    cost = (report["server"] or {}).get("cpu_seconds_per_operation")
    if cost is None:
        raise Invalid(f"{report['scenario']}: what the server's processes used is not known; has one of them ended?")
    return cost * 1e6


def latency_us(report: dict, quantile: str) -> float:
    """From when an operation was due to its end, in microseconds."""
    return report["latencies"]["operation"][quantile] * 1e6
