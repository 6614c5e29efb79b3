"""What a library of arrays must offer beyond the Array API standard.

A backend is resolved once, when a `System` is built, and passed down. The methods here describe an
eager library; a library that compiles overrides the control flow, one with its own differentiation
the derivatives. Flat tuples of arrays go in and come out: no library sees a component.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from xpmd.errors import BackendError

Array = Any
Arrays = tuple[Any, ...]


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do; core branches on these, never on a library's name.

    Attributes:
        jit: functions are compiled, so shapes and control flow are fixed.
        native_ad: the library differentiates by itself, forward and reverse.
        dynamic_shapes: shapes may depend on values.
        in_place: arrays may be written to.
        deterministic_index_add: `index_add` repeats bit for bit.
        pair_layout: "half" lists each pair once, "full" lists it from both ends, for gathers only.
        index_dtype: type of integers that index fastest.
        devices: kinds of device it can use.
    """

    jit: bool = False
    native_ad: bool = False
    dynamic_shapes: bool = True
    in_place: bool = True
    deterministic_index_add: bool = True
    pair_layout: Literal["half", "full"] = "half"
    index_dtype: str = "int64"
    devices: tuple[str, ...] = ("cpu",)


class Backend(ABC):
    """One array library."""

    name: ClassVar[str]
    capabilities: Capabilities = Capabilities()

    def __repr__(self) -> str:
        return f"<xpmd backend {self.name}>"

    # -- arrays ---------------------------------------------------------------------------------

    @staticmethod
    def availability() -> str | None:
        """Return `None` if the backend can be used here, else the reason why not."""
        return None

    @abstractmethod
    def xp(self, *arrays: Array) -> Any:
        """Return the namespace for these arrays: the differentiating one if one is being followed."""

    @abstractmethod
    def asarray(self, value: Any, *, dtype: str | None = None, device: Any = None) -> Array:
        """Return `value` as an array; an array of this library keeps its gradient.

        Args:
            dtype: "float32", "float64", "int32", "bool", ...; kept if left out.
            device: the library's own device object.
        """

    @abstractmethod
    def is_array(self, value: Any) -> bool:
        """Return whether `value` is an array of this library, one being differentiated included."""

    @abstractmethod
    def to_numpy(self, array: Array) -> Any:
        """Return a NumPy array on the host, without gradient."""

    @abstractmethod
    def dtype_name(self, array: Array) -> str:
        """Return the name of the array's type, such as "float64"."""

    def known(self, array: Array) -> Any:
        """Return the values as a NumPy array without gradient, or `None` if unknown now."""
        return None if self.is_traced(array) else self.to_numpy(array)

    def device_of(self, array: Array) -> Any:
        """Return the device an array lives on."""
        return getattr(array, "device", None)

    def is_traced(self, array: Array) -> bool:
        """Return whether the array's value is unknown now, because a compiler traces it."""
        return False

    def synchronize(self, array: Array) -> None:
        """Wait until the array has been computed."""
        return

    def check_dtype(self, dtype: str) -> None:
        """Raise `BackendError` if arrays of this type cannot be made as things are."""
        return

    # -- control flow ---------------------------------------------------------------------------

    def jit(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function compiled, where the library does that."""
        return function

    def repeat(
        self, body: Callable[[Array, Arrays], Arrays], carry: Arrays, times: Any, at_most: int
    ) -> Arrays:
        """Apply `carry = body(k, carry)` for k = 0 ... times - 1; differentiable both ways.

        Args:
            times: how often; may be an array where functions are compiled.
            at_most: a fixed upper bound of `times`.
        """
        for k in range(min(int(times), at_most)):
            carry = body(k, carry)
        return carry

    def scan(
        self,
        body: Callable[[Arrays, Any], tuple[Arrays, Arrays]],
        carry: Arrays,
        xs: Sequence[Any],
    ) -> tuple[Arrays, list[Arrays] | Arrays]:
        """Thread `carry` through `carry, y = body(carry, x)` for each x of a list of numbers.

        Returns:
            The last carry and the ys, each stacked along a new first axis.
        """
        rows = []
        for x in xs:
            carry, y = body(carry, x)
            rows.append(y)
        return carry, tuple(self._stack(column) for column in zip(*rows, strict=True))

    def _stack(self, column: Sequence[Array]) -> Array:
        return self.xp(*column).stack(column)

    def while_loop(
        self, condition: Callable[[Arrays], Any], body: Callable[[Arrays], Arrays], carry: Arrays
    ) -> Arrays:
        """Apply `body` while `condition(carry)` holds; not differentiable in reverse."""
        while bool(condition(carry)):
            carry = body(carry)
        return carry

    def cond(
        self,
        predicate: Any,
        yes: Callable[..., Arrays],
        no: Callable[..., Arrays],
        *operands: Array,
    ) -> Arrays:
        """Return `yes(*operands)` or `no(*operands)`."""
        return yes(*operands) if bool(predicate) else no(*operands)

    def map(self, function: Callable[..., Arrays], *stacked: Array) -> Arrays:
        """Apply a function to each slice along the first axis and stack what it returns."""
        rows = [function(*(array[k, ...] for array in stacked)) for k in range(stacked[0].shape[0])]
        return tuple(self._stack(column) for column in zip(*rows, strict=True))

    def host_call(
        self,
        function: Callable[..., Sequence[Any]],
        like: Sequence[tuple[Any, str]],
        *arrays: Array,
    ) -> Arrays:
        """Call a host function on NumPy copies of arrays; no gradient passes.

        Args:
            function: takes and returns NumPy arrays.
            like: shape and type of each array returned; a shape of `None` is whatever comes.
        """
        results = function(*(self.to_numpy(array) for array in arrays))
        device = self.device_of(arrays[0])
        return tuple(
            self.asarray(result, dtype=dtype, device=device)
            for result, (_, dtype) in zip(results, like, strict=True)
        )

    # -- derivatives ----------------------------------------------------------------------------

    @abstractmethod
    def stop_gradient(self, array: Array) -> Array:
        """Return the array as a constant."""

    @abstractmethod
    def radial(self, function: Callable[[Array], Array], at: Array) -> Array:
        """Return the elementwise derivative of a function, itself differentiable."""

    @abstractmethod
    def vjp(
        self, function: Callable[..., Arrays], *xs: Array
    ) -> tuple[Arrays, Callable[[Sequence[Array | None]], tuple[Array | None, ...]]]:
        """Return the outputs of a function and the pull of their cotangents back to each x."""

    @abstractmethod
    def jvp(
        self, function: Callable[..., Arrays], xs: Arrays, tangents: Arrays
    ) -> tuple[Arrays, Arrays]:
        """Return the outputs of a function and their tangents."""

    @abstractmethod
    def custom_vjp(
        self,
        primal: Callable[..., Arrays],
        forward: Callable[..., tuple[Arrays, Any]],
        backward: Callable[[Any, Arrays], Sequence[Array | None]],
    ) -> Callable[..., Arrays]:
        """Return a function with its own reverse rule.

        Args:
            primal: outputs from inputs, used when nothing is differentiated.
            forward: outputs and residuals from inputs.
            backward: one cotangent or `None` for each input, from residuals and output cotangents.
        """

    @abstractmethod
    def value_and_grad(
        self, function: Callable[..., tuple[Array, Arrays]], xs: Arrays
    ) -> tuple[Array, Arrays, Arrays]:
        """Differentiate `(value, extra arrays) = function(*xs)` in reverse.

        Returns:
            The value, its gradient with respect to each x, and the extra arrays.

        Raises:
            GradientError: the value depends on none of the inputs.
        """

    # -- scatter and special functions ----------------------------------------------------------

    @abstractmethod
    def index_add(self, n_rows: int, rows: Array, values: Array) -> Array:
        """Return `(n_rows,)` sums of `values` by row; repeated rows add up."""

    @abstractmethod
    def nonzero_padded(self, mask: Array, size: int) -> tuple[Array, Array]:
        """Return the places where a flat mask holds, padded with 0 to `size`, and their number."""

    @abstractmethod
    def erf(self, array: Array) -> Array:
        """Return the error function."""


@functools.cache
def backend(name: str) -> Backend:
    """Return the backend of that name.

    Raises:
        ValueError: the name is unknown.
        BackendError: the library is not installed or cannot run here; says why.
    """
    from xpmd.plugins import get

    cls = get("backend", name)
    reason = cls.availability()
    if reason is not None:
        raise BackendError(f"The backend '{name}' cannot be used here: {reason}")
    instance: Backend = cls()
    return instance


@functools.lru_cache(maxsize=512)
def _backend_name(cls: Any) -> str | None:
    """Return the name of the backend whose arrays have this type; imports nothing to find out."""
    from xpmd.plugins import list as list_components

    owners = {
        module: entry.name
        for entry in list_components("backend")
        for module in (entry.modules or (entry.name,))
    }
    for base in cls.__mro__:
        name = owners.get(base.__module__.partition(".")[0])
        if name is not None:
            return name
    return None


def backend_of(*arrays: Any) -> Backend:
    """Return the one backend that all given arrays belong to.

    Raises:
        BackendError: they belong to several, or none is an array of a known backend.
    """
    names = {}
    for array in arrays:
        raw = getattr(array, "__xpmd_primal__", array)
        kind: Any = type(raw)
        name = _backend_name(kind)
        if name is not None:
            names[name] = kind
    if len(names) == 1:
        return backend(next(iter(names)))
    if not names:
        types = sorted({type(array).__name__ for array in arrays})
        raise BackendError(
            f"No array of a known backend among {types}; see md.plugins.list('backend')."
        )
    raise BackendError(
        f"Arrays of several backends were mixed: {sorted(names)}. Convert them to one library first."
    )
