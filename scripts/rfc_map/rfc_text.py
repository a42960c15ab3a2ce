"""Compares the quotations with the RFC's own text, as https://www.rfc-editor.org/rfc/rfcNNNN.txt has it.

The text is not in this tree; docs/rfc/README.md says where the quotations are from.
"""

import re

from .quotations import KEYWORD, is_within, one_line

HEADING = re.compile(r"^(\d+(?:\.\d+)*)\.? +[A-Z].*$")
PAGE_BREAK = re.compile(
    r"\s*\n\S[^\n]* +Standards Track +\[Page \d+\]\s+"
    r"RFC \d+ +[^\n]*\n\s*?\n(?=[ \d])"
)
BROKEN_WORD = re.compile(r"(?<=\w)-\n\s*(?=\w)")
# Stands between two paragraphs, so that no quotation runs across them.
BREAK = " ¶ "


def differences(sections, text):
    """What is quoted otherwise than the RFC has it, in another order, or not at all."""
    faults = []
    of_rfc = split(text)
    for section in sections:
        parts = {number: part for number, part in of_rfc.items() if is_within(number, section.number)}
        count = sum(len(KEYWORD.findall(part)) for part in parts.values())
        if count != section.keyword_count:
            faults.append(f"section {section.number}: the RFC has {count} MUSTs and SHOULDs, not {section.keyword_count}")
        for number, part in parts.items():
            quoted = [sentence for sentence in section.sentences if sentence.section == number]
            faults += compare(number, part, quoted)
        for sentence in section.sentences:
            if sentence.section not in parts:
                faults.append(f"{sentence.id}: the RFC has no such section")
    return faults


def compare(number, part, quoted):
    """The faults of one section's quotations, which are sought in the order in which they stand."""
    covered, at = [], 0
    for sentence in quoted:
        start = part.find(sentence.text, at)
        if start < 0:
            yield f"{sentence.id}: not in section {number} in these words, or not in this order"
            continue
        at = start + len(sentence.text)
        covered.append((start, at))
        if not is_whole(part, start, at):
            yield f"{sentence.id}: is not a whole sentence"
        for extra in [sentence.context, *sentence.items]:
            if any(piece not in part for piece in extra.split(" … ")):
                yield f"{sentence.id}: its context is not in section {number} in these words"
    for match in KEYWORD.finditer(part):
        if not any(start <= match.start() < end for start, end in covered):
            yield f"section {number}: not quoted: …{part[max(0, match.start() - 60) : match.end() + 60]}…"


def is_whole(part, start, end):
    """Whether the words from `start` to `end` begin and end where a sentence or a paragraph does."""
    before, after = part[:start].rstrip(), part[end:].lstrip()
    begins = not before or re.search(r"[.:¶]\)?$|[.:¶] [o-]$", before)
    return bool(begins) and (part[end - 1] in ".:)" or not after or after.startswith("¶"))


def split(text):
    """The RFC's text by section number, without page breaks, each run of white space as one space."""
    text = PAGE_BREAK.sub(page_break, text.replace("\f", "").replace("\r", ""))
    found, number = {}, None
    for line in text.splitlines():
        if match := HEADING.match(line):
            number = match[1]
            found[number] = []
        elif number:
            found[number].append(line.rstrip())
    return {number: paragraphs("\n".join(part)) for number, part in found.items()}


def page_break(match):
    """What a page break stands for: the end of a paragraph when it follows the end of a sentence."""
    return "\n\n" if match.string[match.start() - 1] in ".:" else "\n"


def paragraphs(part):
    joined = BROKEN_WORD.sub("-", part)
    return BREAK.join(one_line(paragraph) for paragraph in re.split(r"\n\s*\n", joined) if paragraph.strip())
