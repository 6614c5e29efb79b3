"""The script of the checks: every check runs, any failure counts, the summary of pytest comes last."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="a script for bash")
@pytest.mark.parametrize("failing", ["", "lint", "types", "pytest", "lint pytest"])
def test_all_checks_run_and_any_failure_counts(failing: str, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    complains = 'case " $FAILING " in *" $1 "*) echo "make: *** [$1] Error 1" >&2; exit 2;; esac'
    executable(tmp_path / "bin" / "make", f'echo "ran $1"\n{complains}')
    summary = 'case "$FAILING" in *pytest*) echo "1 failed"; exit 1;; *) echo "1 passed";; esac'
    executable(tmp_path / ".venv" / "bin" / "python", f'echo "ran $2"\n{summary}')
    done = subprocess.run(
        [tmp_path / ".ci" / "run"],
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "FAILING": failing},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("ran")] == [
        "ran lint",
        "ran types",
        "ran pytest",
    ]
    assert lines[-1] == ("1 failed" if "pytest" in failing else "1 passed")
    assert (done.returncode != 0) == bool(failing)
