"""What the tests of benchmarks share: the command, and its report."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from xpmd.commands.app import app


@pytest.fixture(scope="session")
def bench() -> Callable[..., Any]:
    """Return a function that runs `xpmd bench` with arguments."""
    return lambda *arguments: CliRunner().invoke(app, ["bench", *arguments], env={"COLUMNS": "250"})


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory, bench: Any) -> Callable[..., Any]:
    """Return a function that runs a suite, quickly, and returns its report and its page."""

    def measured(suite: str, *arguments: str) -> Any:
        folder = tmp_path_factory.mktemp("bench")
        files = ["--json", str(folder / "found.json"), "--markdown", str(folder / "found.md")]
        result = bench("--suite", suite, "--quick", *files, *arguments)
        assert result.exit_code == 0, result.output
        (found,) = json.loads((folder / "found.json").read_text())["benchmarks"]
        return found, (folder / "found.md").read_text()

    return measured
