"""The examples in the modules hold, and a table says what was found."""

import doctest
import importlib
import pkgutil
import unittest

import peers
from peers import table
from peers.comparison import Row, Sample
from peers.figures import Figure
from peers.memory import Line
from peers.workloads import WORKLOADS


def load_tests(_loader, tests, _pattern):
    """Adds the examples of every module."""
    for module in pkgutil.iter_modules(peers.__path__, "peers."):
        tests.addTests(doctest.DocTestSuite(importlib.import_module(module.name)))
    return tests


def row(ringway: list[float | None], kamailio: list[float | None]) -> Row:
    samples = {
        server: [cpu and Sample(cpu, 100_000, server == "ringway", 10, 90) for cpu in found]
        for server, found in {"ringway": ringway, "kamailio": kamailio, "floor": [2.5] * len(ringway)}.items()
    }
    return Row(WORKLOADS[0], 40_000, samples)


class Tables(unittest.TestCase):
    def test_a_ratio_is_taken_within_each_repetition(self):
        found = row([3.0, 8.0, 3.0], [6.0, 16.0, 10.0])
        self.assertEqual(found.ratio.median, 0.5)
        self.assertTrue(found.is_met)
        expected = "| OPTIONS answered | **3.00** (3.00..8.00) | **10.00** (6.00..16.00) | **0.500** (0.300..0.500) | 0.60 | yes | **2.50** (2.50..2.50) | **0.14** (0.07..0.41) |"
        self.assertIn(expected, table.cpu([found]))

    def test_a_run_that_is_not_to_be_used_leaves_the_others(self):
        found = row([None, 5.0], [6.0, 8.0])
        self.assertEqual(found.ratio.median, 0.625)
        self.assertIs(found.is_met, False)

    def test_without_any_pair_there_is_no_verdict(self):
        self.assertIsNone(row([None, 5.0], [6.0, None]).is_met)

    def test_throughput_of_the_generator_is_marked(self):
        text = table.throughput([row([3.0], [6.0])])
        all_alike, times = "**100,000** (100,000..100,000)", "**10** (10..10), **90** (90..90)"
        expected = f"| OPTIONS answered | {all_alike} (g) | {all_alike} | {all_alike} | 40,000/s | {times} | {times} | {times} |"
        self.assertIn(expected, text)
        self.assertIn("the generator was the bottleneck", text)

    def test_memory_is_held_against_its_bar(self):
        lines = [Line("a binding", Figure.of([399.6, 398.0, 401.0]), Figure.of([900.0]), 400), Line("a call", None, Figure.of([2000.0]))]
        text = table.memory(lines)
        self.assertIn("| a binding | **400** (398..401) | **900** (900..900) | 400 | yes |", text)
        self.assertIn("| a call | - | **2,000** (2,000..2,000) | - | - |", text)


if __name__ == "__main__":
    unittest.main()
