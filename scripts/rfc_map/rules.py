"""Rows of what must hold, in our own words, each with the tests that show it: docs/rfc/rfc*.toml and docs/hostile/*.toml.

Each file has a table [subject] and rows [[rule]]. A row has `rule`, and exactly one of `test`, `not` and `later`, or
`test` with `later` for what is done in part. docs/rfc/README.md says what each key means.
"""

import tomllib
from dataclasses import dataclass, field

from .quotations import one_line

KEYS = {"section", "who", "rule", "stops", "test", "not", "later"}
# Run apart from the other tests, with programs that are installed for them.
END_TO_END = "ringway::end_to_end::"


@dataclass
class Rule:
    """One thing that must hold."""

    rule: str
    section: str = ""
    who: str = ""
    stops: str = ""
    tests: list = field(default_factory=list)
    why_not: str = ""
    later: str = ""


@dataclass
class Subject:
    """The rules of one file."""

    name: str
    title: str
    number: str
    about: str
    rules: list


def read(paths):
    """Reads files in the order in which they are given. Gives (subjects, faults)."""
    subjects, faults = [], []
    for path in paths:
        try:
            table = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            faults.append(f"{path.name}: {error}")
            continue
        head = table.get("subject", {})
        subject = Subject(
            path.name, one_line(head.get("title", "")), str(head.get("number", "")), one_line(head.get("about", "")), []
        )
        if not subject.title:
            faults.append(f"{path.name}: [subject] has no title")
        for row in table.get("rule", []):
            rule = Rule(
                rule=one_line(row.get("rule", "")),
                section=str(row.get("section", "")),
                who=str(row.get("who", "")),
                stops=one_line(row.get("stops", "")),
                tests=list(row.get("test", [])),
                why_not=one_line(row.get("not", "")),
                later=one_line(row.get("later", "")),
            )
            subject.rules.append(rule)
            faults += [f"{path.name}: {rule.rule[:60]}…: {fault}" for fault in faults_of(row, rule)]
        if not subject.rules:
            faults.append(f"{path.name} has no rule")
        subjects.append(subject)
    return subjects, faults


def faults_of(row, rule):
    """What is wrong with one row."""
    if unknown := sorted(set(row) - KEYS):
        yield f"unknown key {', '.join(unknown)}"
    if not rule.rule:
        yield "says no rule"
    given = [key for key in ("test", "not", "later") if row.get(key)]
    if len(given) != 1 and given not in (["test", "not"], ["test", "later"]):
        yield f"needs one of `test`, `not` and `later`; has {' and '.join(given) or 'none'}"
    if len(rule.tests) != len(set(rule.tests)):
        yield "names a test twice"


def unknown_tests(subjects, known):
    """The named tests that no source file defines."""
    for subject in subjects:
        for rule in subject.rules:
            for name in rule.tests:
                if name not in known:
                    yield f"{subject.name}: no source file has the test {name}"


def not_passed(subjects, run):
    """The named tests that did not run, or did not pass; end to end they run apart."""
    for subject in subjects:
        for rule in subject.rules:
            for name in rule.tests:
                verdict = run.verdict(name)
                if verdict != "passed" and not name.startswith(END_TO_END):
                    yield f"{subject.name}: the test {name} {verdict}"


def verdict(rule, escape):
    """What becomes of the rule, as a cell of a table."""
    lines = [f"`{name}`" for name in rule.tests]
    if rule.why_not:
        lines.insert(0, f"not: {escape(rule.why_not)}")
    if rule.later:
        lines.append(f"{'*still to come*' if rule.tests else 'later'}: {escape(rule.later)}")
    return "<br>".join(lines)


def counts(subjects):
    """How many rules there are, how many of them are shown by tests, and how many wait."""
    rules = [rule for subject in subjects for rule in subject.rules]
    return len(rules), sum(bool(rule.tests) for rule in rules), sum(bool(rule.later) for rule in rules)
