"""The extensions of the benchmark, as one CSV that Ringway imports and ringway-load reads."""

import random
from pathlib import Path

FIRST_NUMBER = 1_000_000


def write(path: Path, count: int, in_any_order: bool = False) -> Path:
    """Writes `count` extensions, by their numbers or in an order that is random and the same each time. Their passwords follow
    from their auth names, as kamailio.cfg expects."""
    numbers = list(range(FIRST_NUMBER, FIRST_NUMBER + count))
    if in_any_order:
        random.Random(count).shuffle(numbers)
    with path.open("w", encoding="ascii") as file:
        file.write("extension_number,auth_name,extension_password,email\n")
        file.writelines(row(number) for number in numbers)
    return path


def row(number: int) -> str:
    """
    >>> row(1000000)
    '1000000,1000000,pw-1000000,u1000000@bench.example\\n'
    """
    return f"{number},{number},pw-{number},u{number}@bench.example\n"
