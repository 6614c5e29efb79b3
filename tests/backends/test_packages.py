"""The backend packages look alike: knowing one is knowing all. Gaps are listed, not discovered."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import xpmd as md
from xpmd.backend import Backend

ROOT = Path(__file__).parents[2] / "backends"

#: What each file holds.
FILES = {
    "__init__.py": "one sentence",
    "arrays.py": "making arrays and looking at them; whether the library can be used here",
    "backend.py": "the class, which only says where each operation is",
    "components.py": "what the registry is told; imports nothing heavy",
    "control.py": "compilation and control flow",
    "derivatives.py": "derivatives",
    "pair_kernels.py": "pair forces and their derivatives, faster than the generic sums",
    "scatter.py": "sums by row, places where a mask holds, erf",
    "py.typed": "tells type checkers that the package is typed",
}
#: Packages that leave a file to others, and why.
GAPS = {
    ("xpmd_numpy", "control.py"): "eager: the loops of xpmd.backend",
    ("xpmd_numpy", "derivatives.py"): "by xpmd_autodiff",
    ("xpmd_cupy", "control.py"): "eager: the loops of xpmd.backend",
    ("xpmd_cupy", "derivatives.py"): "by xpmd_autodiff",
    ("xpmd_torch", "control.py"): "eager: the loops of xpmd.backend",
}
#: Files that one package has beyond the common ones, and what they hold.
EXTRAS = {
    ("xpmd_torch", "compiled_backend.py"): "the class with the steps of a simulation compiled",
    ("xpmd_torch", "compiled_loops.py"): "loops whose bodies are compiled",
    ("xpmd_torch", "eager_kernels.py"): "sums over pairs by closed forms",
    ("xpmd_torch", "graph_passes.py"): "what the compiler does not see in a graph by itself",
    ("xpmd_torch", "shared_entries.py"): "what the compiler is told to take in once",
    ("xpmd_torch", "traced_parts.py"): "the body of a loop as graphs for the compiler",
    ("xpmd_torch", "traces.py"): "one run through a body, up to where it needs to know a number",
    ("xpmd_torch", "directional.py"): "forward mode inside forward mode, which PyTorch lacks",
    ("xpmd_torch", "namespace.py"): "functions that lose gradients, mended",
    ("xpmd_torch", "transformed.py"): "torch.func, which has rules of its own for rules of others",
    ("xpmd_numpy", "pair_blocks.py"): "arithmetic on some pairs at a time",
    ("xpmd_numpy", "buffers.py"): "arrays that are used again",
    ("xpmd_numpy", "runs.py"): "sums and gathers where a list is sorted",
    ("xpmd_jax", "barriers.py"): "identities that derivatives do not pass",
    ("xpmd_jax", "row_kernels.py"): "rows of neighbor lists",
    ("xpmd_jax", "settling.py"): "having arrays computed before they are used",
}
PACKAGES = ("xpmd_numpy", "xpmd_cupy", "xpmd_torch", "xpmd_jax")

#: Functions that every `arrays.py` and `scatter.py` has.
FUNCTIONS = {
    "arrays.py": {"availability", "is_array", "asarray", "to_numpy"},
    "scatter.py": {"index_add", "nonzero_padded", "erf"},
}


def functions(path: Path) -> set[str]:
    """Return the public functions that a file defines."""
    tree = ast.parse(path.read_text())
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name for name in defined if not name.startswith("_")}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_same_files_in_each_package(package: str) -> None:
    found = {path.name for path in (ROOT / package).iterdir() if path.is_file()}
    left_out = {name for owner, name in GAPS if owner == package}
    beyond = {name for owner, name in EXTRAS if owner == package}
    assert found == (set(FILES) - left_out) | beyond


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_functions_in_each_file(package: str, name: str) -> None:
    missing = FUNCTIONS[name] - functions(ROOT / package / name)
    assert not missing


def test_every_backend_is_a_package_and_registered() -> None:
    offered = {
        entry.target.partition(".")[0]
        for entry in md.plugins.list("backend")
        if entry.distribution == "xpmd"
    }
    assert offered == set(PACKAGES)


def test_every_operation_is_documented_and_offered(on: md.Backend) -> None:
    """What `xpmd.backend.Backend` promises, each backend has, with the promise's own text at hand."""
    operations = [name for name in vars(Backend) if not name.startswith("_")]
    for name in operations:
        if callable(getattr(Backend, name)):
            assert getattr(Backend, name).__doc__, name
        assert hasattr(on, name), name
