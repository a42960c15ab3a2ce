"""What processes use, as the kernel accounts for it."""

from pathlib import Path

PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    pids = [pid]
    for parent in pids:
        for task in (PROC / str(parent) / "task").glob("*/children"):
            pids += [int(child) for child in read(task).split()]
    return pids


def memory(pids: list[int]) -> int:
    """Bytes of memory in use. What the processes share counts once (proportional set size)."""
    return sum(pss(read(PROC / str(pid) / "smaps_rollup")) for pid in pids)


def pss(rollup: str) -> int:
    """
    >>> pss("Rss:   90 kB\\nPss:   8 kB\\nPss_Dirty:   1 kB\\n")
    8192
    """
    return sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))


def processor_seconds(pids: list[int]) -> float:
    """How long their threads have had a processor, those that have ended left out."""
    tasks = (task for pid in pids for task in (PROC / str(pid) / "task").glob("*/schedstat"))
    return sum(int((read(task) or "0").split()[0]) for task in tasks) / 1e9


def stolen_ticks() -> int:
    """Time that the hypervisor gave to others, in ticks of all cores."""
    return int(read(PROC / "stat").split("\n", 1)[0].split()[8])


def read(path: Path) -> str:
    """A file's text; empty when the process or thread is gone."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
