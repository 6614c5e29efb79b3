"""The command `xpmd`: what it lists, and what it says when something is missing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import xpmd as md
from xpmd.commands.app import app


@pytest.fixture
def run():
    """Run the command in this process; wide, so that no cell of a table is broken."""
    return lambda *arguments: CliRunner().invoke(app, list(arguments), env={"COLUMNS": "250"})


def test_plugins_lists_every_component(run):
    result = run("plugins")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert {"kind", "name", "distribution", "version", "status", "backends", "summary"} <= set(
        lines[1].replace("┃", " ").split()
    )
    cells = {tuple(cell.strip() for cell in line.split("│")[1:4]) for line in lines if "│" in line}
    for entry in md.plugins.list():
        assert (entry.kind, entry.name, entry.distribution) in cells


def test_backends_say_whether_they_can_run(run):
    found = json.loads(run("plugins", "--json", "--kind", "backend").stdout)
    rows = {row["name"]: row for row in found["components"]}
    assert set(rows) == {entry.name for entry in md.plugins.list("backend")}
    for name, row in rows.items():
        reason = md.plugins.get("backend", name).availability()
        assert row["status"] == ("available" if reason is None else "unavailable")
        assert row["error"] == reason
        assert row["backends"] == [name]
    assert rows["numpy"]["status"] == "available"


def test_json_by_kind(run):
    found = json.loads(run("plugins", "--json", "--kind", "thermostat").stdout)
    assert found["api"] == [1, 0]
    rows = {(row["kind"], row["name"], row["version"]) for row in found["components"]}
    assert ("thermostat", "RescaleThermostat", md.__version__) in rows
    assert {kind for kind, _, _ in rows} == {"thermostat"}
    assert all(row["status"] == "ok" for row in found["components"])


def test_a_kind_nobody_knows(run):
    result = run("plugins", "--kind", "thermostats")
    assert result.exit_code == 2
    words = " ".join(result.output.replace("│", " ").split())
    assert "'thermostats' is no known kind. Did you mean 'thermostat'?" in words
    assert "--kind" in words


def test_version(run):
    assert run("--version").stdout == f"xpmd {md.__version__}\n"


def test_help_names_the_commands(run):
    result = run("--help")
    for command in ("plugins", "new-plugin"):
        assert command in result.output


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "xpmd", "plugins", "--no-check", "--kind", "simulator"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "VelocityVerlet" in done.stdout


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_what_to_install_if_the_command_line_is_missing(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None; from xpmd.cli import main; main(['plugins'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"The xpmd command needs {missing}: pip install 'xpmd[cli]'\n"
