"""What an import costs and brings along, and who may import whom."""

from __future__ import annotations

import ast
import json
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELVES = ("core", "plugins", "backends")
PACKAGES = {
    shelf: sorted(path.parent.name for path in (ROOT / shelf).glob("*/__init__.py"))
    for shelf in SHELVES
}
ARRAY_LIBRARIES = {"numpy", "torch", "jax", "jaxlib", "cupy", "array_api_strict"}
HEAVY = {"torch", "jax", "jaxlib", "cupy", "scipy", "matplotlib", "openmm", "h5py", "MDAnalysis"}
#: Longest that `import xpmd` may take beyond NumPy's own import, seconds.
ALLOWANCE = 0.1


def fresh(code: str) -> str:
    """Return what code prints in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "modules",
    [
        ["xpmd"],
        PACKAGES["plugins"],
        [
            f"{package}.components"
            for package in (*PACKAGES["plugins"], *PACKAGES["backends"])
            if package != "xpmd_autodiff"
        ],
        ["xpmd.testing"],
        ["xpmd.commands.app"],
    ],
    ids=["the facade", "the plugins", "what they offer", "the kit", "the command line"],
)
def test_an_import_brings_nothing_heavy_along(modules):
    imports = "; ".join(f"import {module}" for module in modules)
    loaded = set(
        json.loads(
            fresh(
                f"{imports}; import json, sys; "
                "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
            )
        )
    )
    assert "xpmd" in loaded
    assert not loaded & HEAVY
    # NumPy comes with the first array.
    assert "numpy" not in loaded


def test_a_simulation_on_numpy_needs_numpy_only():
    loaded = json.loads(
        fresh(
            "import json, sys, xpmd as md\n"
            "lj = md.create('interaction', 'LennardJones', cutoff=md.DistanceCutoff(1.0))\n"
            "x = md.place_atoms(8, md.CubicBoundary(2.1), min_dist=0.4)\n"
            "s = md.System(md.Atoms(sigma=0.3, epsilon=1.0), x, md.CubicBoundary(2.1),"
            " interactions=[lj])\n"
            "md.simulate(s, md.create('simulator', 'VelocityVerlet', dt=0.002), 2)\n"
            "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
        )
    )
    assert not set(loaded) & (HEAVY - {"scipy"})


def seconds_to_import(module: str) -> float:
    """Return the processor time of an import in a fresh interpreter: other jobs do not count."""
    return float(
        fresh(
            f"import time; start = time.process_time(); import {module}; "
            "print(time.process_time() - start)"
        )
    )


def test_the_import_is_as_quick_as_numpys_and_a_tenth_of_a_second():
    for _attempt in range(4):
        runs = [(seconds_to_import("xpmd"), seconds_to_import("numpy")) for _ in range(5)]
        ours, numpys = (statistics.median(column) for column in zip(*runs, strict=True))
        if ours <= numpys + ALLOWANCE:
            return
    pytest.fail(
        f"four times import xpmd took longer, at last {ours:.3f} s to NumPy's {numpys:.3f} s"
    )


def imported(path: Path) -> set[tuple[str, str]]:
    """Return what a file imports, anywhere in it: module and name ("" for a whole module)."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {(node.module or "", alias.name) for alias in node.names}
    return found


def files(package: str, shelf: str) -> list[Path]:
    return sorted((ROOT / shelf / package).rglob("*.py"))


def test_there_is_something_to_look_at():
    assert PACKAGES["core"] == ["xpmd"]
    assert {"xpmd_interactions", "xpmd_simulators"} <= set(PACKAGES["plugins"])
    assert {"xpmd_numpy", "xpmd_torch", "xpmd_jax", "xpmd_cupy"} <= set(PACKAGES["backends"])
    assert len(files("xpmd", "core")) > 50


def test_the_core_names_no_plugin_and_no_array_library():
    ours = {*PACKAGES["plugins"], *PACKAGES["backends"]}
    for path in files("xpmd", "core"):
        tops = {module.partition(".")[0] for module, _ in imported(path)}
        allowed = {"matplotlib"} if path.name == "visualize.py" else set()
        bad = tops & (ARRAY_LIBRARIES | HEAVY | ours) - allowed
        assert not bad, f"{path.relative_to(ROOT)} imports {sorted(bad)}"


@pytest.mark.parametrize(
    ("shelf", "package"),
    [(shelf, package) for shelf in ("plugins", "backends") for package in PACKAGES[shelf]],
)
def test_plugins_and_backends_name_the_core_and_themselves_only(shelf, package):
    others = {*PACKAGES["plugins"], *PACKAGES["backends"]} - {package}
    if shelf == "backends":
        others -= {"xpmd_autodiff"}  # the differentiation of libraries that have none
    for path in files(package, shelf):
        tops = {module.partition(".")[0] for module, _ in imported(path)}
        assert not tops & others, f"{path.relative_to(ROOT)} imports {sorted(tops & others)}"


def test_the_house_imports_from_where_a_name_is_defined():
    """Never through the facade, which would tie every module to all of them."""
    for shelf in SHELVES:
        for package in PACKAGES[shelf]:
            for path in files(package, shelf):
                for module, name in imported(path):
                    if module != "xpmd" or name in ("", "__version__"):
                        continue
                    place = ROOT / "core" / "xpmd" / name
                    is_module = place.with_suffix(".py").exists() or place.is_dir()
                    assert is_module, f"{path.relative_to(ROOT)}: from xpmd import {name}"


def test_every_package_is_declared():
    """In the entry points, and in the layers that `make lint` watches."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    offered = {
        value.partition(".")[0] for value in project["project"]["entry-points"]["xpmd"].values()
    }
    shelves = {*PACKAGES["plugins"], *PACKAGES["backends"]}
    assert offered == shelves - {"xpmd_autodiff"}
    assert set(project["tool"]["importlinter"]["root_packages"]) == {"xpmd", *shelves}
    for package in shelves:
        shelf = "plugins" if package in PACKAGES["plugins"] else "backends"
        assert (ROOT / shelf / package / "py.typed").exists(), f"{package} has no py.typed"
