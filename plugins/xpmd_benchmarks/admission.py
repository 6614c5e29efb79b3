"""Letting a program take part: its process, or why there is none."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from xpmd_benchmarks.remote import Engine, EngineError

#: Module of a program, the variant of it, and the interpreter if it is not this one.
Program = tuple[Any, dict[str, Any], str | None]


class Admission(NamedTuple):
    """What came of asking a program to take part.

    Attributes:
        engine: its process, `None` if it cannot.
        versions: what it is made of.
        refusal: why it cannot, and what would help.
    """

    engine: Engine | None
    versions: dict[str, str]
    refusal: str | None


def admitted(program: Program, threads: int, opened: ExitStack) -> Admission:
    """Start the process of a program.

    Args:
        opened: closes the process at the end.
    """
    module, variant, python = program
    try:
        engine = Engine(Path(module.__file__), threads, python, variant.get("environment"))
        opened.enter_context(engine)
        answer = engine.ask("look")
    except EngineError as error:
        return Admission(None, {}, str(error))
    if answer["missing"]:
        return Admission(None, {}, f"{answer['missing']}: {module.INSTALL}")
    return Admission(engine, answer["versions"], None)
