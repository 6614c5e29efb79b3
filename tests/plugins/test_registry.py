"""Looking components up, making them, and adding some for a while."""

from __future__ import annotations

import pytest

import xpmd as md
from xpmd.hookspecs import KINDS


class Spring(md.GeneralInteraction):
    """k/2 x^2."""

    k: float = 1.0

    def __post_init__(self):
        if self.k < 0:
            raise ValueError(f"`k` = {self.k} must be positive.")

    def energy(self, coords, system, neighbors, *, xp):
        return 0.5 * self.k * xp.sum(coords * coords)


SPRING = md.Component("interaction", "Spring", f"{__name__}:Spring")


@pytest.fixture
def spring(monkeypatch):
    """The name of a registered interaction of this module, which no import finds by itself."""
    import sys

    module = type(sys)("springs")
    module.Spring = Spring
    monkeypatch.setitem(sys.modules, "springs", module)
    with md.plugins.use(md.Component("interaction", "Spring", "springs:Spring")):
        yield "Spring"


def test_list_all_and_by_kind():
    everything = md.plugins.list()
    assert {entry.kind for entry in everything} <= set(KINDS)
    simulators = md.plugins.list("simulator")
    assert simulators == tuple(entry for entry in everything if entry.kind == "simulator")
    (verlet,) = [entry for entry in simulators if entry.name == "VelocityVerlet"]
    assert (verlet.distribution, verlet.status, verlet.error) == ("xpmd", "ok", None)


def test_get_and_create():
    cls = md.plugins.get("thermostat", "RescaleThermostat")
    assert cls.__name__ == "RescaleThermostat"
    assert md.plugins.get("thermostat", "xpmd:RescaleThermostat") is cls
    thermostat = md.create("thermostat", "RescaleThermostat", temperature=300.0)
    assert type(thermostat) is cls
    assert thermostat.temperature == 300.0


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (
            "interactoin",
            "LennardJones",
            "'interactoin' is no known kind. Did you mean 'interaction'?",
        ),
        (
            "interaction",
            "LenardJones",
            "'LenardJones' is no known interaction. Did you mean 'Lennard",
        ),
        ("interaction", "lennardjones", "Did you mean 'LennardJones'?"),
        ("simulator", "verlet", "is no known simulator. Did you mean"),
        ("thermostat", "Xyz", "'Xyz' is no known thermostat. Known: AndersenThermostat, Berendsen"),
        ("interaction", "nowhere:LennardJones", "'nowhere:LennardJones' is no known interaction."),
        ("barostat", "Zzz", "'Zzz' is no known barostat."),
    ],
)
def test_unknown_names_list_the_known_ones(kind, name, message):
    with pytest.raises(ValueError) as caught:
        md.plugins.get(kind, name)
    assert message in str(caught.value)
    assert "Known: " in str(caught.value)


def test_a_name_that_is_no_word():
    with pytest.raises(TypeError, match=r"`name` = <class .*> must be the name of a interaction"):
        md.plugins.get("interaction", Spring)


def test_use_adds_for_a_block_only(spring):
    assert md.plugins.get("interaction", spring) is Spring
    with md.plugins.use([SPRING, md.Component("simulator", "S", "springs:S")], distribution="mine"):
        (entry,) = [e for e in md.plugins.list("simulator") if e.name == "S"]
        assert entry.qualified_name == "mine:S"
        with pytest.raises(md.PluginError, match="'local:Spring' or 'mine:Spring'"):
            md.plugins.get("interaction", spring)
    assert "S" not in [entry.name for entry in md.plugins.list("simulator")]
    assert md.plugins.get("interaction", spring) is Spring


def test_use_is_undone_after_an_error():
    before = md.plugins.list()
    with pytest.raises(KeyError), md.plugins.use(SPRING):
        raise KeyError
    assert md.plugins.list() == before


def test_register_replaces_what_it_registered():
    first = md.Component("observable", "answer", "math:sqrt")
    second = md.Component("observable", "answer", "math:cos")
    with md.plugins.use([]):  # undoes what `register` adds
        md.plugins.register(first)
        md.plugins.register(second)
        assert md.create("observable", "answer")(0.0) == 1.0
        assert len([e for e in md.plugins.list("observable") if e.name == "answer"]) == 1
    assert "answer" not in [entry.name for entry in md.plugins.list("observable")]


def test_register_an_object_with_the_hook():
    class Plugin:
        @md.hookimpl
        def xpmd_components(self, api):
            assert api == (1, 0)
            return [md.Component("observable", "root", "math:sqrt")]

    with md.plugins.use(Plugin()):
        assert md.create("observable", "root")(9.0) == 3.0


def test_a_function_comes_back_with_its_settings():
    with md.plugins.use(md.Component("observable", "log", "math:dist")):
        assert md.create("observable", "log", q=None).keywords == {"q": None}


def test_create_says_what_it_was_creating(spring):
    with pytest.raises(ValueError, match="must be positive") as caught:
        md.create("interaction", spring, k=-1.0)
    (note,) = caught.value.__notes__
    assert note.startswith("This was the interaction 'Spring' of local -, created with {'k': -1.0}")


BAD = {
    "a kind nobody knows": (
        {"kind": "intreaction"},
        "`kind` = 'intreaction' of 'Spring' is none of",
    ),
    "a name with a space": ({"name": "my spring"}, "`name` = 'my spring' of a interaction must be"),
    "a name with a colon": ({"name": "my:spring"}, "must be a word without colon or space"),
    "a name that is no word": ({"name": 3}, "`name` = 3 of a interaction"),
    "a target without a class": ({"target": "springs"}, "`target` = 'springs' of interaction"),
    "a target that is a class": ({"target": Spring}, "must look like 'package.module:Class'"),
    "one number for a version": (
        {"api": 1},
        "`api` = 1 of interaction 'Spring' must be two integers",
    ),
    "words for a version": ({"api": ("1", "0")}, "must be two integers"),
    "one word for backends": (
        {"backends": "numpy"},
        "`backends` = 'numpy' of interaction 'Spring'",
    ),
    "a list of modules": (
        {"modules": ["m"]},
        "`modules` = ['m'] of interaction 'Spring' must be a",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_descriptors_that_make_no_sense(case):
    changes, message = BAD[case]
    fields = {"kind": "interaction", "name": "Spring", "target": "springs:Spring"}
    before = md.plugins.list()
    with pytest.raises(md.PluginError) as caught:
        md.plugins.register(md.Component(**{**fields, **changes}))
    assert message in str(caught.value)
    assert md.plugins.list() == before


def test_what_is_no_plugin_at_all():
    with pytest.raises(md.PluginError, match="no function `xpmd_components`"):
        md.plugins.register(Spring)
    with pytest.raises(md.PluginError, match="`Component`s only, not 'Spring'"):
        md.plugins.register(["Spring"])
