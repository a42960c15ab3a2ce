"""The extensions of the benchmark, as one CSV that Ringway imports and ringway-load reads."""

from pathlib import Path

FIRST_NUMBER = 1_000_000


def write(path: Path, count: int) -> Path:
    """Writes `count` extensions. Their passwords follow from their auth names, as kamailio.cfg expects."""
    with path.open("w", encoding="ascii") as file:
        file.write("extension_number,auth_name,extension_password,email\n")
        file.writelines(row(FIRST_NUMBER + index) for index in range(count))
    return path


def row(number: int) -> str:
    """
    >>> row(1000000)
    '1000000,1000000,pw-1000000,u1000000@bench.example\\n'
    """
    return f"{number},{number},pw-{number},u{number}@bench.example\n"
