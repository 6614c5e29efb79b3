"""An interaction among a few atoms: what its checks look at, measured once on each backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from xpmd.atoms import Atoms
from xpmd.backend import Backend, backend, backend_of
from xpmd.concrete import concrete
from xpmd.general import GeneralInteraction
from xpmd.noise import host_noise
from xpmd.orthorhombic_boundary import CubicBoundary, RectangularBoundary
from xpmd.properties import forces, potential_energy, virial
from xpmd.specific import SpecificInteraction
from xpmd.system import System
from xpmd.testing.agreement import host_namespace, on_host
from xpmd.testing.backends_at_hand import first_usable, moved, usable
from xpmd.testing.differences import Slopes, slope, slopes
from xpmd.testing.parameters import Parameters, reaches_of
from xpmd.testing.places import chain, deformed, scattered

Array = Any

#: How much the parameters of the atoms differ where one number was given for all.
_SPREAD = 0.03
_SPREAD_STREAM, _WEIGHT_STREAM = 41, 42
#: What an energy does not depend on.
WITHOUT = ("velocities", "atoms.mass")


#: Step of a strain.
_STRAIN = 1e-3


class Sample:
    """An interaction, atoms with parameters, where they are, and the box.

    Args:
        interaction: the one that is looked at.
        atoms: their parameters; where one number is given for all, the atoms get slightly
            different ones, so that mixing and order matter. Mass 1 and nothing else if left out.
        coords: positions `(n, d)`; scattered at random if left out, in a chain for bonded terms.
        boundary: the box; one that fits the interaction if left out.
        length: distance over which the interaction changes, nm; its reach if it has one.
        n_atoms: how many, where neither `coords` nor arrays in `atoms` say it.
        names: the backends.
    """

    def __init__(
        self,
        interaction: Any,
        *,
        atoms: Atoms | None,
        coords: Any,
        boundary: Any,
        length: float | None,
        n_atoms: int | None,
        names: Sequence[str],
    ) -> None:
        self.interaction = interaction
        self.names = tuple(names)
        self._atoms = Atoms() if atoms is None else atoms
        self._coords, self._boundary = coords, boundary
        self._length, self._n_atoms = length, n_atoms
        self._kept: dict[Any, Any] = {}

    # -- what it is made of ---------------------------------------------------------------------

    @property
    def bonded(self) -> bool:
        """Whether the interaction lists its atoms."""
        return isinstance(self.interaction, SpecificInteraction)

    @property
    def has_energy(self) -> bool:
        """Whether there is an energy, not forces alone."""
        return not isinstance(self.interaction, GeneralInteraction) or self.interaction.has_energy

    @cached_property
    def reach(self) -> float | None:
        """Distance beyond which atoms do not see each other, nm."""
        found = concrete(getattr(self.interaction, "reach", None))
        return None if found is None else float(found)

    @cached_property
    def length(self) -> float:
        """Distance over which the interaction changes, nm."""
        if self._length is not None:
            return float(self._length)
        if self.reach is not None:
            return self.reach
        return 0.2 if self.bonded else 1.0

    @cached_property
    def boundary(self) -> Any:
        """The box, on the host."""
        on = backend("numpy")
        box = self._boundary
        if box is None:
            box = CubicBoundary((9.0 if self.bonded else 2.2) * self.length)
        at_origin = on.asarray([[0.0] * box.dimensions], dtype="float64")
        return System(Atoms(), at_origin, moved(box, on, "float64")).boundary

    @cached_property
    def open_boundary(self) -> Any:
        """Space without a box, of as many dimensions."""
        inf = float("inf")
        if self.boundary.dimensions == 2:
            return RectangularBoundary(inf, inf)
        return CubicBoundary(inf)

    @cached_property
    def n_atoms(self) -> int:
        """Number of atoms."""
        if self._coords is not None:
            return int(host_namespace().asarray(_host(self._coords)).shape[0])
        for value in (self._atoms.mass, *self._atoms.parameters.values()):
            shape = host_namespace().asarray(_host(value)).shape
            if shape:
                return int(shape[0])
        least = 8
        if self.bonded:
            least = int(host_namespace().max(host_namespace().asarray(self.terms))) + 1
        return max(self._n_atoms or least, least if self.bonded else 2)

    @cached_property
    def terms(self) -> Array:
        """The atoms of each bonded term, on the host."""
        xp = host_namespace()
        return xp.asarray(_host(self.interaction.atoms), dtype=xp.int64)

    @cached_property
    def coords(self) -> Array:
        """Positions `(n, d)` on the host."""
        xp = host_namespace()
        if self._coords is not None:
            return xp.asarray(_host(self._coords), dtype=xp.float64)
        place: Callable[..., Array] = chain if self.bonded else scattered
        return place(self.n_atoms, self.boundary, self.length, self.reach)

    @cached_property
    def atoms(self) -> Atoms:
        """The atoms, with parameters of their own."""
        xp = host_namespace()
        values = {}
        for k, (name, given) in enumerate(self._atoms.parameters.items()):
            value = xp.asarray(_host(given), dtype=xp.float64)
            if value.ndim == 0:
                noise = host_noise(0, _SPREAD_STREAM, k)
                spread = 2.0 * noise.uniform(0, (self.n_atoms,)) - 1.0
                value = value * (1.0 + _SPREAD * spread)
            values[name] = value
        return Atoms(self._atoms.mass, **values)

    @property
    def given_atoms(self) -> Atoms:
        """The atoms as they were given."""
        return self._atoms

    @cached_property
    def weights(self) -> Array:
        """Numbers `(n, d)` that turn forces into one: sum of w F."""
        return host_noise(0, _WEIGHT_STREAM).normal(0, tuple(self.coords.shape))

    def system(self, on: Backend, dtype: str = "float64", **changes: Any) -> System:
        """Return the System on a backend; `changes` are arguments of it, arrays on the host."""
        arguments: dict[str, Any] = {
            "atoms": self.atoms,
            "coords": self.coords,
            "boundary": self.boundary,
            "interactions": (self.interaction,),
            **changes,
        }
        return System(
            **{
                name: moved(value, on, dtype) if name != "neighbor_finder" else value
                for name, value in arguments.items()
            }
        )

    # -- what is measured -----------------------------------------------------------------------

    @cached_property
    def reference(self) -> Backend:
        """The backend that others are compared with, and on which finite differences are taken."""
        return first_usable(self.names)

    def parameters(self, on: Backend, dtype: str = "float64") -> Parameters:
        """Return all numbers that energy and forces depend on."""
        return self._once(  # type: ignore[no-any-return]
            ("parameters", on.name, dtype),
            lambda: Parameters(self.system(on, dtype), on, without=WITHOUT),
        )

    def measured(self, what: str, name: str, dtype: str = "float64") -> Any:
        """Return the "energy", "forces" or "virial" as the backend gives it."""
        on = usable(name, dtype)
        function: Any = {"energy": potential_energy, "forces": forces, "virial": virial}[what]
        return self._once((what, name, dtype), lambda: function(self.system(on, dtype)))

    def gradient(self, what: str, name: str, dtype: str = "float64") -> dict[str, Any]:
        """Return the gradient of the "energy", or of the sum of w F ("forces"), in reverse mode."""
        on = usable(name, dtype)

        def found() -> dict[str, Any]:
            parameters = self.parameters(on, dtype)
            weights = on.asarray(self.weights, dtype=dtype)

            def loss(*values: Array) -> tuple[Array, tuple[Array, ...]]:
                system = parameters.tree(values)
                if what == "energy":
                    return potential_energy(system), ()
                products = forces(system) * weights
                return on.xp(products).sum(products), ()

            _, slopes_found, _ = on.value_and_grad(loss, parameters.values)
            return dict(zip(parameters.names, slopes_found, strict=True))

        return self._once(("gradient", what, name, dtype), found)  # type: ignore[no-any-return]

    def slopes(self, what: str, parameter: str) -> Slopes:
        """Return derivatives of the "energy" or of the sum of w F ("forces") by differences."""
        on = self.reference
        xp = host_namespace()

        def found() -> Slopes:
            parameters = self.parameters(on)

            def at(value: Array) -> float:
                system = parameters.tree_with(parameter, value)
                if what == "energy":
                    return float(on.to_numpy(potential_energy(system)))
                return float(xp.sum(on_host(forces(system)) * self.weights))

            value = parameters.host()[parameter]
            spatial = parameter == "coords" or parameter.startswith("boundary")
            return slopes(at, value, self.length if spatial else reaches_of(value))

        return self._once(("slopes", what, parameter), found)  # type: ignore[no-any-return]

    def strain_slope(self, a: int, b: int) -> tuple[float, float, float]:
        """Return dE/d(strain[a, b]) by differences, its uncertainty, and the size of E."""
        on, xp = self.reference, host_namespace()

        def strained(t: float) -> float:
            deformation = xp.eye(self.boundary.dimensions)
            deformation[a, b] += t
            box = deformed(self.boundary, deformation)
            system = self.system(on, coords=self.coords @ deformation, boundary=box)
            return float(on.to_numpy(potential_energy(system)))

        def found() -> tuple[float, float, float]:
            return (*slope(strained, _STRAIN), abs(strained(0.0)))

        return self._once(("strain", a, b), found)  # type: ignore[no-any-return]

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


def _host(value: Any) -> Any:
    """Return numbers as NumPy or Python keeps them."""
    return backend_of(value).to_numpy(value) if hasattr(value, "dtype") else value
