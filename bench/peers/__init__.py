"""Ringway beside its peers: what scripts/bench-peers and scripts/bench-scale are made of."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent

# The tenant, and the realm of its challenges. kamailio.cfg names it too.
DOMAIN = "bench.example"

# The server has one core to itself, and generator and script share another.
SERVER_CORE = 0
GENERATOR_CORE = 1


class Invalid(Exception):
    """A run whose figures are not to be used; the text says why."""


class Unable(Exception):
    """The benchmark cannot go on; the text says what to do."""
