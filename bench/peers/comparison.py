"""CPU time, throughput and latency by workload: Ringway, Kamailio and the floor in turning order."""

from dataclasses import asdict, dataclass, field

from . import Invalid
from .bench import Bench, Lengths, say
from .figures import Figure, ratios, steady, turning_order
from .generator import WINDOW, cpu_us, latency_us
from .scraper import Scraper
from .servers import Server
from .workloads import Workload

# Latency is measured at this share of what Kamailio carries at most: both have room, and neither a queue of its own.
LATENCY_SHARE = 0.4


@dataclass
class Sample:
    """What one server showed in one repetition of one workload. Times are in microseconds."""

    cpu: float
    throughput: float
    # Throughput is what the generator could do, not what the server can.
    is_generator_bound: bool
    p50: float | None = None
    p99: float | None = None
    # The generator's whole reports: at saturation, and at the fixed rate.
    reports: list[dict] = field(default_factory=list)


@dataclass
class Row:
    """A workload with all its repetitions, in order; `None` stands for a run that was not to be used."""

    workload: Workload
    # Operations a second at which latency was measured.
    rate: int
    samples: dict[str, list[Sample | None]]

    def figure(self, server: str, name: str) -> Figure | None:
        return Figure.of(self.values(server, name))

    def values(self, server: str, name: str) -> list[float | None]:
        return [sample and getattr(sample, name) for sample in self.samples.get(server, [])]

    @property
    def ratio(self) -> Figure | None:
        """Ringway's CPU time to Kamailio's."""
        return Figure.of(ratios(self.values("ringway", "cpu"), self.values("kamailio", "cpu")))

    @property
    def above_floor(self) -> Figure | None:
        """The same ratio of what each takes beyond the kernel's share, which no server can save."""
        floor = self.values("floor", "cpu")
        return Figure.of(ratios(above(self.values("ringway", "cpu"), floor), above(self.values("kamailio", "cpu"), floor)))

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is met; `None` without a ratio."""
        bar = self.workload.bar
        return None if self.ratio is None or bar is None else self.ratio.median <= bar

    def is_generator_bound(self, server: str) -> bool:
        return any(sample and sample.is_generator_bound for sample in self.samples.get(server, []))

    def to_json(self) -> dict:
        samples = {server: [sample and asdict(sample) for sample in found] for server, found in self.samples.items()}
        ratio = self.ratio and asdict(self.ratio)
        return {"workload": asdict(self.workload), "rate": self.rate, "ratio": ratio, "met": self.is_met, "samples": samples}


def above(values: list[float | None], floor: list[float | None]) -> list[float | None]:
    """What is left of each value above the floor of its repetition.

    >>> above([5.0, 3.0, None], [4.0, None, 1.0])
    [1.0, None, None]
    """
    return [value - base if value is not None and base is not None else None for value, base in zip(values, floor)]


class Comparison:
    """Runs workloads and keeps what went wrong."""

    def __init__(self, bench: Bench, lengths: Lengths, users: int):
        self.bench = bench
        self.lengths = lengths
        self.users = users
        self.faults: list[str] = []

    def run(self, workload: Workload) -> Row:
        # The floor sends datagrams back, and nothing on streams.
        floor = [] if workload.is_stream else ["floor"]
        names = ["kamailio", *floor] if workload.ringway_lacks else ["ringway", "kamailio", *floor]
        row = Row(workload, self.latency_rate(workload), {name: [] for name in names})
        for repetition in range(self.lengths.repetitions):
            for name in turning_order(names, repetition):
                row.samples[name].append(self.sample(name, workload, row.rate, repetition))
        return row

    def latency_rate(self, workload: Workload) -> int:
        """Finds what Kamailio carries, and takes its share of it."""
        try:
            with self.bench.server("kamailio", workload, self.users) as server:
                report = self.load(server, workload, self.lengths.seconds, "--window", str(WINDOW))
                return steady(report["throughput"] * LATENCY_SHARE)
        except Invalid as fault:
            self.faults.append(f"{workload.name}, finding a rate: {fault}")
            return 1000

    def sample(self, name: str, workload: Workload, rate: int, repetition: int) -> Sample | None:
        """One server once: started, loaded as much as it takes, then at the rate."""
        where = f"{workload.name}, repetition {repetition + 1}"
        found = None
        try:
            with self.bench.server(name, workload, self.users) as server:
                with Scraper(getattr(server, "metrics_url", None)):
                    busy = self.load(server, workload, self.lengths.seconds, "--window", str(WINDOW))
                    is_generator_bound = busy["verdict"]["kind"] == "generator_bound"
                    found = Sample(cpu_us(busy), busy["throughput"], is_generator_bound, reports=[busy])
                    calm = self.load(server, workload, self.lengths.seconds, "--rate", str(rate), is_first=False)
                    found.p50, found.p99 = latency_us(calm, "p50"), latency_us(calm, "p99")
                    found.reports.append(calm)
        except Invalid as fault:
            what = f"{where}: {'no CPU time' if found is None else 'no latency'}: {fault}"
            self.faults.append(what)
            say(what)
        if found:
            say(f"{where}: {name} {found.cpu:.2f} us, {found.throughput:,.0f}/s, p99 {found.p99 or 0:,.0f} us at {rate:,}/s")
        return found

    def load(self, server: Server, workload: Workload, seconds: float, *arrivals: str, is_first: bool = True) -> dict:
        """Registers everybody at first, and runs the workload."""
        # Who refreshes must learn a nonce in each run of the generator, and on streams a binding ends with its connection.
        is_set_up = not is_first and workload.scenario != "refresh" and not workload.is_stream
        setup = "--no-setup" if is_set_up else "--register-first"
        options = ["--duration", str(seconds), "--warm-up", str(self.lengths.warm_up), setup, *arrivals]
        generator = self.bench.generator_with(workload.addresses, workload.transport)
        return generator.run(server, self.bench.users(self.users), workload.scenario, *options)
