"""What every part of the benchmark works with: directories, programs, extensions, servers to start."""

import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import machine, users
from .generator import Generator
from .servers import Floor, Kamailio, Ringway, RingwayData, Server
from .workloads import Workload


@dataclass(frozen=True)
class Lengths:
    """How long runs last, in seconds, and how often they are repeated."""

    repetitions: int = 5
    seconds: float = 5.0
    warm_up: float = 2.0
    # After its last REGISTER a server is left alone for so long before its memory is read: every transaction is over.
    settle: float = 45.0


QUICK = Lengths(repetitions=1, seconds=1.0, warm_up=0.5)


class Bench:
    """A directory of its own, and what is made in it once. Everything is gone when it is left."""

    def __init__(self, programs: Path, directory: Path):
        self.programs = programs
        self.directory = Path(tempfile.mkdtemp(prefix="ringway-bench-", dir=directory))
        self.generator = Generator(programs / "ringway-load")
        self.generators = {(self.generator.addresses, self.generator.transport): self.generator}
        self.data = RingwayData(self.directory, programs / "ringway")

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def users(self, count: int, in_any_order: bool = False) -> Path:
        """The CSV of so many extensions, by their numbers or in the order in which phones might come."""
        path = self.directory / f"users-{count}{'-in-any-order' if in_any_order else ''}.csv"
        return path if path.exists() else users.write(path, count, in_any_order)

    def ringway(self, count: int, authentication: bool, **options) -> Ringway:
        """A node with so many extensions, on a data directory of its own."""
        name = f"{count}-{'asking' if authentication else 'trusting'}"
        data = self.data.prepare(name, self.users(count) if count else None, trust=not authentication)
        return Ringway(self.directory, self.programs / "ringway", self.data.copy(data), **options)

    def another(self, count: int, authentication: bool, **options) -> Ringway:
        """A second node beside the first, with the same extensions and the same key."""
        name = f"{count}-{'asking' if authentication else 'trusting'}"
        data = self.data.prepare(name, self.users(count) if count else None, trust=not authentication)
        return Ringway(self.directory, self.programs / "ringway", self.data.copy(data, "another"), **options)

    def kamailio(self, count: int, authentication: bool, configuration: str = "kamailio.cfg", **options) -> Kamailio:
        return Kamailio(self.directory, configuration, authentication, count, **options)

    def generator_with(self, addresses: int, transport: str = "udp") -> Generator:
        """The generator whose phones have so many addresses."""
        kind = addresses, transport
        if kind not in self.generators:
            self.generators[kind] = Generator(self.generator.program, addresses, transport)
        return self.generators[kind]

    def server(self, name: str, workload: Workload, count: int) -> Server:
        """The server of a row of the table."""
        tls = workload.transport == "tls"
        match name:
            case "ringway":
                return self.ringway(count, workload.authentication, tls=tls)
            case "kamailio":
                return self.kamailio(count, workload.authentication, workload.kamailio, tls=tls)
            case _:
                # A refresh is never challenged.
                challenge = workload.authentication and workload.scenario != "refresh"
                generator = self.generator_with(workload.addresses)
                phones = generator.local_port, generator.callees
                return Floor(self.directory, self.programs / "ringway-floor", *phones, challenge)


def prepare(no_build: bool, profile: str, with_kamailio: bool = True) -> Path:
    """Everything that must be there before a benchmark starts; returns where the programs are."""
    machine.check()
    # So that what was started is stopped, and what was made is removed, when a time limit ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if with_kamailio:
        machine.install_kamailio()
    return machine.programs(profile) if no_build else machine.build(profile)


def say(text: str) -> None:
    """A line for whoever waits."""
    print(text, file=sys.stderr, flush=True)
