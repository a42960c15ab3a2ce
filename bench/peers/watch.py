"""Slow requests, second by second, and whether the machine stood still in that second.

A virtual machine is put aside by its host for milliseconds at a time, and then every request that waits is slow,
whatever the server does. A beat on the server's core finds this out: when it is late, and the server was not charged
with the time either, then the host had the core, or the kernel for something that can't be moved away. A beat on the
generator's core finds out that a datagram was on its way: on loopback it is stamped and delivered by its sender, and where
the sender is put aside in between, it seems to have waited for the server. A late beat excuses no more requests than can
have waited for it.
"""

import math
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from . import GENERATOR_CORE, HERE, SERVER_CORE, Invalid
from .scraper import scrape, slower_than
from .servers import Server, pinned

# A beat that is late is the machine's when the server had less than this share of the time.
SHARE = 0.5
# A beat that is late by less than this excuses nothing, in milliseconds: the rest of a request's 5 is the server's.
EXCUSE_MS = 4.0
# A scrape may fail so often in a row.
FAILED_SCRAPES = 3
SCRAPE_SECONDS = 1.0
# A request that waited is counted a little after what held it up.
AFTERMATH = 0.1


@dataclass(frozen=True)
class Late:
    """A beat that came late: at this second, by so many milliseconds, of which the server had so many."""

    at: float
    late_ms: float
    server_ms: float
    core: int = SERVER_CORE

    @property
    def is_machines(self) -> bool:
        return self.core != SERVER_CORE or self.server_ms < SHARE * self.late_ms


@dataclass(frozen=True)
class Second:
    """What was counted between two scrapes."""

    begin: float
    end: float
    slow: int

    def excused(self, beats: list[Late], rate: float, limit: float) -> tuple[int, float]:
        """How many of its slow requests can have waited for the machine, when `rate` came a second and more than `limit`
        seconds are slow, and for how many milliseconds it stood still at the longest.

        >>> beats = [Late(9.95, 7.0, 0.5), Late(10.5, 6.0, 5.9), Late(10.6, 3.0, 0.0)]
        >>> Second(10.0, 11.0, 300).excused(beats, 20_000, 0.005)
        (240, 7.0)
        >>> Second(11.0, 12.0, 1).excused(beats, 20_000, 0.005)
        (0, 0.0)
        """
        near = [beat for beat in beats if self.begin - AFTERMATH < beat.at < self.end + AFTERMATH]
        mine = [beat.late_ms for beat in near if beat.is_machines and beat.late_ms >= EXCUSE_MS]
        waited = sum(math.ceil(rate * (late_ms / 1e3 + limit)) for late_ms in mine)
        return min(self.slow, waited), max(mine, default=0.0)


class Watch:
    """Scrapes a node once a second, as Prometheus would, and listens to the beat on its core, until it is left."""

    def __init__(self, server: Server, url: str, limit: float):
        self.server = server
        self.url = url
        self.limit = limit
        self.seconds: list[Second] = []
        self.beats: list[Late] = []
        self.failed = 0
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.scrapes, daemon=True)]
        self.hearts: dict[int, subprocess.Popen] = {}

    def __enter__(self) -> "Watch":
        command = [sys.executable, "-B", "-m", "peers.heartbeat", str(self.server.process.pid)]
        options = {"cwd": HERE.parent, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        for core in (SERVER_CORE, GENERATOR_CORE):
            heart = self.hearts[core] = subprocess.Popen(pinned((core,), command), **options)
            self.threads.append(threading.Thread(target=self.listens, args=(core, heart), daemon=True))
        for thread in self.threads:
            thread.start()
        time.sleep(0.5)
        self.check()
        return self

    def __exit__(self, *_) -> None:
        self.done.set()
        for heart in self.hearts.values():
            heart.terminate()
            heart.wait()
        for thread in self.threads:
            thread.join()

    def check(self) -> None:
        """`Invalid` when there is no beat, or the node is not scraped."""
        for core, heart in self.hearts.items():
            if heart.poll() is not None:
                said = heart.stderr.read().strip().splitlines()
                raise Invalid(f"there is no beat on core {core}, which only root may ask for: {said[-1:]}")
        if self.failed >= FAILED_SCRAPES:
            raise Invalid(f"{self.url} did not answer {self.failed} times in a row")

    def scrapes(self) -> None:
        begin, before = time.monotonic(), self.slow()
        while not self.done.wait(SCRAPE_SECONDS):
            end, now = time.monotonic(), self.slow()
            # What a scrape that failed would have counted is in the next one.
            if now is not None and before is not None:
                self.seconds.append(Second(begin, end, now - before))
            if now is not None:
                begin, before = end, now

    def listens(self, core: int, heart: subprocess.Popen) -> None:
        for line in heart.stdout:
            self.beats.append(Late(*map(float, line.split()), core))

    def slow(self) -> int | None:
        """Slow requests since the node's start; `None` when it does not answer."""
        metrics = scrape(self.url)
        self.failed = 0 if metrics else self.failed + 1
        return sum(slower_than(metrics, self.limit).values()) if metrics else None

    def machines(self, since: float, rate: float) -> tuple[int, float]:
        """Slow requests since a moment of the monotonic clock that are the machine's, of `rate` that came a second, and for how
        many milliseconds it stood still at the longest then. Waits for the scrape that counts the last of them."""
        time.sleep(SCRAPE_SECONDS + AFTERMATH)
        self.check()
        excused = [second.excused(self.beats, rate, self.limit) for second in self.seconds if second.begin >= since]
        return sum(count for count, _ in excused), max((ms for count, ms in excused if count), default=0.0)
