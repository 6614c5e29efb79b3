"""Folders on the path that hold plugins, as pip would have installed them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

HOOK = """
from xpmd.hookspecs import Component, hookimpl

@hookimpl
def xpmd_components():
    return [{components}]
"""


class Site:
    """A folder that stands on the path of a fresh interpreter."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def module(self, name: str, text: str) -> None:
        """Write a module."""
        (self.path / f"{name}.py").write_text(textwrap.dedent(text))

    def distribution(
        self,
        name: str,
        entry_points: str | bytes,
        *,
        version: str = "1.0",
        metadata: str | None = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    ) -> None:
        """Write the folder that describes an installed distribution."""
        folder = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        if metadata is not None:
            (folder / "METADATA").write_text(metadata.format(name=name, version=version))
        if isinstance(entry_points, str):
            entry_points = textwrap.dedent(entry_points).encode()
        (folder / "entry_points.txt").write_bytes(entry_points)

    def plugin(self, name: str, *components: str, version: str = "1.0", text: str = "") -> None:
        """Install a plugin `name` of one module, which offers components given as code."""
        module = name.replace("-", "_")
        self.module(module, text or HOOK.format(components=", ".join(components)))
        self.distribution(name, f"[xpmd]\nmain = {module}\n", version=version)

    def python(self, code: str, *arguments: str, **environment: str) -> str:
        """Run code in a fresh interpreter and return what it prints; fail if it fails."""
        done = self.interpreter("-c", textwrap.dedent(code), *arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def interpreter(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a fresh interpreter with this folder first on its path."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("XPMD_")}
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**kept, "PYTHONPATH": self.search_path(), **environment},
        )

    def search_path(self, *behind: Path) -> str:
        """Return this folder, others behind it and the path of this process as `PYTHONPATH`."""
        parts = [str(self.path), *map(str, behind), os.environ.get("PYTHONPATH", "")]
        return os.pathsep.join(filter(None, parts))

    def listed(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """Return what `xpmd plugins --json` says, without importing the components."""
        done = self.interpreter(
            "-m", "xpmd", "plugins", "--json", "--no-check", *arguments, **environment
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty folder for plugins."""
    return Site(tmp_path / "site")


@pytest.fixture(scope="session")
def make_site() -> type[Site]:
    """What makes a folder for plugins, for fixtures that outlive a test."""
    return Site
