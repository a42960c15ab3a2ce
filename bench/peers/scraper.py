"""Reads a node's metrics once a second, as Prometheus would, so that this is part of what is measured."""

import threading
import urllib.request


class Scraper:
    """A thread that scrapes until it is left; with no URL it does nothing."""

    def __init__(self, url: str | None, seconds: float = 1.0):
        self.url = url
        self.seconds = seconds
        self.scrapes = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        while not self.done.wait(self.seconds):
            scrape(self.url)
            self.scrapes += 1

    def __enter__(self) -> "Scraper":
        if self.url:
            self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.done.set()
        if self.url:
            self.thread.join()


def scrape(url: str) -> str:
    """The metrics as text; empty when the node does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def slower_than(metrics: str, seconds: float, name: str = "ringway_sip_request_duration_seconds") -> dict[str, int]:
    """How many requests of each method took longer, by a histogram's buckets.

    >>> text = '''ringway_sip_request_duration_seconds_bucket{method="REGISTER",le="0.001"} 5
    ... ringway_sip_request_duration_seconds_bucket{method="REGISTER",le="0.005"} 7
    ... ringway_sip_request_duration_seconds_bucket{method="REGISTER",le="+Inf"} 8'''
    >>> slower_than(text, 0.005)
    {'REGISTER': 1}
    """
    within: dict[str, int] = {}
    total: dict[str, int] = {}
    for labels, value in samples(metrics, f"{name}_bucket"):
        bound = float(labels["le"])
        method = labels["method"]
        if bound <= seconds * 1.000001:
            within[method] = max(within.get(method, 0), int(float(value)))
        total[method] = max(total.get(method, 0), int(float(value)))
    return {method: count - within.get(method, 0) for method, count in total.items()}


def samples(metrics: str, name: str) -> list[tuple[dict[str, str], str]]:
    """The samples of a series.

    >>> samples('a{b="c",d="e"} 1', "a")
    [({'b': 'c', 'd': 'e'}, '1')]
    """
    found = []
    for line in metrics.splitlines():
        series, _, value = line.rpartition(" ")
        if series == name or series.startswith(name + "{"):
            pairs = [pair.partition("=") for pair in series[len(name) :].strip("{}").split(",") if pair]
            found.append(({key: text.strip('"') for key, _, text in pairs}, value))
    return found


def value(metrics: str, name: str) -> float:
    """The sum of a series over its labels."""
    return sum(float(text) for _, text in samples(metrics, name))
