"""Writes docs/rfc-map.md."""

from . import rules
from .quotations import KEYWORD

INTRODUCTION = """\
# RFC {rfc}: each MUST and SHOULD, and the test that keeps it

Written by `scripts/rfc-map` from `docs/rfc/{rfc}/*.toml`; edit those, not this page. `docs/rfc/README.md` says how, and
whose words the sentences are.

Every normative sentence of {sections} stands here in the RFC's order: those with MUST, SHALL,
REQUIRED, SHOULD or RECOMMENDED, with or without NOT. A sentence is **kept** when a test proves it (`scripts/test` fails
when such a test is missing, does not run or does not pass), **not** kept when it asks something of others or we depart
from it on purpose (a test there shows what we do instead), and **later** when it is ours and not yet done or not yet
proven. *Amended* names the later RFC that changed it; the test then proves the amended rule. Words in italics stand
before the sentence in the RFC, where they are needed to understand it.
"""


def page(rfc, sections):
    """The whole page of an RFC."""
    numbers = [section.number for section in sections]
    named = f"sections {', '.join(numbers[:-1])} and {numbers[-1]}" if len(numbers) > 1 else f"section {numbers[0]}"
    return "\n".join([INTRODUCTION.format(rfc=rfc, sections=named), summary(sections), *(render_section(section) for section in sections)])


RULES = """\
# RFC {rfc}: its rules in our words, and the tests that keep them

Written by `scripts/rfc-map` from `docs/rfc/rfc{rfc}.toml`; edit that, not this page. `scripts/test` fails when a test that is named here is missing, does not run or does not pass.
"""


def rules_page(subject):
    """The whole page of an RFC whose rules are in our own words."""
    rows = [RULES.format(rfc=subject.number)]
    if subject.about:
        rows.append(f"{subject.about}\n")
    rows += ["| section | who | rule | verdict |", "|---|---|---|---|"]
    for rule in subject.rules:
        verdict = rules.verdict(rule, escape)
        rows.append(f"| {rule.section} | {rule.who} | {escape(rule.rule)} | {verdict} |")
    return "\n".join(rows) + "\n"


def summary_line(sections):
    """One line for a terminal."""
    kept, why_not, later, total, keywords = counts([s for section in sections for s in section.sentences])
    return f"{total} sentences with {keywords} MUSTs and SHOULDs: {kept} kept by tests, {why_not} not, {later} later"


def counts(sentences):
    """How many are kept, not kept and later; how many there are, and how many keywords."""
    kept = sum(bool(sentence.tests) and not sentence.why_not for sentence in sentences)
    why_not = sum(bool(sentence.why_not) for sentence in sentences)
    later = sum(bool(sentence.later) for sentence in sentences)
    return kept, why_not, later, len(sentences), sum(len(sentence.keywords) for sentence in sentences)


def summary(sections):
    rows = ["| section | sentences | MUST and SHOULD | kept | not | later |", "|---|---:|---:|---:|---:|---:|"]
    for section in sections:
        kept, why_not, later, total, keywords = counts(section.sentences)
        rows.append(f"| {section.number} {section.title} | {total} | {keywords} | {kept} | {why_not} | {later} |")
    kept, why_not, later, total, keywords = counts([s for section in sections for s in section.sentences])
    rows.append(f"| **all** | **{total}** | **{keywords}** | **{kept}** | **{why_not}** | **{later}** |")
    return "\n".join(rows) + "\n"


def render_section(section):
    rows = [
        f"## {section.number} {section.title}\n",
        "| row | who | keyword | sentence | verdict |",
        "|---|---|---|---|---|",
    ]
    for sentence in section.sentences:
        step = f" ({sentence.step})" if sentence.step is not None else ""
        keywords = ", ".join(sentence.keywords)
        rows.append(f"| {sentence.id}{step} | {sentence.who} | {keywords} | {words(sentence)} | {verdict(sentence)} |")
    return "\n".join(rows) + "\n"


def words(sentence):
    """The sentence, its keywords in bold, behind its context and in front of its list."""
    text = KEYWORD.sub(lambda match: f"**{match[0]}**", escape(sentence.text))
    if sentence.context:
        text = f"*{escape(sentence.context)}* {text}"
    return "<br>– ".join([text, *map(escape, sentence.items)])


def verdict(sentence):
    """What becomes of the sentence: the verdict, the tests, and the RFC that amended it."""
    lines = [f"`{name}`" for name in sentence.tests]
    if sentence.why_not:
        lines.insert(0, f"not: {escape(sentence.why_not)}")
    elif sentence.later:
        lines.insert(0, f"later: {escape(sentence.later)}")
    else:
        lines[0] = f"kept: {lines[0]}"
    if sentence.amended:
        lines.append(f"*Amended*: {escape(sentence.amended)}")
    return "<br>".join(lines)


def escape(text):
    """The text as Markdown shows it unchanged in a table."""
    for mark in "\\`*_|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("<", "&lt;").replace(">", "&gt;")
