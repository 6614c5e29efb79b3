"""What a library of arrays must offer beyond the Array API standard.

A backend is resolved once, when a `System` is built, and passed down. The methods here describe an
eager library; a library that compiles overrides the control flow, one with its own differentiation
the derivatives. Flat tuples of arrays go in and come out: no library sees a component.
"""

from __future__ import annotations

import functools
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from xpmd.errors import BackendError, GradientError

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
        deterministic_index_add: `index_add` repeats bit for bit, on the CPU if it has one.
        pair_layout: "half" lists each pair once, "full" lists it from both ends, for gathers only.
        lists_on_host: rows of neighbors are found by the host, and their entries of the same place
            follow one another in memory.
        index_dtype: type of integers that index fastest.
        devices: kinds of device it can use.
    """

    jit: bool = False
    native_ad: bool = False
    dynamic_shapes: bool = True
    in_place: bool = True
    deterministic_index_add: bool = True
    pair_layout: Literal["half", "full"] = "half"
    lists_on_host: bool = False
    index_dtype: str = "int64"
    devices: tuple[str, ...] = ("cpu",)


class Backend(ABC):
    """One array library."""

    name: ClassVar[str]
    capabilities: Capabilities = Capabilities()

    def __repr__(self) -> str:
        return f"<xpmd backend {self.name}>"

    def __reduce__(self) -> Any:
        # There is one a process: what is compiled is kept by it.
        return backend, (self.name,)

    def process_variables(self) -> dict[str, str]:
        """Return what another process needs in its environment to make the same arrays."""
        return {}

    # -- arrays ---------------------------------------------------------------------------------

    @staticmethod
    def availability() -> str | None:
        """Return `None` if the backend can be used here, else the reason why not."""
        return None

    @abstractmethod
    def xp(self, *arrays: Array) -> Any:
        """Return the namespace for these arrays: the differentiating one if one is being followed."""

    def asarray(self, value: Any, *, dtype: str | None = None, device: Any = None) -> Array:
        """Return `value` as an array that may share its memory; gradients are kept, also in lists.

        Args:
            value: a number, an array of this library or on the host, a range, or nested lists of numbers
                and arrays of this library.
            dtype: "float32", "float64", "int32", "bool", ...; that of the value if left out, where
                Python's floats become the library's default.
            device: the library's own device object; that of the value, else the default, if left out.

        Raises:
            TypeError: the value is a masked array with something masked.
            BackendError: the library cannot make it as asked.
        """
        if isinstance(value, (list, tuple)):
            own = next(self._own_arrays(value), None)
            if own is not None:
                # A library that read the numbers out of them would cut their gradients.
                dtype = self.dtype_name(own) if dtype is None else dtype
                parts = [self.asarray(part, dtype=dtype, device=device) for part in value]
                return self.xp(*parts).stack(parts)
        elif hasattr(value, "filled") and getattr(value, "mask", False) is not False:
            _refuse_masked(value)
        return self.from_value(value, dtype=dtype, device=device)

    @abstractmethod
    def from_value(self, value: Any, *, dtype: str | None, device: Any) -> Array:
        """Return a value as an array, as `asarray` does for all but lists with arrays in them."""

    def _own_arrays(self, values: Iterable[Any]) -> Iterator[Array]:
        for value in values:
            if isinstance(value, (list, tuple)):
                yield from self._own_arrays(value)
            elif not isinstance(value, (float, int)) and self.must_be_stacked(value):
                yield value

    def must_be_stacked(self, value: Any) -> bool:
        """Return whether a list that holds this value is made an array by stacking."""
        return self.is_array(value)

    @abstractmethod
    def is_array(self, value: Any) -> bool:
        """Return whether `value` is an array of this library, one being differentiated included."""

    @abstractmethod
    def to_numpy(self, array: Array) -> Any:
        """Return a NumPy array on the host, without gradient; not to be written to."""

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

    def compiled(self) -> Backend:
        """Return the backend for the same arrays that compiles what a simulation does, itself if none."""
        return self

    def jit(self, function: Callable[..., Any], *, exact: bool = False) -> Callable[..., Any]:
        """Return the function compiled, where the library does that.

        Args:
            exact: round as written, so that the same formula in two functions agrees to the bit.
        """
        return function

    def keep_compiled(self, folder: str | os.PathLike[str] | None = None) -> Path | None:
        """Keep what is compiled from now on in a folder, so that the next process need not compile it.

        Args:
            folder: made if it does not exist; `xpmd` in the user's cache folder if left out.

        Returns:
            The folder, `None` for a library that compiles nothing or keeps it by itself.
        """
        return None

    def repeat(
        self, body: Callable[[Array, Arrays], Arrays], carry: Arrays, times: Any, at_most: int
    ) -> Arrays:
        """Apply `carry = body(k, carry)` for k = 0 ... times - 1.

        Args:
            times: how often; may be an array where functions are compiled.
            at_most: a fixed upper bound of `times`.
        """
        for k in range(min(int(times), at_most)):
            carry = body(k, carry)
        return carry

    def repeat_keeping(
        self,
        body: Callable[[Array, Arrays], Arrays],
        carry: Arrays,
        times: Any,
        at_most: int,
        pick: Callable[[Arrays], Arrays],
    ) -> tuple[Arrays, Any]:
        """Do as `repeat`, and keep a part of every carry.

        Args:
            pick: what to keep of a carry.

        Returns:
            The last carry, and rows 0 ... times, to be read by `row`, `stacked_rows` and `packed_rows`
            only: that before each call of `body`, and that at the end. A list of them, or a tuple of
            arrays that hold them along the first axis.
        """
        rows = [pick(carry)]
        for k in range(min(int(times), at_most)):
            carry = body(k, carry)
            rows.append(pick(carry))
        return carry, rows

    def row(self, rows: Any, k: Any) -> Arrays:
        """Return row `k` of what `repeat_keeping` kept."""
        if isinstance(rows, list):
            return rows[k]  # type: ignore[no-any-return]
        return tuple(column[k, ...] for column in rows)

    def stacked_rows(self, rows: Any, places: Sequence[int]) -> Arrays:
        """Return the rows at some places, stacked along a new first axis."""
        chosen = [rows[k] for k in places if k < len(rows)]
        return tuple(self._stack(column) for column in zip(*chosen, strict=True))

    def packed_rows(self, rows: Any, count: int) -> Any:
        """Return the first `count` parts of every row, in little more memory than their numbers take."""
        if not isinstance(rows, list):
            return tuple(rows[:count])
        columns = zip(*(row[:count] for row in rows), strict=True)
        return tuple(self._stack(column) for column in columns)

    def scan(
        self,
        body: Callable[[Arrays, Any], tuple[Arrays, Arrays]],
        carry: Arrays,
        xs: Sequence[Any],
    ) -> tuple[Arrays, list[Arrays] | Arrays]:
        """Thread `carry` through `carry, y = body(carry, x)` for each x of a list of numbers.

        Returns:
            The last carry and the ys, each stacked along a new first axis. Of an empty list, a library
            that does not compile knows no ys and returns none.
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

    def settled(self, *arrays: Array) -> Arrays:
        """Return the arrays as they are, computed before anything is made of them; gradients pass.

        A compiler may compute a value again wherever it is used, which is slow if that is often. This
        is where backends with such a compiler prevent it.

        Args:
            arrays: of at least one entry each; the first holds numbers.
        """
        return arrays

    def host_call(
        self,
        function: Callable[..., Sequence[Any]],
        like: Sequence[tuple[Any, str]],
        *arrays: Array,
    ) -> Arrays:
        """Call a host function on NumPy copies of arrays; no gradient passes.

        Args:
            function: takes and returns NumPy arrays; does not write to those it takes.
            like: shape and type of each array returned; a shape of `None` is whatever comes, where
                `capabilities.dynamic_shapes`.

        Raises:
            BackendError: an array returned has another shape.
        """
        results = tuple(function(*(self.to_numpy(array) for array in arrays)))
        device = self.device_of(arrays[0]) if arrays else None
        for result, (shape, _) in zip(results, like, strict=True):
            if shape is not None and tuple(result.shape) != tuple(shape):
                raise BackendError(
                    f"A host function returned an array of shape {tuple(result.shape)}, and "
                    f"{tuple(shape)} was announced."
                )
        return tuple(
            self.asarray(result, dtype=dtype, device=device)
            for result, (_, dtype) in zip(results, like, strict=True)
        )

    def outside(self, function: Callable[..., Arrays], *arrays: Array) -> Arrays:
        """Return what a function of arrays gives; no gradient passes.

        A library that compiles only what is worth it may run it as it stands, between compiled parts.
        """
        return function(*arrays)

    # -- derivatives ----------------------------------------------------------------------------

    @abstractmethod
    def stop_gradient(self, array: Array) -> Array:
        """Return the array as a constant, in both directions of differentiation."""

    @abstractmethod
    def radial(self, function: Callable[[Array], Array], at: Array) -> Array:
        """Return the elementwise derivative of a function, itself differentiable."""

    @abstractmethod
    def vjp(
        self, function: Callable[..., Arrays], *xs: Array
    ) -> tuple[Arrays, Callable[[Sequence[Array | None]], tuple[Array | None, ...]]]:
        """Return the outputs of a function and the pull of their cotangents back to each x.

        A cotangent of `None` stands for zero. The pull may be called several times; it gives zeros for an
        x that no output depends on, and `None` for one that is not floating.
        """

    @abstractmethod
    def jvp(
        self, function: Callable[..., Arrays], xs: Arrays, tangents: Sequence[Array | None]
    ) -> tuple[Arrays, tuple[Array | None, ...]]:
        """Return the outputs of a function and their tangents.

        A tangent of `None` stands for zero; an x that is not floating has no other. Outputs that are not
        floating have `None`.
        """

    def jvp_many(
        self, function: Callable[..., Arrays], xs: Arrays, directions: Sequence[Arrays]
    ) -> tuple[Arrays, list[Arrays]]:
        """Return the outputs of a function and their tangents along several directions."""
        outs: Arrays = ()
        found = []
        for tangents in directions:
            outs, moved = self.jvp(function, xs, tangents)
            found.append(moved)
        return outs, found

    def without_derivative(self, array: Array, reason: str) -> Array:
        """Return an array; a derivative with respect to it raises `GradientError`, for a reason."""
        if self.is_followed(array):
            raise GradientError(reason)
        return array

    def is_followed(self, value: Any) -> bool:
        """Return whether a value is being differentiated now."""
        return False

    def captures(self, function: Callable[..., Arrays], *xs: Array) -> bool:
        """Return whether a function of constants follows a gradient all the same, of what it captured.

        Libraries that raise an error of their own in that case say no.
        """
        outs = function(*(self.stop_gradient(x) for x in xs))
        return any(self.is_followed(out) for out in outs)

    @abstractmethod
    def custom_vjp(
        self,
        primal: Callable[..., Arrays],
        forward: Callable[..., tuple[Arrays, Any]],
        backward: Callable[[Any, Arrays], Sequence[Array | None]],
        *,
        selective: bool = False,
    ) -> Callable[..., Arrays]:
        """Return a function with its own reverse rule.

        Args:
            primal: outputs from inputs, used when nothing is differentiated.
            forward: outputs and residuals from inputs.
            backward: one cotangent or `None` for each input, from residuals and output cotangents.
            selective: whether `forward` takes a keyword `wanted` as well, one flag an input: whether
                a cotangent of it will be looked at.
        """

    @abstractmethod
    def custom_jvp(
        self,
        primal: Callable[..., Arrays],
        rule: Callable[[Arrays, Sequence[Array | None]], tuple[Arrays, Sequence[Array | None]]],
        *,
        one_way: bool = False,
    ) -> Callable[..., Arrays]:
        """Return a function with its own forward rule; going back through it raises `GradientError`.

        Args:
            primal: outputs from inputs, used when nothing is differentiated.
            rule: outputs and their tangents, from inputs and their tangents; `None` stands for zero.
            one_way: whether to go back through it raises `GradientError`; else the library decides.
        """

    @abstractmethod
    def value_and_grad(
        self, function: Callable[..., tuple[Array, Arrays]], xs: Arrays
    ) -> tuple[Array, Arrays, Arrays]:
        """Differentiate `(value, extra arrays) = function(*xs)` in reverse.

        Returns:
            The value, its gradient with respect to each x (`None` if it is not floating), and the extra
            arrays.

        Raises:
            GradientError: the value depends on none of the inputs.
        """

    # -- scatter and special functions ----------------------------------------------------------

    @abstractmethod
    def index_add(self, n_rows: int, rows: Array, values: Array) -> Array:
        """Return `(n_rows, ...)` sums of `values` `(m, ...)` by row `(m,)`; repeated rows add up."""

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


def _refuse_masked(value: Any) -> None:
    """Raise for a masked array, whose mask no library of ours would look at."""
    n_masked = int(value.mask.sum())
    if n_masked:
        raise TypeError(
            f"A masked array with {n_masked} masked value(s) was given. Fill them in with "
            "`.filled(...)` or leave them out."
        )


#: Names of backends by type of array; a type that is unknown now may be registered later.
_names: dict[type, str] = {}


def _backend_name(cls: type) -> str | None:
    """Return the name of the backend whose arrays have this type; imports nothing to find out."""
    known = _names.get(cls)
    if known is not None:
        return known
    from xpmd.plugins import list as list_components

    owners = {
        module: entry.name
        for entry in list_components("backend")
        for module in (entry.modules or (entry.name,))
    }
    for base in cls.__mro__:
        name = owners.get(base.__module__.partition(".")[0])
        if name is not None:
            _names[cls] = name
            return name
    return None


def backend_of(*arrays: Any) -> Backend:
    """Return the one backend that all given arrays belong to; other values are passed over.

    Raises:
        BackendError: they belong to several, or none is an array of a known backend.
    """
    names: dict[str, type] = {}
    strangers: dict[str, None] = {}
    for array in arrays:
        kind = type(getattr(array, "__xpmd_primal__", array))
        name = _backend_name(kind)
        if name is not None:
            names.setdefault(name, kind)
        else:
            strangers[_full_name(kind)] = None
    if len(names) == 1:
        return backend(next(iter(names)))
    if not names:
        from xpmd.plugins import list as list_components

        known = ", ".join(sorted(entry.name for entry in list_components("backend")))
        raise BackendError(
            f"No array of a known backend among {list(strangers)}; known are the arrays of {known}. "
            "Convert yours to one of them first, or install the plugin that knows it."
        )
    found = " and ".join(f"{name} ({_full_name(kind)})" for name, kind in sorted(names.items()))
    raise BackendError(
        f"Arrays of several backends were mixed: {found}. Convert them to one library first."
    )


def _full_name(cls: type) -> str:
    return (
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    )
