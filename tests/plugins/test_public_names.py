"""What the packages export: `__all__` says it, every name is there and says what it is."""

from __future__ import annotations

import ast
import importlib
import inspect
import types
from pathlib import Path

import pytest

import xpmd as md

ROOT = Path(__file__).parents[2]
EXPORTING = [
    "xpmd",
    "xpmd.testing",
    *sorted(
        path.parent.name
        for path in (ROOT / "plugins").glob("*/__init__.py")
        if "__all__" in path.read_text()
    ),
]


def exported(module: types.ModuleType) -> set[str]:
    """Return the names that a package's `__init__` imports, for type checkers only or for all."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0].startswith(
            "xpmd"
        ):
            names |= {alias.asname or alias.name for alias in node.names}
    # Names imported inside functions, or to build the module with, are not exports.
    return {name for name in names if not name.startswith("_")} - {"lazy_exports"}


@pytest.mark.parametrize("name", EXPORTING)
def test_all_is_what_is_exported(name):
    module = importlib.import_module(name)
    assert len(module.__all__) == len(set(module.__all__))
    assert exported(module) == set(module.__all__)


@pytest.mark.parametrize("name", EXPORTING)
def test_every_name_is_there_and_documented(name):
    module = importlib.import_module(name)
    for word in module.__all__:
        value = getattr(module, word)
        assert described(value), f"{name}.{word} has no docstring"
        if inspect.isclass(value):
            for attribute, member in vars(value).items():
                if attribute.startswith("_") or not _is_method(member):
                    continue
                documented = any(described(vars(base).get(attribute)) for base in value.__mro__)
                assert documented, f"{name}.{word}.{attribute} has no docstring"


def _is_method(member: object) -> bool:
    return isinstance(member, (types.FunctionType, property, classmethod, staticmethod))


def described(value: object) -> bool:
    """Return whether a value has a docstring that somebody wrote."""
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    text = getattr(value, "__doc__", None)
    if not text or not text.strip():
        return False
    # A dataclass without one gets its signature.
    return not (inspect.isclass(value) and text.startswith(f"{value.__name__}("))


def test_a_class_without_a_docstring_would_be_noticed():
    class Bare(md.Module):
        x: float = 1.0

    assert not described(Bare)
    assert described(md.Module)


def test_names_that_do_not_exist():
    with pytest.raises(AttributeError, match="module 'xpmd' has no attribute 'Sytem'"):
        _ = md.Sytem
    interactions = importlib.import_module("xpmd_interactions")
    with pytest.raises(AttributeError, match="'xpmd_interactions' has no attribute 'LenardJones'"):
        _ = interactions.LenardJones


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert md.__version__ == version("xpmd")
