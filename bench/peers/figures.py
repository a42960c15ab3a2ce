"""Medians and spreads."""

from dataclasses import dataclass
from statistics import median
from typing import Iterable


@dataclass(frozen=True)
class Figure:
    """The median of what several repetitions found, and its spread."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Figure | None":
        """
        >>> Figure.of([3.0, 1.0, None, 2.0])
        Figure(median=2.0, least=1.0, most=3.0)
        >>> Figure.of([None]) is None
        True
        """
        known = [value for value in values if value is not None]
        return cls(median(known), min(known), max(known)) if known else None


def ratios(ours: list[float | None], theirs: list[float | None]) -> list[float | None]:
    """Ours to theirs, each repetition by itself, so that what slowed both down cancels out.

    >>> ratios([1.0, None, 3.0], [2.0, 2.0, None])
    [0.5, None, None]
    """
    return [our / their if our is not None and their else None for our, their in zip(ours, theirs)]


def turning_order(names: list[str], repetition: int) -> list[str]:
    """Who goes first changes with each repetition.

    >>> [turning_order(["A", "B", "F"], repetition) for repetition in range(4)]
    [['A', 'B', 'F'], ['B', 'A', 'F'], ['F', 'A', 'B'], ['F', 'B', 'A']]
    """
    first, second, *rest = names if len(names) > 1 else [*names, ""]
    pair = [second, first] if repetition % 2 else [first, second]
    order = pair + rest if repetition % 4 < 2 else rest + pair
    return [name for name in order if name]


def steady(rate: float) -> int:
    """A rate in two significant digits, so that runs of one machine can be compared.

    >>> steady(40123.0), steady(1962.0), steady(7.4)
    (40000, 2000, 7)
    """
    digits = max(0, len(str(int(rate))) - 2)
    return max(1, int(round(rate, -digits)))
