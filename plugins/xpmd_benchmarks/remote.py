"""A program in a process of its own, seen from here."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from xpmd_benchmarks import worker

#: Longest that an answer may take, seconds.
PATIENCE = 900.0
#: Lines of what a program printed that go with an error.
_LAST_LINES = 8


class EngineError(RuntimeError):
    """A program could not do what it was asked to."""


class Engine:
    """A process that runs one program.

    Args:
        path: the file of the program's module.
        threads: threads and cores it gets.
        python: the interpreter.
        environment: variables beside those of this process.
    """

    def __init__(
        self,
        path: Path,
        threads: int,
        python: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        variables = {
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
            "OPENBLAS_NUM_THREADS": str(threads),
            **(environment or {}),
        }
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        try:
            self._process = subprocess.Popen(
                [python or sys.executable, "-P", worker.__file__, str(path), str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._printed,
                env=variables,
                text=True,
            )
        except OSError as error:
            self._printed.close()
            raise EngineError(f"{python} cannot be run: {error}") from error
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")  # it has ended

    def ask(self, wish: str, *, patience: float = PATIENCE, **more: Any) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            EngineError: there is none, or it is an error.
        """
        assert self._process.stdin is not None
        line = ""
        try:
            self._process.stdin.write(json.dumps({"do": wish, **more}) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=patience)
        except queue.Empty:
            self._process.kill()
            raise EngineError(f"no answer within {patience:g} s") from None
        except OSError:
            pass
        if not line:
            self._process.wait()
            raise EngineError(f"it ended with code {self._process.returncode}: {self.printed()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            error = EngineError(answer["error"])
            error.add_note(answer["traceback"])
            raise error
        return answer

    def printed(self) -> str:
        """Return the last lines the program printed."""
        self._printed.seek(0)
        lines = self._printed.read().decode(errors="replace").strip().splitlines()
        return " / ".join(lines[-_LAST_LINES:])

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._printed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
