"""The servers under test: started on a core of their own, found ready, measured, stopped."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from . import DOMAIN, HERE, SERVER_CORE, Invalid, Unable, accounting

START_SECONDS = 120
STOP_SECONDS = 30
HOST = "127.0.0.1"


class Server:
    """A server process with what it has started, listening on UDP and TCP, and on TLS when it is asked to."""

    name = ""

    def __init__(self, directory: Path, cores: tuple[int, ...] = (SERVER_CORE,), tls: bool = False):
        self.directory = directory
        self.cores = cores
        self.tls_port = Ports.take() if tls else None
        self.port = Ports.take()
        self.process: subprocess.Popen | None = None
        self.log = directory / f"{self.name}-{self.port}.log"

    def command(self) -> list[str]:
        raise NotImplementedError

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                pinned(self.cores, self.command()), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if not self.is_running():
                raise Invalid(f"{self.name} did not start: {self.why()}")
            if time.monotonic() > deadline:
                self.stop()
                raise Invalid(f"{self.name} was not ready within {START_SECONDS} s: {self.why()}")
            time.sleep(0.05)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        return answers_options(self.port)

    def why(self) -> str:
        """The end of what it has said."""
        return self.log.read_text(errors="replace").strip()[-800:] or "it said nothing"

    @property
    def pids(self) -> list[int]:
        """The process and what it has started."""
        return accounting.family(self.process.pid)

    @property
    def target(self) -> str:
        return f"{HOST}:{self.port}"

    def target_of(self, transport: str) -> str:
        return f"{HOST}:{self.tls_port}" if transport == "tls" else self.target

    def memory(self) -> int:
        """Bytes in use, of all its processes."""
        return accounting.memory(self.pids)

    def stop(self) -> None:
        if self.process is None:
            return
        pids = self.pids
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in pids:
                end(pid)
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()
        self.process = None


class Ringway(Server):
    """One node with a tenant, on a data directory that lies on a disk."""

    name = "ringway"

    def __init__(self, directory: Path, program: Path, data: Path, shards: int = 1, environment: dict | None = None, **options):
        super().__init__(directory, **options)
        self.environment = dict(environment or {})
        if shards != 1:
            self.environment["RINGWAY_SHARDS__COUNT"] = str(shards)
        self.program = program
        self.data = data
        self.shards = shards
        self.http_port = Ports.take()

    def command(self) -> list[str]:
        return [
            *(["env", *(f"{name}={text}" for name, text in self.environment.items())] if self.environment else []),
            *(str(self.program), "serve", "--config", str(HERE / "ringway.toml"), "--data", str(self.data)),
            *("--listen", f"udp:{HOST}:{self.port}", "--listen", f"tcp:{HOST}:{self.port}"),
            # Its certificate is one of its own making, on P-256.
            *(["--listen", f"tls:{HOST}:{self.tls_port}"] if self.tls_port else []),
            *("--http", f"{HOST}:{self.http_port}"),
        ]

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.http_port}/readyz", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """Kills it: its data directory is a copy, and draining would take its time."""
        if self.process is not None:
            self.kill()

    @property
    def metrics_url(self) -> str:
        return f"http://{HOST}:{self.http_port}/metrics"


class RingwayData:
    """Data directories with the tenant and its extensions: prepared once, and copied for each run."""

    def __init__(self, directory: Path, program: Path):
        self.directory = directory
        self.program = program

    def prepare(self, name: str, users: Path | None, trust: bool) -> Path:
        """Makes a data directory. `trust`: requests from this machine need no password."""
        data = self.directory / f"data-{name}"
        if data.exists():
            return data
        limits = ["--max-extensions", "2000000", "--max-calls", "500000"]
        self.run(["tenant", "add", DOMAIN, *limits, *(["--trust", "127.0.0.0/8"] if trust else [])], data)
        if users:
            self.run(["extension", "import", "--tenant", DOMAIN, str(users)], data)
        return data

    def copy(self, data: Path, name: str = "run") -> Path:
        """A copy of its own for one run."""
        copy = self.directory / f"data-{name}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(data, copy)
        return copy

    def run(self, arguments: list[str], data: Path) -> None:
        command = [str(self.program), *arguments, "--config", str(HERE / "ringway.toml"), "--data", str(data)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Unable(f"{' '.join(command)}: {done.stderr.strip()}")


class Kamailio(Server):
    """One UDP worker, everything in memory, nothing logged."""

    name = "kamailio"
    SHARED_MIB, PRIVATE_MIB = 4096, 64

    def __init__(self, directory: Path, configuration: str, authentication: bool, users: int, **options):
        super().__init__(directory, **options)
        self.configuration = HERE / configuration
        self.authentication = authentication
        # One slot a user, and no fewer than anyone would choose: 2 to the power of 14.
        self.hash_size = max(14, (users - 1).bit_length())

    def command(self) -> list[str]:
        return [
            *("kamailio", "-DD", "-f", str(self.configuration), "-Y", str(self.directory)),
            *("-l", f"udp:{HOST}:{self.port}", "-l", f"tcp:{HOST}:{self.port}"),
            *("-x", "fm", "-X", "fm", "-m", str(self.SHARED_MIB), "-M", str(self.PRIVATE_MIB)),
            *("-A", f"USRLOC_HASH={self.hash_size}", "-A", f'LUA_SCRIPT="{HERE / "kamailio.lua"}"'),
            *(["-A", "AUTH"] if self.authentication else []),
            *(self.tls() if self.tls_port else []),
        ]

    def tls(self) -> list[str]:
        certificate, key = self.directory / "kamailio.crt", self.directory / "kamailio.key"
        if not certificate.exists():
            asked = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={DOMAIN}", "-days", "30"]
            subprocess.run(
                ["openssl", "req", "-x509", *asked, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
            )
        files = ["-A", f'TLS_CERTIFICATE="{certificate}"', "-A", f'TLS_KEY="{key}"']
        return ["-A", "TLS", *files, "-l", f"tls:{HOST}:{self.tls_port}"]

    def why(self) -> str:
        """Its log is off, so its own check of the configuration is asked."""
        checked = subprocess.run([*self.command(), "-c", "-E"], capture_output=True, text=True)
        return f"{super().why()}\n{checked.stderr.strip()[-800:]}"


class Floor(Server):
    """ringway-floor: the same packets, and no SIP server at all."""

    name = "floor"

    def __init__(self, directory: Path, program: Path, callers: int, callees: list[str], challenge: bool, **options):
        super().__init__(directory, **options)
        self.program = program
        # The port of the first caller.
        self.callers = callers
        self.callees = callees
        self.challenge = challenge

    def command(self) -> list[str]:
        return [
            *(str(self.program), "--listen", self.target, *[f"--callee={callee}" for callee in self.callees]),
            *("--caller-port", str(self.callers)),
            *(["--challenge", "--realm", DOMAIN] if self.challenge else []),
        ]


def pinned(cores: tuple[int, ...], command: list[str]) -> list[str]:
    """
    >>> pinned((0, 1), ["true"])
    ['taskset', '--cpu-list', '0,1', 'true']
    """
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]


class Ports:
    """Hands out ports of the loopback, each once: below those that the kernel gives to anybody."""

    FIRST, END = 20_000, 32_000
    # Two benchmarks side by side, as may happen while one tries something, begin elsewhere.
    following = FIRST + os.getpid() % 50 * 100

    @classmethod
    def take(cls, count: int = 1) -> int:
        """The first of so many in a row, all free for UDP and TCP."""
        while (first := cls.following) + count <= cls.END:
            cls.following += count
            if all(is_free(port) for port in range(first, first + count)):
                return first
        raise Unable(f"no {count} ports in a row are free between {cls.FIRST} and {cls.END}")


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        try:
            udp.bind((HOST, port))
            tcp.bind((HOST, port))
        except OSError:
            return False
    return True


def answers_options(port: int) -> bool:
    """Whether an OPTIONS to the tenant's domain is answered 200."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.2)
        udp.bind((HOST, 0))
        own = f"{HOST}:{udp.getsockname()[1]}"
        request = (
            f"OPTIONS sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKready{os.getpid()}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:ready@{DOMAIN}>;tag=1\r\nTo: <sip:{DOMAIN}>\r\n"
            f"Call-ID: ready{own}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        try:
            udp.sendto(request.encode(), (HOST, port))
            return udp.recv(65536).startswith(b"SIP/2.0 200 ")
        except OSError:
            return False


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
