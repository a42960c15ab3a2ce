"""Tests of rules.py: python3 -m unittest discover --start-directory scripts --top-level-directory scripts"""

import tempfile
import unittest
from pathlib import Path

from rfc_map import rules, test_run

SUBJECT = '[subject]\ntitle = "Parsing"\n'


class Rules(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "1-parsing.toml"
            path.write_text(text)
            return rules.read([path])

    def test_a_row_is_read_with_what_shows_it(self):
        row = '[[rule]]\nrule = "Cut\\n  anywhere"\ntest = ["a::b", "a::c"]\nlater = "more (#9)"\n'
        [subject], faults = self.read(SUBJECT + row)
        self.assertEqual(faults, [])
        self.assertEqual((subject.rules[0].rule, subject.rules[0].tests), ("Cut anywhere", ["a::b", "a::c"]))
        self.assertEqual(rules.counts([subject]), (1, 1, 1))
        self.assertIn("*still to come*: more", rules.verdict(subject.rules[0], str))

    def test_a_row_without_a_verdict_or_with_an_unknown_key_is_a_fault(self):
        for row in ['rule = "x"', 'rule = "x"\nnot = "a"\nlater = "b"', 'rule = "x"\ntest = ["a"]\nwhy = "b"', 'test = ["a"]']:
            _, faults = self.read(f"{SUBJECT}[[rule]]\n{row}\n")
            self.assertEqual(len(faults), 1, row)
        _, faults = self.read(SUBJECT)
        self.assertEqual(len(faults), 1)

    def test_a_test_that_is_not_there_or_did_not_run_is_a_fault_but_for_those_end_to_end(self):
        subjects, _ = self.read(f'{SUBJECT}[[rule]]\nrule = "x"\ntest = ["a::b", "ringway::end_to_end::c::d"]\n')
        self.assertEqual(len(list(rules.unknown_tests(subjects, {"a::b"}))), 1)
        run = test_run.read("")
        self.assertEqual(len(list(rules.not_passed(subjects, run))), 1)
        run = test_run.read("     Running unittests lib.rs (target/release/deps/a-0123456789abcdef)\ntest b ... ok\n")
        self.assertEqual(list(rules.not_passed(subjects, run)), [])


if __name__ == "__main__":
    unittest.main()
