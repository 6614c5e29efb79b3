"""`xpmd new-plugin` writes a package that installs, lists itself and passes its own tests."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from xpmd.commands.app import app
from xpmd.commands.new_plugin import KINDS_WITH_TEMPLATE, words_in
from xpmd.hookspecs import KINDS


def new_plugin(*arguments: str):
    return CliRunner().invoke(app, ["new-plugin", *arguments], env={"COLUMNS": "200"})


@pytest.mark.parametrize(
    "chosen", ["not jax and not torch", pytest.param("jax or torch", marks=pytest.mark.slow)]
)
def test_what_it_writes_works(site, tmp_path, chosen):
    """A package of each kind, on the path with its metadata as an installation would leave it."""
    for kind in KINDS_WITH_TEMPLATE:
        result = new_plugin(f"First-{kind}", "--kind", kind, "--into", str(tmp_path))
        assert result.exit_code == 0, result.output
        folder = tmp_path / f"xpmd-first-{kind.replace('_', '-')}"
        assert f"pip install -e {folder}" in result.output
        project = tomllib.loads((folder / "pyproject.toml").read_text())
        assert project["project"]["name"] == folder.name
        points = project["project"]["entry-points"]["xpmd"]
        lines = [f"{key} = {value}" for key, value in points.items()]
        site.distribution(folder.name, "\n".join(["[xpmd]", *lines]))
        (site.path / f"xpmd_first_{kind}").symlink_to(folder / f"xpmd_first_{kind}")
    found = site.listed()
    assert not found["failures"]
    ours = {c["kind"]: c["name"] for c in found["components"] if "xpmd-first" in c["distribution"]}
    assert set(ours) == set(KINDS_WITH_TEMPLATE)
    assert ours["neighbor_finder"] == "FirstNeighborFinder"
    assert ours["observable"] == "first_observable"
    code = """
        import json, os, sys, pytest, xpmd as md
        tests, chosen, ours = sys.argv[1:]
        for kind, name in json.loads(ours).items():
            md.plugins.get(kind, name)
        quiet = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "-W", "error"]
        sys.exit(pytest.main([tests, "--rootdir", tests, "-k", chosen, *quiet]))
        """
    done = site.interpreter("-c", textwrap.dedent(code), str(tmp_path), chosen, json.dumps(ours))
    assert done.returncode == 0, done.stdout + done.stderr
    passed = int(re.search(r"(\d+) passed", done.stdout).group(1))
    assert passed > 10 * (len(KINDS_WITH_TEMPLATE) - 2)


def test_the_package_has_what_a_package_needs(tmp_path):
    new_plugin("soft-core", "--into", str(tmp_path))
    folder = tmp_path / "xpmd-soft-core"
    written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert written == [
        "README.md",
        "pyproject.toml",
        "tests/test_soft_core.py",
        "xpmd_soft_core/__init__.py",
        "xpmd_soft_core/components.py",
        "xpmd_soft_core/py.typed",
        "xpmd_soft_core/soft_core.py",
    ]
    for path in folder.rglob("*"):
        assert path.is_dir() or "$" not in path.read_text()
    assert (
        "class SoftCore(md.PairwiseInteraction)"
        in (folder / "xpmd_soft_core" / "soft_core.py").read_text()
    )


@pytest.mark.slow
def test_it_builds(site, tmp_path):
    """As a wheel, as the example is built."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("s", Path(__file__).with_name("test_stranger.py"))
    stranger = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stranger)
    new_plugin("FirstTry", "--into", str(tmp_path))
    stranger.install(tmp_path / "xpmd-first-try", site.path, tmp_path)
    done = site.interpreter("-m", "xpmd", "plugins", "--json", "--kind", "interaction")
    names = [row["name"] for row in json.loads(done.stdout)["components"]]
    assert "FirstTry" in names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Morse", ["morse"]),
        ("SoftCore", ["soft", "core"]),
        ("soft-core", ["soft", "core"]),
        ("xpmd_soft_core", ["soft", "core"]),
        ("XPMD-Morse", ["morse"]),
        ("DPDPotential2", ["dpd", "potential2"]),
    ],
)
def test_names(name, words):
    assert words_in(name) == words


@pytest.mark.parametrize("name", ["", "12", "mörse", "a/b", "class", "xpmd", "../evil"])
def test_names_that_are_none(name):
    with pytest.raises(typer.BadParameter, match="must be words of letters and digits"):
        words_in(name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("Morse", "--kind", "interactoin"),
            "'interactoin' is no kind of component. Possible: int",
        ),
        (
            ("Morse", "--kind", "kernel"),
            "'kernel' has no template. Possible: interaction, simulator",
        ),
        (("a b/c",), "'a b/c' must be words of letters and digits"),
    ],
)
def test_what_cannot_be_written(tmp_path, arguments, message):
    result = new_plugin(*arguments, "--into", str(tmp_path))
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "xpmd-morse").mkdir()
    result = new_plugin("Morse", "--into", str(tmp_path))
    assert result.exit_code == 2
    assert "exists already" in result.output
    assert not list((tmp_path / "xpmd-morse").iterdir())


def test_templates_are_for_kinds_that_exist():
    assert set(KINDS_WITH_TEMPLATE) <= set(KINDS)
