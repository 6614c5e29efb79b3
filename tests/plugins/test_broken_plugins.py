"""A plugin that breaks takes nothing else with it, and the list of plugins says what is wrong."""

from __future__ import annotations

import sys

import pytest

import xpmd as md
from xpmd.registry import Registry

BROKEN = {
    "an import that fails": ("import a_package_nobody_has", "a_package_nobody_has"),
    "an error in the module": ("1 / 0", "ZeroDivisionError"),
    "an exit at import": ("raise SystemExit(3)", "SystemExit: 3"),
    "a syntax error": ("def (", "SyntaxError"),
    "no hook": ("x = 1", "no function `xpmd_components` marked with `@xpmd.hookimpl`"),
    "a hook without its mark": ("def xpmd_components(): return []", "no function"),
    "a misspelt hook": (
        "from xpmd.hookspecs import hookimpl\n@hookimpl\ndef xpmd_component(): return []",
        "xpmd_component'",
    ),
    "an argument the hook does not have": (
        "from xpmd.hookspecs import hookimpl\n@hookimpl\ndef xpmd_components(colour): return []",
        "colour",
    ),
    "a hook that raises": (
        "from xpmd.hookspecs import hookimpl\n"
        "@hookimpl\ndef xpmd_components(): raise KeyError('oops')",
        "KeyError: 'oops'",
    ),
    "a hook that breaks off": (
        "from xpmd.hookspecs import hookimpl\n"
        "@hookimpl\ndef xpmd_components():\n    yield 1\n    raise KeyError('oops')",
        "KeyError: 'oops'",
    ),
    "nothing returned": (
        "from xpmd.hookspecs import hookimpl\n@hookimpl\ndef xpmd_components(): pass",
        "must return a list of `Component`, not None",
    ),
    "a word returned": (
        "from xpmd.hookspecs import hookimpl\n@hookimpl\ndef xpmd_components(): return 'Morse'",
        "must return a list of `Component`, not 'Morse'",
    ),
    "a class returned": (
        "from xpmd.hookspecs import hookimpl\n@hookimpl\ndef xpmd_components(): return [dict]",
        "must return `Component`s only, not <class 'dict'>",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_rest_is_usable_and_the_reason_is_given(site, monkeypatch, case):
    text, reason = BROKEN[case]
    site.plugin("broken-one", text=text)
    site.plugin("healthy", "Component('interaction', 'Healthy', 'xpmd.general:GeneralInteraction')")
    monkeypatch.syspath_prepend(site.path)
    registry = Registry()  # of its own, so that it looks at the path as it is now
    try:
        assert registry.get("interaction", "LennardJones").__name__ == "LennardJones"
        assert registry.get("interaction", "Healthy").__name__ == "GeneralInteraction"
        with pytest.raises(md.PluginError) as caught:
            registry.get("interaction", "Elsewhere")
    finally:
        for module in ("broken_one", "healthy"):
            sys.modules.pop(module, None)
    assert caught.value.distribution == "broken-one"
    message = str(caught.value)
    assert "'Elsewhere' is no known interaction" in message
    assert "broken-one 1.0 (plugin 'main'): " in message
    assert reason in message


def test_the_list_shows_what_failed_and_all_else(site):
    for number, (text, _) in enumerate(BROKEN.values()):
        site.plugin(f"broken-{number}", text=text)
    site.plugin("healthy", "Component('interaction', 'Healthy', 'xpmd.general:GeneralInteraction')")
    found = site.listed()
    names = {component["name"] for component in found["components"]}
    assert {"Healthy", "LennardJones", "VelocityVerlet", "numpy", "reverse"} <= names
    errors = {failure["distribution"]: failure["error"] for failure in found["failures"]}
    assert len(errors) == len(BROKEN)
    for number, (_, reason) in enumerate(BROKEN.values()):
        assert reason in errors[f"broken-{number}"]
    tracebacks = [failure["traceback"] for failure in found["failures"]]
    assert any("ModuleNotFoundError" in text and "Traceback" in text for text in tracebacks)


def test_the_table_names_distribution_and_reason(site):
    site.plugin("broken-one", text="import a_package_nobody_has")
    done = site.interpreter("-m", "xpmd", "plugins", "--no-check", "--kind", "interaction")
    assert done.returncode == 0
    assert "LennardJones" in done.stdout
    assert "These plugins failed to load:" in done.stdout
    assert (
        "broken-one 1.0 (plugin 'main'): ModuleNotFoundError: No module named "
        "'a_package_nobody_has'" in done.stdout
    )


@pytest.mark.parametrize("value", ["nowhere.to_be_found", "!! no reference", "healthy:absent"])
def test_entry_points_that_lead_nowhere(site, value):
    site.plugin("healthy", "Component('interaction', 'Healthy', 'xpmd.general:GeneralInteraction')")
    site.distribution("lost", f"[xpmd]\nmain = {value}\n")
    found = site.listed("--kind", "interaction")
    assert "Healthy" in [component["name"] for component in found["components"]]
    assert [failure["distribution"] for failure in found["failures"]] == ["lost"]


DAMAGED = {
    "no METADATA": ({"metadata": None}, "[xpmd]\nmain = healthy\n", None),
    "an empty METADATA": ({"metadata": ""}, "[xpmd]\nmain = healthy\n", None),
    "a line that says nothing": ({}, "[xpmd]\nmain\n", "damaged"),
    "bytes that are no text": ({}, b"[xpmd]\nmain = healthy\n\xff\xfe\n", "UnicodeDecodeError"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_metadata(site, case):
    options, entry_points, reason = DAMAGED[case]
    site.module("healthy", "")
    site.plugin("healthy", "Component('interaction', 'Healthy', 'xpmd.general:GeneralInteraction')")
    site.distribution("damaged", entry_points, **options)
    site.distribution("damaged-too", entry_points, **options)
    found = site.listed("--kind", "interaction")
    names = [(c["distribution"], c["name"]) for c in found["components"]]
    assert ("healthy", "Healthy") in names
    assert ("xpmd", "LennardJones") in names
    if reason is None:
        # What it offers can be read, and its folder says whose it is.
        assert ("damaged", "Healthy") in names
        assert ("damaged_too", "Healthy") in names
        assert not found["failures"]
    else:
        assert sorted(f["distribution"] for f in found["failures"]) == ["damaged", "damaged-too"]
        if reason != "damaged":
            assert all(reason in failure["error"] for failure in found["failures"])


def test_one_bad_descriptor_leaves_the_good_ones(site):
    site.plugin(
        "mixed",
        "Component('interaction', 'Good', 'xpmd.general:GeneralInteraction')",
        "Component('interactoin', 'Bad', 'xpmd.general:GeneralInteraction')",
        "Component('interaction', 'Good', 'xpmd.general:GeneralInteraction')",
    )
    found = site.listed("--kind", "interaction")
    assert [c["name"] for c in found["components"] if c["distribution"] == "mixed"] == ["Good"]
    errors = [failure["error"] for failure in found["failures"]]
    assert "`kind` = 'interactoin' of 'Bad' is none of interaction, simulator" in errors[0]
    assert "it offers two components under the name interaction 'Good'" in errors[1]


def test_a_class_that_cannot_be_imported(site):
    site.module("heavy", "import a_package_nobody_has")
    site.plugin("late", "Component('interaction', 'Late', 'heavy:Late')")
    output = site.python(
        """
        import xpmd as md
        (entry,) = [e for e in md.plugins.list("interaction") if e.name == "Late"]
        assert entry.status == "ok", entry  # nobody has asked for it
        try:
            md.plugins.get("interaction", "Late")
        except md.PluginError as error:
            assert isinstance(error.__cause__, ModuleNotFoundError)
            assert error.distribution == "late"
            print(error)
        (entry,) = [e for e in md.plugins.list("interaction") if e.name == "Late"]
        print(entry.status, "|", entry.error)
        md.plugins.get("interaction", "LennardJones")
        """
    )
    reason = "ModuleNotFoundError: No module named 'a_package_nobody_has'"
    assert output.splitlines() == [
        f"The interaction 'Late' of late 1.0 could not be loaded from 'heavy:Late': {reason}",
        f"failed | {reason}",
    ]
    done = site.interpreter("-m", "xpmd", "plugins", "--json", "--kind", "interaction")
    assert '"status": "failed"' in done.stdout
    assert "a_package_nobody_has" in done.stdout


def test_a_class_of_another_kind(site):
    site.plugin(
        "confused",
        "Component('simulator', 'Confused', 'xpmd.general:GeneralInteraction')",
        "Component('observable', 'Number', 'xpmd.hookspecs:GROUP')",
    )
    output = site.python(
        """
        import xpmd as md
        for kind, name in (("simulator", "Confused"), ("observable", "Number")):
            try:
                md.plugins.get(kind, name)
            except md.PluginError as error:
                print(error)
        """
    )
    assert output.splitlines() == [
        "The simulator 'Confused' of confused 1.0 cannot be used: "
        "'xpmd.general:GeneralInteraction' is no subclass of md.Simulator, as every simulator is.",
        "The observable 'Number' of confused 1.0 cannot be used: 'xpmd.hookspecs:GROUP' is neither a "
        "class nor a function.",
    ]
