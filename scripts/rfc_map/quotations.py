"""The quoted sentences: docs/rfc/*/*.toml, read and checked. docs/rfc/README.md says what each key means."""

import re
import tomllib
from dataclasses import dataclass, field

KEYWORD = re.compile(
    r"\b(MUST NOT|MUST|SHALL NOT|SHALL|SHOULD NOT|SHOULD|NOT RECOMMENDED|RECOMMENDED|REQUIRED)\b"
)
WHO = {"UAC", "UAS", "registrar", "redirect server", "proxy", "transaction", "transport", "everyone"}
KEYS = {"id", "step", "who", "context", "text", "items", "amended", "test", "not", "later"}
VERDICTS = ("test", "not", "later")


@dataclass
class Sentence:
    """One normative sentence and what becomes of it."""

    id: str
    who: str
    text: str
    step: int | None = None
    context: str = ""
    items: list = field(default_factory=list)
    amended: str = ""
    tests: list = field(default_factory=list)
    why_not: str = ""
    later: str = ""

    @property
    def section(self):
        """The number of the RFC's section that it stands in, such as 16.7."""
        return self.id.rsplit("-", 1)[0]

    @property
    def keywords(self):
        """Its MUSTs and SHOULDs, in order."""
        return KEYWORD.findall(self.text)


@dataclass
class Section:
    """One section of the RFC with what is below it."""

    number: str
    title: str
    keyword_count: int
    sentences: list


def read(folder):
    """Reads every file of the folder, in the order of the sections. Gives (sections, faults)."""
    sections, faults = [], []
    for path in sorted(folder.glob("*.toml")):
        try:
            table = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            faults.append(f"{path.name}: {error}")
            continue
        section, section_faults = read_section(table)
        sections.append(section)
        faults += [f"{path.name}: {fault}" for fault in section_faults]
    if not sections:
        faults.append(f"{folder} has no quotations")
    sections.sort(key=lambda section: [int(part) for part in section.number.split(".")])
    return sections, faults


def read_section(table):
    """Reads one parsed file. Gives (section, faults)."""
    faults = []
    head = table.get("section", {})
    section = Section(str(head.get("number", "0")), head.get("title", ""), head.get("keywords", 0), [])
    ordinals = {}
    for row in table.get("sentence", []):
        sentence = read_sentence(row)
        section.sentences.append(sentence)
        faults += [f"{sentence.id}: {fault}" for fault in faults_of(row, sentence)]
        ordinal = ordinals[sentence.section] = ordinals.get(sentence.section, 0) + 1
        if sentence.id != f"{sentence.section}-{ordinal}" or not is_within(sentence.section, section.number):
            faults.append(f"{sentence.id}: out of order, {sentence.section}-{ordinal} was expected")
    count = sum(len(sentence.keywords) for sentence in section.sentences)
    if count != section.keyword_count:
        faults.append(f"{count} MUSTs and SHOULDs are quoted, the RFC's section has {section.keyword_count}")
    return section, faults


def is_within(number, section):
    """Whether a section is that one, or one of its own."""
    return f"{number}.".startswith(f"{section}.")


def read_sentence(row):
    """One row as a Sentence; what is missing is left empty."""
    return Sentence(
        id=str(row.get("id", "?-0")),
        who=str(row.get("who", "")),
        text=one_line(row.get("text", "")),
        step=row.get("step"),
        context=one_line(row.get("context", "")),
        items=[one_line(item) for item in row.get("items", [])],
        amended=one_line(row.get("amended", "")),
        tests=list(row.get("test", [])),
        why_not=one_line(row.get("not", "")),
        later=one_line(row.get("later", "")),
    )


def faults_of(row, sentence):
    """What is wrong with one row."""
    if unknown := sorted(set(row) - KEYS):
        yield f"unknown key {', '.join(unknown)}"
    if not sentence.keywords:
        yield "quotes no MUST and no SHOULD"
    if sentence.who not in WHO:
        yield f"`who` is one of {', '.join(sorted(WHO))}"
    given = [key for key in VERDICTS if row.get(key)]
    if len(given) != 1 and given != ["test", "not"]:
        yield f"needs exactly one of `test`, `not` and `later`, or `not` with `test`; has {' and '.join(given) or 'none'}"
    if len(sentence.tests) != len(set(sentence.tests)):
        yield "names a test twice"


def sentences(sections):
    """Every sentence of every section."""
    return (sentence for section in sections for sentence in section.sentences)


def one_line(text):
    """The text with each run of white space as one space."""
    return " ".join(str(text).split())
