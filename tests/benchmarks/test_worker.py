"""A program in a process of its own: what it is asked, and what is seen of it."""

from __future__ import annotations

import sys

import pytest

from xpmd_benchmarks.alternating import Entrant, in_turns
from xpmd_benchmarks.remote import Engine, EngineError

PROGRAM = """
import time

NAME, INSTALL = "sleeper", "pip install sleeper"

def missing(): return None
def versions(): return {"sleeper": "1"}

class Case:
    def __init__(self, task): self.task = task
    def run(self, times):
        if times > 1000: raise ValueError("too many")
        block = bytearray(self.task["bytes"])
        for k in range(0, len(block), 4096): block[k] = 1
        time.sleep(times * self.task["seconds"])
        return {"times": times}

def prepare(task): return Case(task)
"""


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "sleeper.py"
    path.write_text(PROGRAM)
    with Engine(path, 1) as engine:
        yield engine


def test_times_and_what_was_found(engine):
    slow, quick = (Entrant(engine, name, {"name": name}) for name in ("slow", "quick"))
    slow.prepare({"bytes": 0, "seconds": 0.01}, 1)
    quick.prepare({"bytes": 0, "seconds": 0.001}, 1)
    in_turns([slow, quick], rounds=3, seconds=0.02, steps=None, tell=lambda line: None, least=1)
    assert len(slow.wall) == len(quick.wall) == 3
    assert 0.01 <= slow.best <= slow.median < 1.0
    assert 0.001 <= quick.best < slow.best
    assert quick.found["times"] > slow.found["times"] >= 1


def test_short_runs_are_lengthened_but_not_for_long(engine, monkeypatch):
    monkeypatch.setattr("xpmd_benchmarks.alternating._LENGTHENED", 0.1)
    settings = {"rounds": 1, "seconds": 0.01, "steps": None, "tell": lambda line: None, "least": 1}
    slow, quick = (Entrant(engine, name, {"name": name}) for name in ("slow", "quick"))
    slow.prepare({"bytes": 0, "seconds": 0.02}, 1)
    quick.prepare({"bytes": 0, "seconds": 0.001}, 1)
    in_turns([slow, quick], **settings, steady=50)
    # Both sleep somewhat longer than they are told to.
    assert 25 <= quick.found["times"] <= 50
    assert 2 <= slow.found["times"] <= 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_memory_of_a_run_is_that_beyond_what_there_was(engine):
    large, small = (Entrant(engine, name, {}) for name in ("large", "small"))
    large.prepare({"bytes": 40_000_000, "seconds": 0.0}, 1)
    small.prepare({"bytes": 4_000_000, "seconds": 0.0}, 1)
    for entrant in (large, small):
        entrant.weigh(1)
    # Pages that an earlier piece of work gave back are there already, some hundred thousand bytes.
    assert 39e6 < large.memory < 44e6
    assert 3.5e6 < small.memory < 6e6


def test_an_error_there_is_one_here(engine):
    entrant = Entrant(engine, "it", {})
    entrant.prepare({"bytes": 0, "seconds": 0.0}, 2000)
    assert entrant.failure == "ValueError: too many"
    with pytest.raises(EngineError, match="`do` = 'dance'"):
        engine.ask("dance")
