"""Which of the installed plugins count, under which names, and what is imported to know it."""

from __future__ import annotations

import json

import pytest

GENERAL = "xpmd.general:GeneralInteraction"


def names(found, distribution):
    return [c["name"] for c in found["components"] if c["distribution"] == distribution]


def test_a_plugin_stands_beside_ours(site):
    site.plugin(
        "xpmd-nice",
        f"Component('interaction', 'Nice', '{GENERAL}', backends=('numpy', 'torch'), summary='nice')",
        version="2.5",
    )
    found = site.listed("--kind", "interaction")
    (nice,) = [c for c in found["components"] if c["distribution"] == "xpmd-nice"]
    assert nice["name"] == "Nice"
    assert nice["version"] == "2.5"
    assert nice["status"] == "ok"
    assert nice["backends"] == ["numpy", "torch"]
    assert nice["summary"] == "nice"
    assert "LennardJones" in names(found, "xpmd")
    assert found["api"] == [1, 0]


def test_another_major_version_of_the_contract_is_refused(site):
    site.plugin("old", f"Component('interaction', 'Old', '{GENERAL}', api=(0, 3))")
    site.plugin("future", "Component('new_kind', 'Future', 'of no known form', api=(2, 0))")
    found = site.listed()
    statuses = {c["name"]: (c["status"], c["error"]) for c in found["components"]}
    assert statuses["Old"] == (
        "incompatible",
        "written for plugin API 0.3, and this xpmd speaks 1.0; install versions of xpmd and old "
        "that match",
    )
    assert statuses["Future"][0] == "incompatible"
    assert statuses["LennardJones"][0] == "ok"
    output = site.python(
        """
        import xpmd as md
        try:
            md.plugins.get("interaction", "Old")
        except md.PluginError as error:
            print(error)
        """
    )
    assert output.startswith(
        "The interaction 'Old' of old 1.0 cannot be used: written for plugin API 0.3, and this"
    )


def test_a_higher_minor_version_is_warned_about(site):
    site.plugin("eager", f"Component('interaction', 'Eager', '{GENERAL}', api=(1, 7))")
    output = site.python(
        """
        import warnings, xpmd as md
        assert [e.status for e in md.plugins.list("interaction") if e.name == "Eager"] == ["ok"]
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            md.plugins.get("interaction", "LennardJones")
            assert not seen
            md.plugins.get("interaction", "Eager")
        print(seen[0].message)
        """
    )
    assert output.strip() == (
        "The interaction 'Eager' of eager 1.0 was written for plugin API 1.7, newer than the 1.0 of "
        "this xpmd; upgrade if anything is missing."
    )


def test_one_name_from_two_distributions(site):
    site.module("first_module", "from xpmd.general import GeneralInteraction as Morse")
    site.module("second_module", "class Morse(__import__('xpmd').GeneralInteraction): pass")
    site.plugin("first-one", "Component('interaction', 'Morse', 'first_module:Morse')")
    site.plugin("second-one", "Component('interaction', 'Morse', 'second_module:Morse')")
    found = site.listed("--kind", "interaction")
    reasons = {
        c["distribution"]: (c["status"], c["error"])
        for c in found["components"]
        if c["name"] == "Morse" and c["distribution"] != "xpmd"
    }
    assert reasons["first-one"][0] == reasons["second-one"][0] == "ambiguous"
    assert "second-one" in reasons["first-one"][1]
    assert "write 'first-one:Morse' for this one" in reasons["first-one"][1]
    output = site.python(
        """
        import xpmd as md
        try:
            md.plugins.get("interaction", "Morse")
        except md.PluginError as error:
            print(error)
        print(md.plugins.get("interaction", "first-one:Morse").__module__)
        print(md.plugins.get("interaction", "Second_One:Morse").__module__)
        print(md.create("interaction", "LennardJones").cutoff.__class__.__name__)
        """
    ).splitlines()
    assert "first-one 1.0 and second-one 1.0" in output[0] or "second-one 1.0" in output[0]
    assert "'first-one:Morse'" in output[0]
    assert "'second-one:Morse'" in output[0]
    assert output[1:] == ["xpmd.general", "second_module", "NoCutoff"]


def test_no_plugin_takes_the_names_that_the_core_writes(site):
    site.plugin(
        "greedy",
        "Component('backend', 'numpy', 'nowhere:Backend', modules=('numpy',))",
        "Component('gradient_strategy', 'reverse', 'nowhere:Reverse')",
    )
    output = site.python(
        """
        import xpmd as md
        for entry in md.plugins.list("backend"):
            if entry.name == "numpy":
                print(entry.distribution, entry.status)
        print(md.backend("numpy"))
        print(md.plugins.get("gradient_strategy", "reverse").__module__)
        print(md.potential_energy(md.System(md.Atoms(), [[0.0] * 3], md.CubicBoundary(1.0))))
        try:
            md.plugins.get("backend", "greedy:numpy")
        except md.PluginError as error:
            print(error.distribution)
        """
    ).splitlines()
    assert sorted(output[:2]) == ["greedy ambiguous", "xpmd ok"]
    assert output[2] == "<xpmd backend numpy>"
    assert output[3].startswith("xpmd_gradients.")
    assert output[4:] == ["0.0", "greedy"]


def test_a_distribution_that_is_there_twice_counts_once(site, tmp_path):
    site.plugin("twin", f"Component('interaction', 'New', '{GENERAL}')", version="2.0")
    behind = type(site)(tmp_path / "behind")
    behind.plugin("twin", f"Component('interaction', 'Old', '{GENERAL}')", version="1.0")
    found = site.listed("--kind", "interaction", PYTHONPATH=site.search_path(behind.path))
    mine = [(c["name"], c["version"]) for c in found["components"] if c["distribution"] == "twin"]
    assert mine == [("New", "2.0")]
    assert not found["failures"]


@pytest.mark.parametrize(
    ("environment", "mine", "reasons"),
    [
        ({}, ["A", "B"], []),
        ({"XPMD_DISABLE_PLUGINS": "1"}, [], []),
        ({"XPMD_DISABLE_PLUGINS": "0"}, ["A", "B"], []),
        ({"XPMD_PLUGINS": "plug-a"}, ["A"], []),
        ({"XPMD_PLUGINS": "Plug_A, plug-b"}, ["A", "B"], []),
        (
            {"XPMD_PLUGINS": "plug-b,plug-c"},
            ["B"],
            ["XPMD_PLUGINS names it, but no plugin of that"],
        ),
        ({"XPMD_PLUGINS": "plug-a", "XPMD_DISABLE_PLUGINS": "1"}, [], []),
    ],
)
def test_environment_variables_choose(site, environment, mine, reasons):
    site.plugin("plug-a", f"Component('interaction', 'A', '{GENERAL}')")
    site.plugin("plug-b", f"Component('interaction', 'B', '{GENERAL}')")
    found = site.listed("--kind", "interaction", **environment)
    assert sorted(names(found, "plug-a") + names(found, "plug-b")) == mine
    assert "LennardJones" in names(found, "xpmd")
    errors = [failure["error"] for failure in found["failures"]]
    assert len(errors) == len(reasons)
    for error, reason in zip(errors, reasons, strict=True):
        assert reason in error
        assert "plug-a, plug-b" in error  # those that are there


LISTING = """
import json, sys, xpmd as md
listed = {entry.target.partition(":")[0] for entry in md.plugins.list()}
listed = {name for name in listed if not name.startswith("xpmd.")}  # the core is there anyway
before = sorted(listed & set(sys.modules))
heavy = sorted({"numpy", "torch", "jax", "cupy", "scipy", "matplotlib"} & set(sys.modules))
md.plugins.get("simulator", "VelocityVerlet")
print(json.dumps([sorted(listed), before, heavy, sorted(listed & set(sys.modules))]))
"""


def test_listing_imports_no_component(site):
    site.module("mine", "raise RuntimeError('imported')")
    site.plugin("lazy", "Component('interaction', 'Lazy', 'mine:Lazy')")
    listed, before, heavy, after_one = json.loads(site.python(LISTING))
    assert "mine" in listed
    assert heavy == []
    assert before == []
    assert after_one == ["xpmd_simulators.velocity_verlet"]


def test_a_plugin_may_use_the_registry_while_it_is_imported(site):
    site.plugin(
        "curious",
        text=(
            "import xpmd as md\n"
            "known = len(md.plugins.list('interaction'))\n"
            "@md.hookimpl\n"
            "def xpmd_components():\n"
            f"    return [md.Component('interaction', 'Curious', '{GENERAL}')]\n"
        ),
    )
    found = site.listed("--kind", "interaction")
    assert names(found, "curious") == ["Curious"]
    assert "LennardJones" in names(found, "xpmd")
    assert not found["failures"]
