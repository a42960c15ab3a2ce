"""Slow requests, second by second, and whether the machine stood still in that second.

A virtual machine is put aside by its host for milliseconds at a time, and then every request that waits is slow,
whatever the server does. A beat on the server's core finds this out: when it is late, and the server was not charged
with the time either, then nobody had the core.
"""

import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from . import HERE, SERVER_CORE, Invalid
from .scraper import scrape, slower_than
from .servers import Server, pinned

# A beat that is late is the machine's when the server had less than this share of the time.
SHARE = 0.5
SCRAPE_SECONDS = 1.0
# A request that waited is counted a little after what held it up.
AFTERMATH = 0.1


@dataclass(frozen=True)
class Late:
    """A beat that came late: at this second, by so many milliseconds, of which the server had so many."""

    at: float
    late_ms: float
    server_ms: float

    @property
    def is_machines(self) -> bool:
        return self.server_ms < SHARE * self.late_ms


@dataclass(frozen=True)
class Second:
    """What was counted between two scrapes."""

    begin: float
    end: float
    slow: int

    def stood_still(self, beats: list[Late]) -> float:
        """For how many milliseconds at the longest nobody had the core in this second.

        >>> beats = [Late(9.95, 7.0, 0.5), Late(10.5, 6.0, 5.9)]
        >>> Second(10.0, 11.0, 80).stood_still(beats), Second(11.0, 12.0, 1).stood_still(beats)
        (7.0, 0.0)
        """
        mine = (beat for beat in beats if beat.is_machines and self.begin - AFTERMATH < beat.at < self.end + AFTERMATH)
        return max((beat.late_ms for beat in mine), default=0.0)


class Watch:
    """Scrapes a node once a second, as Prometheus would, and listens to the beat on its core, until it is left."""

    def __init__(self, server: Server, url: str, limit: float):
        self.server = server
        self.url = url
        self.limit = limit
        self.seconds: list[Second] = []
        self.beats: list[Late] = []
        self.done = threading.Event()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.scrapes, self.listens)]
        self.heart: subprocess.Popen | None = None

    def __enter__(self) -> "Watch":
        command = [sys.executable, "-m", "peers.heartbeat", str(self.server.process.pid)]
        options = {"cwd": HERE.parent, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.heart = subprocess.Popen(pinned((SERVER_CORE,), command), **options)
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.done.set()
        self.heart.terminate()
        for thread in self.threads:
            thread.join()

    def scrapes(self) -> None:
        begin, before = time.monotonic(), self.slow()
        while not self.done.wait(SCRAPE_SECONDS):
            end, now = time.monotonic(), self.slow()
            self.seconds.append(Second(begin, end, now - before))
            begin, before = end, now

    def listens(self) -> None:
        for line in self.heart.stdout:
            self.beats.append(Late(*map(float, line.split())))

    def slow(self) -> int:
        return sum(slower_than(scrape(self.url), self.limit).values())

    def machines(self, begin: float) -> tuple[int, float]:
        """Slow requests since a moment of the monotonic clock that are the machine's, and for how many milliseconds it
        stood still at the longest then. Waits for the scrape that counts the last of them."""
        time.sleep(SCRAPE_SECONDS + AFTERMATH)
        if self.heart.poll() is not None:
            said = self.heart.stderr.read().strip().splitlines()
            raise Invalid(f"the beat on core {SERVER_CORE} has ended, which only root may ask for: {said[-1:]}")
        still = [(second.slow, second.stood_still(self.beats)) for second in self.seconds if second.end > begin]
        machines = [(slow, ms) for slow, ms in still if slow > 0 and ms > 0]
        return sum(slow for slow, _ in machines), max((ms for _, ms in machines), default=0.0)
