"""A backend's arrays: made, moved to the host, and put through the functions that physics uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpmd.backend import Backend
from xpmd.noise import host_noise, stream_keys, threefry2x32
from xpmd.testing.agreement import host_namespace, on_host, require_close
from xpmd.testing.check import ConformanceError

Array = Any

_STREAM = 49
#: Functions of one array by the numbers they are defined for.
_ELEMENTWISE = {
    "any": ["abs", "atan", "ceil", "cos", "cosh", "exp", "expm1", "floor", "negative", "round"],
    "any too": ["sign", "sin", "sinh", "square", "tan", "tanh"],
    "positive": ["log", "log1p", "log2", "log10", "sqrt"],
    "below one": ["acos", "asin", "atanh"],
}
#: Functions of several arrays, or with options.
_OTHERS: dict[str, Callable[[Any, Array, Array], Array]] = {
    "add": lambda xp, a, b: a + b,
    "all": lambda xp, a, b: xp.all(a > -9.0),
    "any": lambda xp, a, b: xp.any(a > 1.0, axis=0),
    "argmax": lambda xp, a, b: xp.argmax(a, axis=1),
    "argsort": lambda xp, a, b: xp.argsort(a[0, :]),
    "astype": lambda xp, a, b: xp.astype(xp.astype(a > b, xp.int32), a.dtype),
    "atan2": lambda xp, a, b: xp.atan2(a, b),
    "broadcast_to": lambda xp, a, b: xp.broadcast_to(a[0, :], (2, *a.shape)),
    "clip": lambda xp, a, b: xp.clip(a, -0.5, 0.5),
    "comparison": lambda xp, a, b: xp.where((a < b) | (a >= 1.0), a, b),
    "concat": lambda xp, a, b: xp.concat([a, b], axis=1),
    "cumulative_sum": lambda xp, a, b: xp.cumulative_sum(a, axis=1),
    "divide": lambda xp, a, b: a / (b * b + 1.0),
    "expand_dims": lambda xp, a, b: xp.expand_dims(a, axis=1),
    "eye": lambda xp, a, b: xp.eye(3, dtype=a.dtype),
    "full_like": lambda xp, a, b: xp.full_like(a, 3.0),
    "indexing": lambda xp, a, b: a[:, 1:3] + a[1, None, 0:2],
    "integer power": lambda xp, a, b: a**3 + a**-2,
    "linspace": lambda xp, a, b: xp.linspace(0.0, 1.0, 5, dtype=a.dtype),
    "matmul": lambda xp, a, b: a @ b.T,
    "maximum": lambda xp, a, b: xp.maximum(a, b) - xp.minimum(a, b),
    "mean": lambda xp, a, b: xp.mean(a, axis=0),
    "min and max": lambda xp, a, b: xp.max(a, axis=1) - xp.min(a, axis=1),
    "permute_dims": lambda xp, a, b: xp.permute_dims(a, (1, 0)),
    "power": lambda xp, a, b: xp.abs(a) ** b,
    "remainder": lambda xp, a, b: xp.remainder(a, xp.abs(b) + 0.5),
    "reshape": lambda xp, a, b: xp.reshape(a, (-1,)),
    "searchsorted": lambda xp, a, b: xp.searchsorted(xp.sort(a[0, :]), b[0, :]),
    "sort": lambda xp, a, b: xp.sort(a, axis=1),
    "stack": lambda xp, a, b: xp.stack([a, b], axis=-1),
    "sum": lambda xp, a, b: xp.sum(a, axis=1),
    "take": lambda xp, a, b: xp.take(a, xp.argsort(b[:, 0]), axis=0),
    "tril": lambda xp, a, b: xp.tril(a),
    "vecdot": lambda xp, a, b: xp.vecdot(a, b),
    "where": lambda xp, a, b: xp.where(a > 0.0, a, xp.zeros_like(a)),
}


def arrays(on: Backend) -> None:
    """Arrays of every type come back from the host as they went in, and say what they are."""
    xp = host_namespace()
    for dtype in ("float64", "float32", "int32", "int64", "bool"):
        value = xp.asarray([[0, 1, 2], [3, 0, 5]], dtype=getattr(xp, dtype))
        for given, way in ((value, "a host array"), (value.tolist(), "nested lists")):
            array = on.asarray(given, dtype=dtype)
            if on.dtype_name(array) != dtype or not on.is_array(array):
                raise ConformanceError(
                    f"asarray({way}, dtype='{dtype}') gives {array!r}, whose type is called "
                    f"'{on.dtype_name(array)}' and which is{'' if on.is_array(array) else ' not'} "
                    "taken for an array."
                )
            back = on.to_numpy(array)
            if not (back.dtype == value.dtype and bool(xp.all(back == value))):
                raise ConformanceError(f"{value!r} comes back from the host as {back!r}.")
    numbers = on.asarray(range(2, 11, 3), dtype="int32")
    require_close("asarray(range(2, 11, 3))", on_host(numbers), [2, 5, 8], wanted_is="must be")
    scalar = on.asarray(1.5, dtype="float64")
    if tuple(scalar.shape) != () or float(on.to_numpy(scalar)) != 1.5:
        raise ConformanceError(f"asarray(1.5) gives {scalar!r}, no array without dimensions.")
    again = on.asarray(scalar, dtype="float32", device=on.device_of(scalar))
    if on.dtype_name(again) != "float32":
        raise ConformanceError("asarray(array, dtype='float32') keeps another type.")
    for value in ("word", None, [1.0], 1.0):
        if on.is_array(value):
            raise ConformanceError(f"{value!r} is taken for an array.")
    known = on.known(scalar)
    if known is None or float(known) != 1.5:
        raise ConformanceError(f"known(array) is {known!r} outside compiled code.")


def namespace(on: Backend) -> None:
    """The functions of the standard give NumPy's numbers, in float64 and float32."""
    host = host_namespace()
    a, b = (host_noise(0, _STREAM, k).normal(0, (4, 5)) for k in (0, 1))
    places = {"any": a, "any too": a, "positive": host.abs(a) + 0.1, "below one": host.tanh(a)}
    for dtype, accuracy in (("float64", 1e-14), ("float32", 1e-5)):
        for domain, names in _ELEMENTWISE.items():
            # From numbers that float32 holds exactly, or rounding would be counted twice.
            here = host.asarray(
                host.asarray(places[domain], dtype=host.float32), dtype=host.float64
            )
            given = on.asarray(here, dtype=dtype)
            for name in names:
                found = getattr(on.xp(given), name)(given)
                _require(name, dtype, found, getattr(host, name)(here), accuracy, on)
        first, second = (
            host.asarray(host.asarray(x, dtype=host.float32), dtype=host.float64) for x in (a, b)
        )
        mine = tuple(on.asarray(x, dtype=dtype) for x in (first, second))
        for name, function in _OTHERS.items():
            found = function(on.xp(*mine), *mine)
            _require(name, dtype, found, function(host, first, second), accuracy, on)


def _require(
    name: str, dtype: str, found: Array, wanted: Array, accuracy: float, on: Backend
) -> None:
    kind = on.dtype_name(found)
    if "float" in str(host_namespace().asarray(wanted).dtype) and kind != dtype:
        raise ConformanceError(f"{name} of arrays of type {dtype} has type {kind}.")
    wanted = host_namespace().asarray(wanted)
    if not on.is_array(found):
        raise ConformanceError(f"{name} returns {found!r}, which is not taken for an array.")
    require_close(
        f"{name} in {dtype}",
        on_host(found),
        host_namespace().asarray(wanted, dtype=host_namespace().float64),
        wanted_is="NumPy gives",
        relative=accuracy,
    )


def noise(on: Backend) -> None:
    """The random numbers of the library are the published ones, to the last bit."""
    # Known answers of Random123 for key and counter 0, and for all bits set.
    published = [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((-1, -1), (-1, -1), (0x1CB996FC, 0xBB002BE7)),
    ]
    for key, counter, wanted in published:
        words = tuple(on.asarray([word], dtype="int32") for word in counter)
        found = threefry2x32(key, words, xp=on.xp(*words))
        got = tuple(int(on.to_numpy(word)[0]) & 0xFFFFFFFF for word in found)
        if got != wanted:
            raise ConformanceError(
                f"Threefry-2x32 of the counter {counter} gives {got}, published is {wanted}: int32 must "
                "wrap around, and `>>` must keep the sign."
            )
    from xpmd.noise import Noise

    host = host_namespace()
    xp = on.xp(on.asarray(0.0, dtype="float64"))
    keys = stream_keys(7, 1)
    ours = Noise(on.asarray(keys, dtype="int32"), 3, xp=xp, dtype=xp.float64).uniform(0, (9,))
    theirs = Noise(keys, 3, xp=host, dtype=host.float64).uniform(0, (9,))
    if not bool(host.all(on_host(ours) == theirs)):
        raise ConformanceError("uniform random numbers in float64 differ from those on the host.")
