"""Reads what a test run printed: `cargo test` with its standard error, or `cargo nextest run`."""

import re

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
RUNNING = re.compile(r"^\s*Running (unittests )?\S+ \(.*?([^/\\]+)-[0-9a-f]+(?:\.exe)?\)")
DOC_TESTS = re.compile(r"^\s*Doc-tests ")
CARGO_LINE = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (.*)$")
NEXTEST_LINE = re.compile(r"^\s*(?:TRY \d+ )?([A-Z]+)\s+\[[^\]]*\]\s+(?:\(\s*\d+/\d+\)\s+)?(\S+)\s+(\S+)\s*$")


class Run:
    """Which tests ran, and how they ended."""

    def __init__(self):
        self.verdicts = {}

    def record(self, owner, path, passed, skipped=False):
        """One result; of several with one name the worst stands."""
        verdict = "passed" if passed else "was ignored in this run" if skipped else "failed"
        key = (owner, path)
        if self.verdicts.get(key) != "failed":
            self.verdicts[key] = verdict

    def verdict(self, name):
        """`passed`, or what else happened, as the end of a sentence."""
        crate, _, path = name.partition("::")
        file, _, inner = path.partition("::")
        # Cargo does not say which package a test beside the library belongs to; nextest does.
        for key in ((crate, path), (f"{crate}::{file}", inner), (f"*::{file}", inner)):
            if key in self.verdicts:
                return self.verdicts[key]
        return "did not run"


def read(output):
    """The run that printed `output`."""
    run, owner = Run(), None
    for line in COLOUR.sub("", output).splitlines():
        if match := RUNNING.match(line):
            owner = match[2].replace("-", "_") if match[1] else f"*::{match[2]}"
        elif DOC_TESTS.match(line):
            owner = None
        elif (match := CARGO_LINE.match(line)) and owner:
            run.record(owner, match[1], match[2].strip().startswith("ok"), match[2].strip().startswith("ignored"))
        elif match := NEXTEST_LINE.match(line):
            record_nextest(run, *match.groups())
    return run


def record_nextest(run, status, binary, path):
    """A line of nextest, where `binary` is package, package::file or package::bin/name."""
    if status not in ("PASS", "LEAK", "FAIL", "ABORT", "TIMEOUT", "SKIP") and not status.startswith("SIG"):
        return
    package, _, file = binary.partition("::")
    owner = package.replace("-", "_")
    if file and not file.startswith("bin/"):
        owner = f"{owner}::{file}"
    run.record(owner, path, status in ("PASS", "LEAK"), status == "SKIP")
