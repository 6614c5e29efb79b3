"""Other programs: which of them are wanted, and which can run."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from xpmd.benchmark import BenchmarkSettings

#: Names of peers; each is a module of `engines`, written with underscores.
PEERS = ("lammps", "openmm", "jax-md", "torchmd", "torch-sim")


class Peer(NamedTuple):
    """Another program.

    Attributes:
        module: of `engines`.
        python: the interpreter it is installed for, `None` for this one.
    """

    module: Any
    python: str | None


def peers_for(settings: BenchmarkSettings, task: str) -> list[Peer]:
    """Return the peers that are wanted and have a way to do a task.

    Raises:
        ValueError: a name is unknown.
    """
    for option, names in (
        ("--peer", settings.peers or ()),
        ("--peer-python", settings.interpreters),
    ):
        unknown = [name for name in names if name not in PEERS]
        if unknown:
            raise ValueError(f"`{option}`: {', '.join(unknown)} is none of {', '.join(PEERS)}.")
    if settings.peers is None:
        return []
    found = []
    for name in settings.peers or PEERS:
        module = import_module(f"xpmd_benchmarks.engines.{name.replace('-', '_')}")
        if any(task in variant["tasks"] for variant in module.variants(settings.threads)):
            found.append(Peer(module, settings.interpreters.get(name)))
    return found
