"""Interactions that are wrong in one way each, and what the checks have to say about it."""

from __future__ import annotations

import time

import numpy as np

import xpmd as md

EXTREME = [0.5]
CUTOFF = md.ShiftedForceCutoff(1.0)


def springs(coords, boundary, xp):
    """Return the displacements from each atom to the next."""
    return boundary.displacement(coords[:-1, :], coords[1:, :], xp=xp)


class General(md.GeneralInteraction):
    """Base of the general ones here."""

    k: float = 3.0
    needs_neighbors = False


class Pairwise(md.PairwiseInteraction):
    """Base of the pairwise ones here."""

    k: float = 3.0
    cutoff: md.Cutoff = CUTOFF


class WrongForces(General):
    """Forces of half the size that the energy asks for."""

    def energy(self, coords, system, neighbors, *, xp):
        gaps = [
            system.boundary.displacement(coords, xp.roll(coords, n, axis=0), xp=xp) for n in (1, 2)
        ]
        return self.k * sum(xp.sum(gap * gap) for gap in gaps)

    def forces(self, coords, system, neighbors, *, xp):
        return 0.5 * super().forces(coords, system, neighbors, xp=xp)


class OneWhere(Pairwise):
    """Ends at its own radius with one `where`: right in value, 0 times infinity in reverse."""

    cutoff: md.Cutoff = md.NoCutoff()
    width: float = 0.7

    def energy(self, r, *, xp):
        left = 1.0 - r / self.width
        root = xp.sqrt(left)
        return self.k * xp.where(left > 0, root * root * root, xp.zeros_like(left))


class TwoWheres(OneWhere):
    """The same with the argument masked, too: what the check asks for."""

    def energy(self, r, *, xp):
        left = 1.0 - r / self.width
        inside = left > 0
        root = xp.sqrt(xp.where(inside, left, xp.ones_like(left)))
        return self.k * xp.where(inside, root * root * root, xp.zeros_like(left))


class WrongClosedForm(Pairwise):
    """A closed form whose derivative by its field is another."""

    def energy(self, r, *, xp):
        return self.k * xp.exp(-r * r)

    def radial(self, r2, *, xp):
        f = 2.0 * self.k * xp.exp(-r2)
        return f, -f, [2.0 * f / self.k]


class Hidden(Pairwise):
    """A parameter in an attribute that is no field."""

    def __post_init__(self):
        object.__setattr__(self, "_twice", 2 * self.k)

    def energy(self, r, *, xp):
        return self._twice * xp.exp(-r)


class Converted(Pairwise):
    """A parameter that is made a Python number, and loses its gradient."""

    def energy(self, r, *, xp):
        return float(self.k) * xp.exp(-r)


class Detached(General):
    """A parameter whose gradient is cut without a word."""

    def energy(self, coords, system, neighbors, *, xp):
        gaps = springs(coords, system.boundary, xp)
        return system.backend.stop_gradient(self.k) * xp.sum(gaps * gaps)


class Promoted(Pairwise):
    """An array of float64 in every calculation."""

    def energy(self, r, *, xp):
        return self.k * xp.exp(-xp.astype(r, xp.float64))


class Coarse(Pairwise):
    """Calculates in float32, whatever comes in."""

    def energy(self, r, *, xp):
        return self.k * xp.astype(xp.exp(-xp.astype(r, xp.float32)), r.dtype)


class Placed(General):
    """Acts on places, not on distances."""

    def energy(self, coords, system, neighbors, *, xp):
        return self.k * xp.sum(coords * coords)


class Ordered(General):
    """Depends on the order in which atoms are listed."""

    def energy(self, coords, system, neighbors, *, xp):
        gaps = springs(coords, system.boundary, xp)
        return self.k * xp.sum(gaps * gaps)


class WithoutImages(General):
    """Measures from atom to atom, never to an image of it."""

    def energy(self, coords, system, neighbors, *, xp):
        gaps = coords[:, None, :] - coords[None, :, :]
        return self.k * xp.sum(gaps * gaps)


class Directed(General):
    """Knows one direction of space only."""

    def energy(self, coords, system, neighbors, *, xp):
        gaps = system.boundary.displacement(coords[:, None, :], coords[None, :, :], xp=xp)
        return self.k * xp.sum(gaps[..., 0] * gaps[..., 0])


class Sided(General):
    """Looks into the box, which under strain is none of the kind it knows."""

    def energy(self, coords, system, neighbors, *, xp):
        gaps = system.boundary.displacement(coords[:, None, :], coords[None, :, :], xp=xp)
        return self.k * xp.sum(gaps * gaps) / system.boundary.sides[0]


class Unmasked(md.GeneralInteraction):
    """Takes the padding of a neighbor list for pairs."""

    k: float = 3.0

    def energy(self, coords, system, neighbors, *, xp):
        columns = [coords[:, a] for a in range(3)]
        parts = system.boundary.nearest(
            [neighbors.of_first(c) - neighbors.of_second(c) for c in columns], xp=xp
        )
        squared = sum(part * part for part in parts)
        return self.k * xp.sum(1.0 / xp.sqrt(squared))


class Changing(Pairwise):
    """Reads a list that anybody may change."""

    def energy(self, r, *, xp):
        return self.k * EXTREME[0] * xp.exp(-r)


class Counting(Pairwise):
    """Assigns to a global."""

    def energy(self, r, *, xp):
        global EXTREME
        EXTREME = [0.5]
        return self.k * xp.exp(-r)


class Timed(Pairwise):
    """Asks for the time."""

    def energy(self, r, *, xp):
        return self.k * xp.exp(-r) + 0.0 * time.time()


class ArrayStatic(Pairwise):
    """An array among the static fields, which no gradient would reach."""

    powers: object = md.static(default_factory=lambda: np.asarray([1.0, 2.0]))

    def energy(self, r, *, xp):
        return self.k * sum(xp.exp(-float(n) * r) for n in self.powers)


class FreshStatic(Pairwise):
    """A function made anew for every component among the static fields."""

    shape: object = md.static(default_factory=lambda: lambda r, xp: xp.exp(-r), init=False)

    def energy(self, r, *, xp):
        return self.k * self.shape(r, xp)


class OnHost(Pairwise):
    """Calls NumPy instead of the namespace it is given."""

    def energy(self, r, *, xp):
        return self.k * np.exp(-np.asarray(r))


class Repelling(md.SpecificInteraction):
    """V(r) = k/r: infinite where two atoms meet."""

    k: float

    def energy(self, r, k, *, xp):
        return k / r


class Straight(md.SpecificInteraction):
    """V = k/tan(angle): infinite for atoms in a row."""

    k: float

    def energy(self, angle, k, *, xp):
        return k * xp.cos(angle) / xp.sin(angle)


class Twisted(md.SpecificInteraction):
    """V = k sqrt(1 + cos(dihedral)): right, with an infinite slope in reverse at pi."""

    k: float

    def energy(self, dihedral, k, *, xp):
        return k * xp.sqrt(1.0 + xp.cos(dihedral))


#: The component, its backends, the checks that must fail, and words of what one of them says.
CASES = {
    "forces that are not the slope of the energy": (
        WrongForces(),
        "numpy",
        {"forces"},
        ("forces-numpy: -forces[", "finite differences give ", " of 15 entries are off)"),
    ),
    "one where": (
        OneWhere(),
        "numpy",
        {"sweep", "nearby", "padding", "energy_gradients", "force_gradients"},
        ("is nan at r = 0.7", "mask the argument"),
    ),
    "a closed form of something else": (
        WrongClosedForm(),
        "numpy",
        {"radial"},
        (
            "radial-numpy: df/d(interaction.k) in closed form on numpy at r = 0.3 nm = ",
            "by differentiating",
        ),
    ),
    "a hidden parameter": (
        Hidden(),
        "numpy",
        {"fields"},
        ("fields: Hidden: `_twice` is not declared as a field",),
    ),
    "float()": (
        Converted(),
        "numpy",
        {"energy_gradients", "force_gradients", "precision", "sweep", "nearby", "padding"},
        ("energy_gradients-numpy", "was converted to a Python float"),
    ),
    "a gradient that is cut": (
        Detached(),
        "numpy",
        {"energy_gradients", "force_gradients", "permutation"},
        ("dE/d(interaction.k) = 0, and finite differences give ",),
    ),
    "float64 from float32": (
        Promoted(),
        "numpy",
        {"precision"},
        ("precision-numpy: energy of a float32 System has type float64 on numpy",),
    ),
    "float32 inside": (
        Coarse(),
        "numpy",
        {"forces", "virial", "energy_gradients", "force_gradients"},
        ("by finite differences that could be trusted",),
    ),
    "places": (
        Placed(),
        "numpy",
        {"third_law", "translation", "rotation", "lattice_shift"},
        ("third_law: the sum of the forces[", "and the third law asks for 0: off by "),
    ),
    "an order of atoms": (
        Ordered(),
        "numpy",
        {"permutation"},
        ("permutation: forces after the atoms were listed in another order",),
    ),
    "no images": (
        WithoutImages(),
        "numpy",
        {"lattice_shift"},
        ("lattice_shift: forces after atoms moved by cell vectors",),
    ),
    "one direction": (
        Directed(),
        "numpy",
        {"rotation", "third_law"},
        ("rotation: forces after a rotation", "the total torque in open space"),
    ),
    "a look into the box": (
        Sided(),
        "numpy",
        {"virial", "precision"},
        ("virial-numpy: AttributeError", "has no attribute 'sides'"),
    ),
    "padding taken for pairs": (
        Unmasked(),
        "numpy",
        {"padding"},
        ("padding-numpy: SimulationError: The force on atom 0",),
    ),
    "a global that changes": (
        Changing(),
        "numpy",
        {"purity"},
        (
            "purity: Changing.energy reads the global `EXTREME`, a list, which compiled code freezes",
        ),
    ),
    "a global that is assigned to": (
        Counting(),
        "numpy",
        {"purity"},
        ("purity: Counting.energy assigns to the global `EXTREME`",),
    ),
    "the time": (Timed(), "numpy", {"purity"}, ("uses the module `time`",)),
    "a static array": (
        ArrayStatic(),
        "numpy",
        {"fields"},
        ("fields: ArrayStatic: the static field `powers` holds an array",),
    ),
    "a function made anew": (
        FreshStatic(),
        "numpy",
        {"structure"},
        ("every call of a loss would compile again", "('shape',)"),
    ),
    "NumPy in the energy": (
        OnHost(),
        "torch",
        {
            *("third_law", "translation", "rotation", "permutation", "lattice_shift"),
            *("energy_gradients", "force_gradients", "forces", "virial", "precision"),
            *("sweep", "nearby", "padding"),
        },
        ("Can't call numpy() on Tensor that requires grad",),
    ),
    "infinite where two atoms meet": (
        Repelling(atoms=[[0, 1], [1, 2]], k=3.0),
        "numpy",
        {"coordinate"},
        ("coordinate-numpy: d(E)/d(interaction.k) on numpy[0] is inf at r = 0 nm",),
    ),
    "infinite for atoms in a row": (
        Straight(atoms=[[0, 1, 2]], k=3.0),
        "numpy",
        {"coordinate"},
        ("coordinate-numpy: ", "folded back onto itself"),
    ),
    "an infinite slope at pi": (
        Twisted(atoms=[[0, 1, 2, 3]], k=3.0),
        "numpy",
        {"coordinate"},
        ("coordinate-numpy: ", "at a dihedral of "),
    ),
}
