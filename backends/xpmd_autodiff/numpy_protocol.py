"""NumPy's own functions applied to wrapped arrays, such as `numpy.sqrt` in a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xpmd.errors import GradientError
from xpmd_autodiff.rules import COMPOSITES, CONSTANTS, RULES

Array = Any

#: NumPy's names where they differ from the standard's.
_NAMES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "fabs": "abs",
    "power": "pow",
    "rint": "round",
    "true_divide": "divide",
}
_REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
#: Keyword arguments of NumPy that change nothing when they have these values.
_NEUTRAL: dict[str, Any] = {"out": None, "where": True, "order": "C", "dtype": None, "kind": None}
#: NumPy functions that look at values only.
_LOOKING = CONSTANTS | frozenset(
    [
        "shape",
        "ndim",
        "size",
        "isclose",
        "allclose",
        "array_equal",
        "around",
        "fix",
        "array_repr",
        "array_str",
    ]
)


def apply_ufunc(
    namespace: Any, ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Apply a NumPy ufunc to arrays, some of them wrapped.

    Args:
        namespace: the differentiating namespace.
        ufunc: NumPy's function object.
        method: how it was called: "__call__" or the name of one of its methods.
        inputs: the arrays.
        kwargs: keyword arguments of the call.
    """
    kwargs = _without_neutral(ufunc.__name__, kwargs)
    if method == "__call__":
        name = _NAMES.get(ufunc.__name__, ufunc.__name__)
    elif method == "reduce" and ufunc.__name__ in _REDUCTIONS:
        name = _REDUCTIONS[ufunc.__name__]
        kwargs.setdefault("axis", 0)
    else:
        raise _refused(f"numpy.{ufunc.__name__}.{method}")
    if name not in RULES and name not in COMPOSITES and name not in CONSTANTS:
        raise _refused(f"numpy.{ufunc.__name__}")
    if name in CONSTANTS:
        return ufunc(*(namespace.primal(one) for one in inputs), **kwargs)
    return getattr(namespace, name)(*inputs, **kwargs)


def apply_function(namespace: Any, func: Any, args: Any, kwargs: Any) -> Any:
    """Apply a NumPy function that is no ufunc to arrays, some of them wrapped.

    Args:
        namespace: the differentiating namespace.
        func: NumPy's function.
        args: arguments of the call.
        kwargs: keyword arguments of the call.
    """
    name = func.__name__
    if func.__module__ == "numpy.fft":
        return _transform(namespace, name, *args, **kwargs)
    if func.__module__ == "numpy.linalg":
        if name == "norm":
            return _norm(namespace, *args, **kwargs)
        if name == "svd":
            return _svd(namespace, *args, **kwargs)
        if f"linalg.{name}" in RULES or f"linalg.{name}" in COMPOSITES:
            return getattr(namespace.linalg, name)(*args, **kwargs)
        raise _refused(f"numpy.linalg.{name}")
    if name in _LOOKING:
        plain = {key: namespace.primal(value) for key, value in kwargs.items()}
        return func(*(namespace.primal(one) for one in args), **plain)
    kwargs = _without_neutral(name, kwargs)
    if name in _SPELLED:
        return _SPELLED[name](namespace, *args, **kwargs)
    if name in RULES or name in COMPOSITES:
        return getattr(namespace, name)(*args, **kwargs)
    raise _refused(f"numpy.{name}")


def _without_neutral(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, value in kwargs.items():
        if key == "out" and value is not None:
            raise GradientError(
                f"numpy.{name} was to write a value that is being differentiated into a plain "
                "array. Assign the result instead: `y = y + x`, not `y += x`."
            )
        if key not in _NEUTRAL or value is not _NEUTRAL[key]:
            kept[key] = value
    return kept


def _refused(name: str) -> GradientError:
    return GradientError(
        f"`{name}` has no rule for differentiation. Use functions of the array's "
        "`__array_namespace__()`, or `stop_gradient` first if no derivative is wanted."
    )


def _norm(xp: Any, x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    two_axes = isinstance(axis, tuple) and len(axis) == 2
    if ord is None or (ord == "fro" and (two_axes or (axis is None and x.ndim == 2))):
        return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims)
    if two_axes or (axis is None and x.ndim != 1):
        raise _refused(f"numpy.linalg.norm of a matrix with `ord` = {ord!r}")
    return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)


def _transform(
    xp: Any,
    name: str,
    x: Array,
    size: Any = None,
    axis: Any = None,
    norm: Any = None,
    **kwargs: Any,
) -> Array:
    known = f"fft.{name}"
    if known not in RULES and known not in COMPOSITES:
        raise _refused(f"numpy.{known}")
    if "shift" in name:
        return getattr(xp.fft, name)(x, axes=kwargs.get("axes", size))
    several = name.endswith("n")
    names = ("s", "axes") if several else ("n", "axis")
    given = dict(zip(names, (size, axis), strict=True))
    given.update({key: value for key, value in kwargs.items() if key != "out"})
    if given[names[1]] is None and not several:
        given["axis"] = -1
    return getattr(xp.fft, name)(x, norm=norm or "backward", **given)


def _svd(
    xp: Any, x: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    if hermitian:
        raise _refused("numpy.linalg.svd with `hermitian` = True")
    if not compute_uv:
        return xp.linalg.svdvals(x)
    return xp.linalg.svd(x, full_matrices=full_matrices)


def _reduction(name: str) -> Callable[..., Any]:
    def reduce(xp: Any, x: Array, axis: Any = None, **kwargs: Any) -> Array:
        if "ddof" in kwargs:
            kwargs["correction"] = kwargs.pop("ddof")
        return getattr(xp, name)(x, axis=axis, **kwargs)

    return reduce


def _cumsum(xp: Any, x: Array, axis: int | None = None) -> Array:
    if axis is None:
        return xp.cumulative_sum(xp.reshape(x, (-1,)), axis=0)
    return xp.cumulative_sum(x, axis=axis)


def _transpose(xp: Any, x: Array, axes: Any = None) -> Array:
    return xp.permute_dims(x, tuple(range(x.ndim))[::-1] if axes is None else tuple(axes))


def _squeeze(xp: Any, x: Array, axis: Any = None) -> Array:
    ones = tuple(at for at, size in enumerate(x.shape) if size == 1)
    return xp.squeeze(x, axis=ones if axis is None else axis)


def _dot(xp: Any, a: Array, b: Array) -> Array:
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        return a * b
    if b.ndim > 2:
        return xp.tensordot(a, b, axes=((a.ndim - 1,), (b.ndim - 2,)))
    return a @ b


def _take(xp: Any, x: Array, indices: Any, axis: int | None = None) -> Array:
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    return xp.take(x, xp.asarray(indices), axis=axis)


def _of_a_matrix(name: str) -> Callable[..., Any]:
    def apply(xp: Any, x: Array, offset: int = 0) -> Array:
        if x.ndim != 2:
            raise _refused(f"numpy.{name} of an array of {x.ndim} axes")
        return getattr(xp.linalg, name)(x, offset=offset)

    return apply


def _clip(xp: Any, x: Array, a_min: Any = None, a_max: Any = None, **kwargs: Any) -> Array:
    return xp.clip(x, kwargs.get("min", a_min), kwargs.get("max", a_max))


#: NumPy's functions whose arguments differ from the standard's.
_SPELLED: dict[str, Callable[..., Any]] = {
    **{name: _reduction(name) for name in ("sum", "prod", "mean", "max", "min", "var", "std")},
    "amax": _reduction("max"),
    "amin": _reduction("min"),
    "clip": _clip,
    "concatenate": lambda xp, arrays, axis=0: xp.concat(arrays, axis=axis),
    "cross": lambda xp, a, b, axis=-1: xp.linalg.cross(a, b, axis=axis),
    "cumsum": _cumsum,
    "diagonal": _of_a_matrix("diagonal"),
    "dot": _dot,
    "expand_dims": lambda xp, x, axis: xp.expand_dims(x, axis=axis),
    "outer": lambda xp, a, b: xp.linalg.outer(xp.reshape(a, (-1,)), xp.reshape(b, (-1,))),
    "ravel": lambda xp, x: xp.reshape(x, (-1,)),
    "repeat": lambda xp, x, repeats, axis=None: xp.repeat(x, repeats, axis=axis),
    "sort": lambda xp, x, axis=-1: xp.sort(x, axis=axis),
    "squeeze": _squeeze,
    "stack": lambda xp, arrays, axis=0: xp.stack(arrays, axis=axis),
    "take": _take,
    "tensordot": lambda xp, a, b, axes=2: xp.tensordot(a, b, axes=axes),
    "tile": lambda xp, x, reps: xp.tile(x, (reps,) if isinstance(reps, int) else tuple(reps)),
    "trace": _of_a_matrix("trace"),
    "transpose": _transpose,
}
