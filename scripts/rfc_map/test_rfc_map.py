"""Tests of scripts/rfc-map: python3 -m unittest discover -s scripts -t scripts"""

import tempfile
import unittest
from pathlib import Path

from rfc_map import quotations, render, rfc_text, source_tests, test_run

FILE = """
[section]
number = "16"
title = "Proxy Behavior"
keywords = 3

[[sentence]]
id = "16.1-1"
who = "proxy"
text = '''
A proxy MUST do this, and
SHOULD NOT do that.
'''
test = ["ringway_edge::proxy::this_is_done"]

[[sentence]]
id = "16.2-1"
step = 4
who = "UAC"
context = "There are clients."
text = "They SHOULD do a|b."
not = "Not ours."
"""

RFC = """
16 Proxy Behavior

16.1 Overview

   A proxy is a proxy.  A proxy MUST do this, and SHOULD




Rosenberg, et. al.          Standards Track                    [Page 91]
\f
RFC 3261            SIP: Session Initiation Protocol           June 2002


   NOT do that.

16.2 Stateful Proxy

      4. There are clients.  They SHOULD do a|b.
"""


def read(text):
    """The quotations in one file of this text."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "16.toml").write_text(text)
        return quotations.read(Path(folder))


class Quotations(unittest.TestCase):
    def test_a_file_without_faults_is_read_whole(self):
        sections, faults = read(FILE)
        self.assertEqual(faults, [])
        first, second = quotations.sentences(sections)
        self.assertEqual(first.text, "A proxy MUST do this, and SHOULD NOT do that.")
        self.assertEqual(first.keywords, ["MUST", "SHOULD NOT"])
        self.assertEqual((second.section, second.step, second.why_not), ("16.2", 4, "Not ours."))

    def test_each_fault_is_named(self):
        for old, new, fault in [
            ("keywords = 3", "keywords = 4", "3 MUSTs and SHOULDs are quoted, the RFC's section has 4"),
            ('id = "16.2-1"', 'id = "16.2-2"', "16.2-2: out of order, 16.2-1 was expected"),
            ('who = "UAC"', 'who = "client"', "16.2-1: `who` is one of"),
            ('not = "Not ours."', "", "16.2-1: needs exactly one of `test`, `not` and `later`, or `not` with `test`; has none"),
            ('not = "Not ours."', 'not = "a"\nlater = "b"', "has not and later"),
            ("They SHOULD do", "They do", "16.2-1: quotes no MUST and no SHOULD"),
            ("step = 4", "stop = 4", "16.2-1: unknown key stop"),
            ("[[sentence]]", "[[sentence", "16.toml:"),
        ]:
            with self.subTest(fault):
                self.assertIn(fault, "\n".join(read(FILE.replace(old, new))[1]))


    def test_a_departure_may_name_the_test_that_shows_it(self):
        sections, faults = read(FILE.replace('not = "Not ours."', 'not = "On purpose."\ntest = ["ringway_edge::shown"]'))
        self.assertEqual(faults, [])
        self.assertIn("| 2 | 3 | 1 | 1 | 0 |", render.page("3261", sections))
        self.assertIn("| not: On purpose.<br>`ringway_edge::shown` |", render.page("3261", sections))


class RfcText(unittest.TestCase):
    def test_exact_quotations_differ_in_nothing_across_a_page_break(self):
        self.assertEqual(rfc_text.differences(read(FILE)[0], RFC), [])

    def test_each_difference_is_named(self):
        for old, new, fault in [
            ("do this, and", "do it, and", "16.1-1: not in section 16.1 in these words"),
            ("A proxy MUST", "proxy MUST", "16.1-1: is not a whole sentence"),
            ("SHOULD NOT do that.", "SHOULD NOT do", "16.1-1: is not a whole sentence"),
            ("There are clients.", "There are servers.", "16.2-1: its context is not in section 16.2"),
            ("They SHOULD do a|b.", "They MUST.", "section 16.2: not quoted:"),
            ('id = "16.2-1"', 'id = "16.3-1"', "16.3-1: the RFC has no such section"),
        ]:
            with self.subTest(fault):
                self.assertIn(fault, "\n".join(rfc_text.differences(read(FILE.replace(old, new))[0], RFC)))

    def test_a_keyword_too_many_in_the_rfc_is_counted(self):
        faults = rfc_text.differences(read(FILE)[0], RFC + "   It MUST.\n")
        self.assertIn("section 16: the RFC has 4 MUSTs and SHOULDs, not 3", faults)


class SourceTests(unittest.TestCase):
    def find(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return source_tests.find(Path(folder))

    def test_tests_are_found_along_the_modules(self):
        names = self.find(
            {
                "src/edge/Cargo.toml": '[package]\nname = "ringway-edge"\n[lib]\npath = "lib.rs"\n'
                '[[test]]\nname = "real"\npath = "real_phones/main.rs"\n',
                "src/edge/lib.rs": "pub mod proxy;\nmod orphan;\n",
                "src/edge/proxy.rs": "pub mod best;\n#[cfg(test)] mod tests { #[test] fn forks() {} }\n",
                "src/edge/proxy/best.rs": '#[cfg(test)]\n#[path = "best_cases.rs"]\nmod cases;\n',
                "src/edge/proxy/best_cases.rs": "#[test]\n#[should_panic(expected = \"]\")]\nfn picks() {}\nfn helper() {}\n",
                "src/edge/unlisted.rs": "#[test] fn never_compiled() {}",
                "src/edge/tests/calls.rs": "mod scene;\nmod busy { #[test] fn is_486() {} }\n#[tokio::test] async fn rings() {}",
                "src/edge/tests/scene/mod.rs": "#[test] fn is_built() {}",
                "src/edge/tests/load/main.rs": "#[test] fn holds() {}",
                "src/edge/real_phones/main.rs": "#[test] fn calls() {}",
            }
        )
        self.assertEqual(
            names,
            {
                "ringway_edge::proxy::tests::forks",
                "ringway_edge::proxy::best::cases::picks",
                "ringway_edge::calls::busy::is_486",
                "ringway_edge::calls::rings",
                "ringway_edge::calls::scene::is_built",
                "ringway_edge::load::holds",
                "ringway_edge::real::calls",
            },
        )

    def test_comments_strings_and_characters_hide_nothing_and_show_nothing(self):
        source = r"""
            // #[test] fn in_a_line_comment() {}
            /* /* #[test] fn in_a_comment() {} */ */
            const A: &str = "#[test] fn in_a_string() {}";
            const B: &str = r#"" #[test] fn in_a_raw_string() {} "#;
            const C: [char; 3] = ['"', '\'', '{'];
            struct D<'a>(&'a str);
            mod inner { #[test] fn found() { let b = b'}'; } }
            #[test] fn found_too() {}
        """
        names = self.find({"Cargo.toml": '[package]\nname = "x"', "src/main.rs": source})
        self.assertEqual(names, {"x::inner::found", "x::found_too"})


class TestRun(unittest.TestCase):
    def test_the_output_of_cargo_test_is_read(self):
        run = test_run.read(
            "     Running unittests lib.rs (target/debug/deps/ringway_sip-0123456789abcdef)\n"
            "test a::tests::good ... ok\ntest a::tests::bad ... FAILED\ntest a::tests::slow ... ignored, too slow\n"
            "test a::tests::stops - should panic ... ok\n"
            "     Running tests/calls.rs (target/debug/deps/calls-0123456789abcdef)\ntest rings ... ok\n"
            "     Running real_phones/main.rs (target/debug/deps/real-0123456789abcdef)\ntest calls ... ok\n"
            "   Doc-tests ringway_sip\ntest lib.rs - doc (line 3) ... ok\n"
        )
        for name, verdict in [
            ("ringway_sip::a::tests::good", "passed"),
            ("ringway_sip::a::tests::bad", "failed"),
            ("ringway_sip::a::tests::slow", "was ignored in this run"),
            ("ringway_sip::a::tests::stops", "passed"),
            ("ringway_edge::calls::rings", "passed"),
            ("ringway_edge::real::calls", "passed"),
            ("ringway_edge::a::tests::good", "did not run"),
        ]:
            self.assertEqual(run.verdict(name), verdict, name)

    def test_the_output_of_nextest_is_read(self):
        run = test_run.read(
            "        PASS [   0.004s] (1/3) ringway-sip a::tests::good\n"
            "\x1b[31m        FAIL\x1b[0m [   0.004s] ringway-edge::calls rings\n"
            "        PASS [   0.004s] ringway::bin/ringway starts\n"
        )
        self.assertEqual(run.verdict("ringway_sip::a::tests::good"), "passed")
        self.assertEqual(run.verdict("ringway_edge::calls::rings"), "failed")
        self.assertEqual(run.verdict("ringway::starts"), "passed")


class Render(unittest.TestCase):
    def test_a_row_shows_its_sentence_and_its_verdict(self):
        page = render.page("3261", read(FILE)[0])
        self.assertIn("| 16 Proxy Behavior | 2 | 3 | 1 | 1 | 0 |", page)
        self.assertIn("**SHOULD NOT** do that. | kept: `ringway_edge::proxy::this_is_done` |", page)
        self.assertIn("| 16.2-1 (4) | UAC | SHOULD | *There are clients.* They **SHOULD** do a\\|b. | not: Not ours. |", page)


if __name__ == "__main__":
    unittest.main()
