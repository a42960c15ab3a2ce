"""Finds the tests in the Rust source: each crate is walked from its roots along its `mod` declarations.

A test is named as nextest names it, with `::` throughout: crate::module::test for a unit test,
crate::file::module::test for one in a crate's `tests` folder or in a `[[test]]` of its manifest.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

TOKEN = re.compile(
    r"""
      (?P<skip>//[^\n]*|\s+)
    | (?P<comment>/\*)
    | (?P<raw>b?c?r(?P<hashes>\#*)"(?:.|\n)*?"(?P=hashes))
    | (?P<string>b?c?"(?:\\(?:.|\n)|[^"\\])*")
    | (?P<char>b?'(?:\\(?:u\{[0-9a-fA-F_]+\}|x[0-9a-fA-F]{2}|.)|[^\\'\n])')
    | (?P<lifetime>'[A-Za-z_]\w*)
    | (?P<word>(?:r\#)?[A-Za-z_]\w*)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
NESTED = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Token:
    """A word, a string or one mark."""

    kind: str
    text: str


def find(root):
    """The names of all tests of the workspace at `root`."""
    names = set()
    for manifest in sorted({root / "Cargo.toml", *root.glob("*/Cargo.toml"), *root.glob("*/*/Cargo.toml")}):
        if manifest.exists():
            package = tomllib.loads(manifest.read_text())
            if "package" in package:
                for path, prefix in crate_roots(manifest.parent, package):
                    names |= tests_of_file(path, prefix, path.parent)
    return names


def crate_roots(folder, package):
    """The root files of a package's targets, each with what its tests' names begin with."""
    crate = package["package"]["name"].replace("-", "_")
    library = package.get("lib", {}).get("path", "src/lib.rs")
    for main in (library, "src/main.rs"):
        if (folder / main).is_file():
            yield folder / main, [crate]
    for path in sorted((folder / "tests").glob("*.rs")):
        yield path, [crate, path.stem]
    for path in sorted((folder / "tests").glob("*/main.rs")):
        yield path, [crate, path.parent.name]
    for test in package.get("test", []):
        if "path" in test:
            yield folder / test["path"], [crate, test.get("name", "")]


def tests_of_file(path, prefix, children):
    """The tests of one file and of the files that it declares. `children` is the folder of those."""
    if not path.is_file():
        return set()
    reader = Reader(path, list(prefix), children)
    reader.read(list(tokens(path.read_text(errors="replace"))))
    return reader.names


class Reader:
    """Walks the tokens of one file and keeps the module path."""

    def __init__(self, path, prefix, children):
        self.path, self.prefix, self.children = path, prefix, children
        self.names = set()
        self.modules = []  # (name, the depth of braces that it was opened at)
        self.depth = 0

    def read(self, stream):
        attributes, at = [], 0
        while at < len(stream):
            text = stream[at].text
            if text == "#" and text_at(stream, at + 1) in ("[", "!"):
                attribute, at = attribute_at(stream, at)
                attributes.append(attribute)
                continue
            if text == "mod" and stream[at].kind == "word" and kind_at(stream, at + 1) == "word":
                self.module(stream[at + 1].text, text_at(stream, at + 2), attributes)
                attributes, at = [], at + 3
                continue
            if text == "fn" and stream[at].kind == "word" and kind_at(stream, at + 1) == "word":
                if any(is_test(attribute) for attribute in attributes):
                    self.names.add("::".join([*self.path_here(), stream[at + 1].text]))
                attributes = []
            self.brace(text if stream[at].kind == "mark" else "")
            if text in ("{", "}", ";") and stream[at].kind == "mark":
                attributes = []
            at += 1

    def module(self, name, after, attributes):
        """A `mod` declaration: one in line is entered, one in a file of its own is read."""
        if after == "{":
            self.modules.append((name, self.depth))
            self.depth += 1
            return
        inner = self.children.joinpath(*[module for module, _ in self.modules])
        if given := next((path for attribute in attributes if (path := path_of(attribute))), None):
            file = self.path.parent / given
            below = file.parent
        else:
            file, below = inner / f"{name}.rs", inner / name
            if not file.is_file():
                file = inner / name / "mod.rs"
        self.names |= tests_of_file(file, [*self.path_here(), name], below)

    def brace(self, mark):
        if mark == "{":
            self.depth += 1
        elif mark == "}":
            self.depth -= 1
            if self.modules and self.modules[-1][1] == self.depth:
                self.modules.pop()

    def path_here(self):
        return [*self.prefix, *(name for name, _ in self.modules)]


def attribute_at(stream, at):
    """The tokens between the brackets of the attribute at `at`, and where it ends."""
    at += 2 if text_at(stream, at + 1) == "[" else 3
    inside, depth = [], 1
    while at < len(stream):
        mark = stream[at].text if stream[at].kind == "mark" else ""
        depth += (mark == "[") - (mark == "]")
        if depth == 0:
            break
        inside.append(stream[at])
        at += 1
    return inside, at + 1


def is_test(attribute):
    """Whether it is `#[test]`, `#[tokio::test]` or their like."""
    path = []
    for token in attribute:
        if token.kind != "word" and token.text != ":":
            break
        path.append(token.text)
    return bool(path) and path[-1] == "test"


def path_of(attribute):
    """The file that a `#[path = "…"]` names."""
    if [token.text for token in attribute[:2]] == ["path", "="] and len(attribute) > 2:
        return Path(attribute[2].text.strip('"'))
    return None


def tokens(source):
    """Words, strings and marks; comments, characters and white space are left out."""
    at = 0
    while at < len(source):
        match = TOKEN.match(source, at)
        if match["comment"]:
            at = end_of_comment(source, at)
            continue
        at = match.end()
        kind = match.lastgroup if match.lastgroup != "hashes" else "raw"
        if match["raw"] or match["string"]:
            yield Token("string", match[0])
        elif kind in ("word", "mark"):
            yield Token(kind, match[0])


def end_of_comment(source, at):
    """Where the block comment at `at` ends; such comments nest."""
    depth = 0
    for match in NESTED.finditer(source, at):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(source)


def text_at(stream, at):
    return stream[at].text if at < len(stream) else ""


def kind_at(stream, at):
    return stream[at].kind if at < len(stream) else ""
