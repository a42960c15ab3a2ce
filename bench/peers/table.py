"""The tables, in Markdown, for people and for pasting."""

from .comparison import Row
from .figures import Figure
from .memory import Line


def header(facts: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def cpu(rows: list[Row]) -> str:
    """CPU time an operation."""
    lines = [
        "| workload | Ringway us/op | Kamailio us/op | ratio | bar | met? | floor us/op | ratio above the floor |",
        "|---|---:|---:|---:|---:|---|---:|---:|",
    ]
    for row in rows:
        ours = row.workload.ringway_lacks or spread(row.figure("ringway", "cpu"))
        cells = [ours, spread(row.figure("kamailio", "cpu")), spread(row.ratio, 3), bar(row.workload.bar)]
        floor = [spread(row.figure("floor", "cpu")), spread(row.above_floor)]
        lines.append(line(row.workload.title, *cells, answer(row.is_met), *floor))
    return "\n".join(lines)


def throughput(rows: list[Row]) -> str:
    """Throughput at saturation, latency at a rate that all sustain."""
    lines = [
        "| workload | Ringway op/s | Kamailio op/s | floor op/s | latency at | Ringway p50, p99 us | Kamailio p50, p99 us | floor p50, p99 us |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        rates = [rate(row, server) for server in ("ringway", "kamailio", "floor")]
        latencies = [quantiles(row, server) for server in ("ringway", "kamailio", "floor")]
        lines.append(line(row.workload.title, *rates, f"{row.rate:,}/s", *latencies))
    if any(row.is_generator_bound(server) for row in rows for server in row.samples):
        lines += ["", "(g): the generator was the bottleneck; the server can do more. CPU time an operation still holds."]
    return "\n".join(lines)


def memory(lines_: list[Line]) -> str:
    lines = ["| memory, bytes each | Ringway | Kamailio | bar | met? |", "|---|---:|---:|---:|---|"]
    for found in lines_:
        cells = [spread(found.ringway, 0), spread(found.kamailio, 0), number(found.bar), answer(found.is_met)]
        lines.append(line(found.what, *cells))
    return "\n".join(lines)


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def spread(figure: Figure | None, digits: int = 2) -> str:
    """
    >>> spread(Figure(2.0, 1.5, 3.25))
    '**2.00** (1.50..3.25)'
    >>> spread(None)
    '-'
    """
    if figure is None:
        return "-"
    return f"**{figure.median:,.{digits}f}** ({figure.least:,.{digits}f}..{figure.most:,.{digits}f})"


def bar(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def rate(row: Row, server: str) -> str:
    mark = " (g)" if row.is_generator_bound(server) else ""
    return f"{spread(row.figure(server, 'throughput'), 0)}{mark}"


def quantiles(row: Row, server: str) -> str:
    p50, p99 = row.figure(server, "p50"), row.figure(server, "p99")
    return f"{spread(p50, 0)}, {spread(p99, 0)}" if p50 and p99 else "-"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def answer(is_met: bool | None) -> str:
    return {None: "-", True: "yes", False: "**no**"}[is_met]
