"""What is built from the project works where it is installed. Nothing here needs a network."""

from __future__ import annotations

import configparser
import email
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
SHELVES = ("core", "plugins", "backends")


def run(*command: str | Path, cwd: Path, **options: Any) -> str:
    """Return what a command prints; it sees no modules but those of its own interpreter."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Distributions(NamedTuple):
    """A source archive, unpacked, and the wheel that was built from it."""

    source: Path
    wheel: Path

    def in_wheel(self, name: str) -> str:
        with zipfile.ZipFile(self.wheel) as archive:
            (member,) = [each for each in archive.namelist() if each.endswith(name)]
            return archive.read(member).decode()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (archive,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return Distributions(folder / archive.name.removesuffix(".tar.gz"), wheel)


def files_of_packages(root: Path) -> set[PurePosixPath]:
    """Return the files on the shelves, by the path they are imported or read by."""
    return {
        PurePosixPath(file.relative_to(root / shelf).as_posix())
        for shelf in SHELVES
        for file in (root / shelf).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_source_archive_holds_everything_one_works_with(built: Distributions) -> None:
    names = {each.name for each in built.source.iterdir()}
    expected = {*SHELVES, "tests", "docs", "examples", "README.md", "LICENSE", "CONTRIBUTING.md"}
    assert names >= expected | {"CHANGELOG.md", "Makefile", "pyproject.toml", "constraints.txt"}
    assert files_of_packages(built.source) == files_of_packages(ROOT)
    for folder in ("tests", "docs", "examples"):
        here = {file.name for file in (ROOT / folder).iterdir() if file.name != "__pycache__"}
        assert {file.name for file in (built.source / folder).iterdir()} == here


def test_the_source_archive_holds_nothing_that_was_made(built: Distributions) -> None:
    made = {".venv", ".git", "out", "build", "dist", "__pycache__", ".pytest_cache", ".mypy_cache"}
    found = {
        part for file in built.source.rglob("*") for part in file.relative_to(built.source).parts
    }
    assert not found & made


def test_the_wheel_holds_the_packages_and_nothing_else(built: Distributions) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = {PurePosixPath(name) for name in archive.namelist()}
    assert {name for name in names if ".dist-info" not in name.parts[0]} == files_of_packages(ROOT)
    packages = {name.parts[0] for name in names if ".dist-info" not in name.parts[0]}
    assert packages == {path.name for shelf in SHELVES for path in (ROOT / shelf).glob("xpmd*")}
    for package in packages:
        assert PurePosixPath(package, "__init__.py") in names
        assert PurePosixPath(package, "py.typed") in names, f"{package} is not marked as typed"


def test_the_wheel_runs_anywhere_and_says_what_it_needs(built: Distributions) -> None:
    assert built.wheel.name.endswith("-py3-none-any.whl")
    about = email.message_from_string(built.in_wheel("METADATA"))
    assert about["Name"] == "xpmd"
    assert about["Requires-Python"] == ">=3.11"
    assert about["License-Expression"] == "MIT"
    needed = [each for each in about.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert sorted(need.partition(">=")[0] for need in needed) == [
        "array-api-compat",
        "numpy",
        "optree",
        "pluggy",
    ]
    assert {"torch", "jax", "cupy12", "cupy13", "all", "dev"} <= set(
        about.get_all("Provides-Extra", [])
    )


def test_entry_points_lead_to_modules_of_the_wheel(built: Distributions) -> None:
    entries = configparser.ConfigParser()
    entries.read_string(built.in_wheel("entry_points.txt"))
    modules = {
        file.with_suffix("").as_posix().replace("/", ".") for file in files_of_packages(ROOT)
    }
    targets = {name: target.partition(":")[0] for name, target in entries["xpmd"].items()}
    assert set(targets.values()) <= modules
    # Each package of plugins, and each backend, describes its components.
    described = {module.partition(".")[0] for module in modules if module.endswith(".components")}
    assert {module.partition(".")[0] for module in targets.values()} == described


class Environment(NamedTuple):
    """A fresh environment in which this project's dependencies can be imported, but not the project."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    def python(self, *words: str) -> str:
        return run(self.bin / "python", *words, cwd=self.folder)

    def install(self, what: Path) -> None:
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
        options = ("--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed")
        run(*pip, "--python", self.bin / "python", "install", *options, what, cwd=self.folder)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path, cwd=tmp_path)
    fresh = Environment(tmp_path)
    here = sysconfig.get_path("purelib")
    there = Path(
        fresh.python("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    # Folders named in a .pth file are searched, but .pth files in them, such as that of an editable
    # installation, are not followed.
    (there / "dependencies.pth").write_text(here + "\n", encoding="utf-8")
    return fresh


@pytest.mark.slow
@pytest.mark.parametrize("what", ["wheel", "source"])
def test_it_works_where_it_is_installed(
    what: str, built: Distributions, environment: Environment
) -> None:
    environment.install(getattr(built, what))
    where, version = environment.python(
        "-c", "import xpmd; print(xpmd.__file__, xpmd.__version__)"
    ).split()
    assert Path(where).is_relative_to(environment.folder)
    assert version == built.wheel.name.split("-")[1]

    listed = json.loads(environment.python("-m", "xpmd", "plugins", "--json"))
    assert listed["failures"] == []
    shipped = [each for each in listed["components"] if each["distribution"] == "xpmd"]
    assert {each["kind"] for each in shipped} >= {
        "interaction",
        "simulator",
        "backend",
        "thermostat",
    }
    usable = {each["status"] for each in shipped if each["kind"] != "backend"}
    assert usable == {"ok"}
    assert run(environment.bin / "xpmd", "--version", cwd=environment.folder).split() == [
        "xpmd",
        version,
    ]

    environment.python("-c", SIMULATION)


SIMULATION = """
import xpmd as md
from xpmd_interactions import HarmonicBond
from xpmd_simulators import VelocityVerlet

def loss(k):
    system = md.System(
        atoms=md.Atoms(mass=2.0),
        coords=[[0.1, 0.2, 0.3], [0.5, 0.4, 0.3]],
        boundary=md.CubicBoundary(2.0),
        interactions=[HarmonicBond(atoms=[[0, 1]], k=k, r0=0.3)],
    )
    end = md.simulate(system, VelocityVerlet(dt=0.01), 10).coords
    return (end**2).sum()

exact = md.grad(loss)(100.0)
black_box = md.grad(loss, "finite_difference")(100.0)
assert abs(exact - black_box) < 1e-8 * abs(exact), (exact, black_box)
"""
