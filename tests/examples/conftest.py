"""The examples as modules, so that their parts can be called."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that imports an example by name, as running it would."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module
