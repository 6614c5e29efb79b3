"""Other programs: asked for by name, measured where they are, named where they are not."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from xpmd_benchmarks.peers import PEERS

MODULES = {
    name: import_module(f"xpmd_benchmarks.engines.{name.replace('-', '_')}") for name in PEERS
}


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_that_is_not_installed_says_how_to_install_it(name, monkeypatch):
    module = MODULES[name]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert module.missing() == "not installed"
    assert "pip install" in module.INSTALL


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_says_what_it_can_do(name):
    variants = MODULES[name].variants(2)
    for variant in variants:
        assert set(variant["tasks"]) <= {"fluid", "gradient"}
        assert variant["precision"] in {"float32", "float64", "mixed"}
        assert "strategy" in variant or "gradient" not in variant["tasks"]
    assert len({(each["variant"], each["precision"]) for each in variants}) == len(variants)


def test_an_interpreter_without_the_peer(reported):
    """The bare interpreter of this one's installation has none of them."""
    chosen = ["--backend", "numpy", "--dtype", "float64", "--peer", "jax-md"]
    bare = ["--peer-python", f"jax-md={sys._base_executable}"]
    report, _ = reported("gradient", *chosen, *bare, "--sizes", "20", "--strategy", "reverse")
    ours, theirs = report["tables"][0]["rows"]
    assert ours.get("remark") is None
    assert theirs["program"] == "jax-md"
    assert theirs["remark"].startswith("not installed: pip install jax-md")


def test_an_interpreter_that_is_not_there(reported):
    chosen = ["--backend", "numpy", "--dtype", "float64", "--peer", "jax-md"]
    nowhere = ["--peer-python", "jax-md=nowhere/python"]
    report, _ = reported("gradient", *chosen, *nowhere, "--sizes", "20", "--strategy", "reverse")
    remark = report["tables"][0]["rows"][1]["remark"]
    assert remark.startswith("nowhere/python cannot be run: ")


def test_jax_md_refuses_what_it_refuses(monkeypatch):
    """jax 0.10.2 miscompiles some code for CPUs, say its developers."""
    module = MODULES["jax-md"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.10.2")
    assert module.missing() == "jax 0.10.2 is excluded by jax-md"
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.10.1")
    assert module.missing() is None
