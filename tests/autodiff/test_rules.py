"""Every rule of the table against finite differences, JAX and torch, and its own transpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_compat
import array_api_compat.torch
import jax
import numpy as np
import pytest
import torch

from xpmd_autodiff.rules import COMPOSITES, CONSTANTS, RULES

_numbers = np.random.default_rng(7)


def inside(low: float, high: float, *shape: int) -> np.ndarray:
    return _numbers.uniform(low, high, shape)


def complex_numbers(*shape: int) -> np.ndarray:
    return inside(0.3, 1.3, *shape) + 1j * inside(-0.9, 0.9, *shape)


def well_conditioned(*shape: int) -> np.ndarray:
    return inside(-0.3, 0.3, *shape) + 2 * np.eye(shape[-1])


@dataclass
class Example:
    """Arguments at which a function is differentiated.

    Attributes:
        function: (xp, *xs) -> array or tuple of arrays.
        xs: floating arguments.
        jax: the same function for JAX, where the standard's spelling does not exist.
        torch: the same function for torch.
        only_ours: whether no library has the function.
        beyond_strict: whether the strict namespace refuses it.
    """

    function: Callable[..., Any]
    xs: tuple[np.ndarray, ...]
    jax: Callable[..., Any] | None = None
    torch: Callable[..., Any] | None = None
    only_ours: bool = False
    beyond_strict: bool = False


def unary(name: str, low: float, high: float) -> Example:
    return Example(lambda xp, x: getattr(xp, name)(x), (inside(low, high, 4, 3),))


def binary(name: str, low: float = 0.5, high: float = 1.5) -> Example:
    # Unlike shapes, so that the transpose of broadcasting is needed on either side.
    return Example(
        lambda xp, x, y: getattr(xp, name)(x, y),
        (inside(low, high, 4, 1, 3), inside(low, high, 2, 1)),
    )


def linear_algebra(name: str, *xs: np.ndarray, **kwargs: Any) -> Example:
    return Example(lambda xp, *args: getattr(xp.linalg, name)(*args, **kwargs), xs)


def integers(xp: Any, values: Any, like: Any = None) -> Any:
    return xp.asarray(values, dtype=xp.int64)


def symmetric_part(xp: Any, x: Any) -> Any:
    return x + xp.matrix_transpose(x)


def turned_by_attribute(xp: Any, x: Any) -> Any:
    # Ours have it always, arrays of NumPy since 2.0.
    return x.mT if hasattr(x, "mT") else xp.matrix_transpose(x)


def signless_eigenvectors(xp: Any, x: Any) -> tuple[Any, Any]:
    values, vectors = xp.linalg.eigh(symmetric_part(xp, x))
    return values, vectors * vectors


def phaseless_eigenvectors(xp: Any, x: Any) -> tuple[Any, Any]:
    values, vectors = xp.linalg.eigh(x + xp.conj(xp.matrix_transpose(x)))
    return values, xp.abs(vectors) ** 2


def signless_singular_vectors(xp: Any, x: Any) -> tuple[Any, Any, Any]:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    products = xp.expand_dims(u, axis=-2) * xp.expand_dims(xp.matrix_transpose(vh), axis=-3)
    return s, products, u * u


def fourier(name: str, *shape: int, real: bool = False, **kwargs: Any) -> Example:
    return Example(
        lambda xp, x: getattr(xp.fft, name)(x, **kwargs),
        (inside(-1, 1, *shape) if real else complex_numbers(*shape),),
    )


def holomorphic(name: str) -> Example:
    return Example(lambda xp, x: getattr(xp, name)(x), (complex_numbers(4, 3),))


def added(count: int, index: list[int]) -> Example:
    return Example(
        lambda xp, x: xp.index_add(count, integers(xp.plain, index), x),
        (inside(-1, 1, len(index), 3),),
        jax=lambda xp, x: xp.zeros((count, 3)).at[np.asarray(index)].add(x),
        torch=lambda xp, x: torch.zeros(count, 3, dtype=x.dtype).index_add(
            0, torch.asarray(index), x
        ),
    )


def picked(key: Callable[[Any], Any], *shape: int, beyond_strict: bool = False) -> Example:
    return Example(lambda xp, x: x[key(xp)], (inside(-1, 1, *shape),), beyond_strict=beyond_strict)


X = inside(-1, 1, 4, 3)
EXAMPLES: dict[str, list[Example]] = {
    **{name: [binary(name)] for name in ("add", "subtract", "multiply", "divide", "atan2")},
    **{name: [binary(name, -1, 1)] for name in ("minimum", "maximum", "hypot", "logaddexp")},
    **{name: [unary(name, -0.9, 0.9)] for name in ("asin", "acos", "atan", "atanh", "erf")},
    **{name: [unary(name, -2, 2)] for name in ("sin", "cos", "sinh", "cosh", "tanh", "asinh")},
    **{name: [unary(name, -2, 2)] for name in ("negative", "positive", "square")},
    **{name: [unary(name, 0.2, 2)] for name in ("log", "log1p", "log2", "log10", "sqrt")},
    **{name: [unary(name, -1, 1)] for name in ("exp", "expm1", "tan")},
    "abs": [unary("abs", -2, 2), holomorphic("abs")],
    "real": [holomorphic("real")],
    "imag": [holomorphic("imag")],
    "conj": [holomorphic("conj")],
    "sign": [
        unary("sign", 0.5, 2),
        Example(
            lambda xp, x: xp.sign(x),
            (complex_numbers(5),),
            jax=lambda xp, x: x / xp.abs(x),  # its own sign has slope 0 for complex numbers, too
            torch=lambda xp, x: torch.sgn(x),
        ),
    ],
    "reciprocal": [unary("reciprocal", 0.5, 2)],
    "acosh": [unary("acosh", 1.5, 3)],
    "remainder": [
        Example(lambda xp, x, y: xp.remainder(x, y), (inside(2.1, 2.9, 4, 3), inside(1, 1.02, 3)))
    ],
    "pow": [
        binary("pow"),
        *(
            Example(lambda xp, x, n=n: x**n, (inside(-2, -0.5, 5),))
            for n in (0, 1, 2, 3, 6, -1, -12, 7.0, -2.0, 80)
        ),
        Example(lambda xp, x: x**1.5, (inside(0.5, 2, 5),)),
        Example(lambda xp, x: x**-0.5, (inside(0.5, 2, 5),)),
        Example(lambda xp, x: 2.0**x, (inside(-1, 1, 5),)),
        Example(lambda xp, x: x ** xp.asarray([2.0, 3.0, 0.0]), (inside(0.5, 2, 3),)),
    ],
    "where": [
        Example(lambda xp, x, y: xp.where(x > y, x * y, y), (inside(-1, 1, 4, 3), inside(-1, 1, 3)))
    ],
    "clip": [
        Example(lambda xp, x: xp.clip(x, -0.4, 0.5), (X,)),
        Example(lambda xp, x: xp.clip(x, min=-0.4), (X,)),
        Example(lambda xp, x: xp.clip(x, max=0.4), (X,)),
        Example(
            lambda xp, x, low, high: xp.clip(x, low, high),
            (X, inside(-0.5, -0.3, 3), inside(0.3, 0.5, 4, 1)),
            torch=lambda xp, x, low, high: torch.clamp(x, low, high),
        ),
    ],
    **{
        name: [
            Example(lambda xp, x, name=name: getattr(xp, name)(x), (inside(0.5, 2, 3, 4),)),
            Example(lambda xp, x, name=name: getattr(xp, name)(x, axis=1), (inside(0.5, 2, 3, 4),)),
            Example(
                lambda xp, x, name=name: getattr(xp, name)(x, axis=-2, keepdims=True),
                (inside(0.5, 2, 2, 3, 4),),
            ),
        ]
        for name in ("sum", "mean", "prod", "max", "min", "var", "std")
    },
    "cumulative_sum": [
        Example(lambda xp, x: xp.cumulative_sum(x, axis=1), (X,)),
        Example(lambda xp, x: xp.cumulative_sum(x, axis=-2, include_initial=True), (X,)),
        Example(lambda xp, x: xp.cumulative_sum(x), (inside(-1, 1, 5),)),
    ],
    "reshape": [Example(lambda xp, x: xp.reshape(x, (2, -1)), (X,))],
    "expand_dims": [Example(lambda xp, x: xp.expand_dims(x, axis=1), (X,))],
    "squeeze": [Example(lambda xp, x: xp.squeeze(x, axis=1), (inside(-1, 1, 3, 1, 2),))],
    "permute_dims": [
        Example(lambda xp, x: xp.permute_dims(x, (2, 0, 1)), (inside(-1, 1, 2, 3, 4),))
    ],
    "matrix_transpose": [
        Example(lambda xp, x: xp.matrix_transpose(x), (inside(-1, 1, 2, 3, 4),)),
        Example(turned_by_attribute, (inside(-1, 1, 2, 3, 4),)),
        Example(lambda xp, x: x.T, (X,)),
    ],
    "moveaxis": [Example(lambda xp, x: xp.moveaxis(x, 0, -1), (inside(-1, 1, 2, 3, 4),))],
    "broadcast_to": [Example(lambda xp, x: xp.broadcast_to(x, (2, 4, 3)), (inside(-1, 1, 4, 1),))],
    "broadcast_arrays": [
        Example(
            lambda xp, x, y: tuple(xp.broadcast_arrays(x, y)),
            (inside(-1, 1, 4, 1), inside(-1, 1, 3)),
        )
    ],
    "flip": [
        Example(lambda xp, x: xp.flip(x), (X,)),
        Example(lambda xp, x: xp.flip(x, axis=1), (X,)),
    ],
    "roll": [
        Example(lambda xp, x: xp.roll(x, 1, axis=0), (X,)),
        Example(lambda xp, x: xp.roll(x, (1, -1), axis=(0, 1)), (X,)),
        Example(lambda xp, x: xp.roll(x, 2), (X,)),
    ],
    "cast": [
        Example(lambda xp, x: xp.cast(xp.cast(x, xp.float64), xp.float64) * 2, (X,), only_ours=True)
    ],
    "concat": [
        Example(lambda xp, x, y: xp.concat([x, y, x], axis=1), (X, inside(-1, 1, 4, 2))),
        Example(lambda xp, x, y: xp.concat([x, y], axis=None), (X, inside(-1, 1, 2))),
    ],
    "stack": [Example(lambda xp, x, y: xp.stack([x, y], axis=-1), (X, inside(-1, 1, 4, 3)))],
    "unstack": [Example(lambda xp, x: xp.unstack(x, axis=1), (X,))],
    "tile": [
        Example(lambda xp, x: xp.tile(x, (2, 3)), (X,)),
        Example(lambda xp, x: xp.tile(x, (2, 1, 2)), (X,)),
    ],
    "repeat": [
        Example(lambda xp, x: xp.repeat(x, 2, axis=1), (X,)),
        Example(lambda xp, x: xp.repeat(x, 2), (X,)),
        Example(
            lambda xp, x: xp.repeat(x, integers(xp, [1, 0, 2, 3]), axis=0),
            (X,),
            beyond_strict=True,
        ),
    ],
    "meshgrid": [
        Example(
            lambda xp, x, y, kind=kind: tuple(xp.meshgrid(x, y, indexing=kind)),
            (inside(-1, 1, 3), inside(-1, 1, 2)),
        )
        for kind in ("xy", "ij")
    ],
    "getitem": [
        picked(lambda xp: 1, 4),
        picked(lambda xp: 1, 4, 3, beyond_strict=True),
        picked(lambda xp: (slice(1, 4, 2), -1), 5, 3),
        picked(lambda xp: (Ellipsis, 0), 4, 3),
        picked(lambda xp: (None, slice(None), 2), 4, 3),
        picked(lambda xp: integers(xp, [0, 2, 0, 3]), 4),
        picked(lambda xp: integers(xp, [0, 2, 0, 3]), 4, 3, beyond_strict=True),
        picked(lambda xp: integers(xp, [[0, 2], [1, -1]]), 4, 3, beyond_strict=True),
        picked(lambda xp: integers(xp, [[0, 2], [1, -1]]), 4),
        picked(lambda xp: (integers(xp, [0, 2, 0]), integers(xp, [1, 1, 1])), 4, 3),
        picked(lambda xp: (integers(xp, [-1, 2]),), 4),
    ],
    "getitem_transpose": [
        Example(
            lambda xp, x: xp.getitem_transpose(x, (slice(1, 4), 1), (5, 3)) ** 2,
            (inside(-1, 1, 3),),
            only_ours=True,
        )
    ],
    "take": [
        Example(lambda xp, x: xp.take(x, integers(xp, [3, 0, 3]), axis=0), (X,)),
        Example(lambda xp, x: xp.take(x, integers(xp, [2, 0]), axis=-1), (X,)),
    ],
    "take_along_axis": [
        Example(
            lambda xp, x: xp.take_along_axis(x, integers(xp, [[0, 2], [1, 1]]), axis=1),
            (inside(-1, 1, 2, 3),),
        )
    ],
    "index_add": [added(5, [0, 3, 0, 1, 0])],
    "sort": [
        Example(lambda xp, x: xp.sort(x, axis=0), (X,)),
        Example(lambda xp, x: xp.sort(x, descending=True), (X,)),
    ],
    "diff": [
        Example(lambda xp, x: xp.diff(x, axis=0), (X,)),
        Example(
            lambda xp, x, y: xp.diff(x, n=2, prepend=y),
            (X, inside(-1, 1, 4, 1)),
            torch=lambda xp, x, y: torch.diff(x, n=2, prepend=y),
        ),
    ],
    "matmul": [
        Example(lambda xp, x, y: x @ y, (inside(-1, 1, *one), inside(-1, 1, *other)))
        for one, other in [
            ((4, 3), (3, 2)),
            ((3,), (3,)),
            ((3,), (3, 2)),
            ((4, 3), (3,)),
            ((5, 1, 4, 3), (2, 3, 2)),
            ((3,), (2, 3, 4)),
            ((2, 4, 3), (3,)),
        ]
    ],
    "vecdot": [
        Example(lambda xp, x, y: xp.vecdot(x, y), (X, inside(-1, 1, 3))),
    ],
    "tensordot": [
        Example(lambda xp, x, y: xp.tensordot(x, y, axes=1), (X, inside(-1, 1, 3, 2))),
        Example(
            lambda xp, x, y: xp.tensordot(x, y, axes=((0, 2), (1, 0))),
            (inside(-1, 1, 2, 3, 4), inside(-1, 1, 4, 2, 3)),
        ),
    ],
    "linalg.vecdot": [linear_algebra("vecdot", X, inside(-1, 1, 4, 3))],
    "linalg.tensordot": [linear_algebra("tensordot", X, inside(-1, 1, 4, 3))],
    "linalg.matmul": [linear_algebra("matmul", X, inside(-1, 1, 3, 2))],
    "linalg.matrix_transpose": [linear_algebra("matrix_transpose", X)],
    "linalg.cross": [
        linear_algebra("cross", X, inside(-1, 1, 4, 3)),
        linear_algebra("cross", inside(-1, 1, 3, 2), inside(-1, 1, 3, 2), axis=-2),
    ],
    "linalg.outer": [linear_algebra("outer", inside(-1, 1, 3), inside(-1, 1, 2))],
    "linalg.diagonal": [
        linear_algebra("diagonal", inside(-1, 1, 2, 3, 4)),
        linear_algebra("diagonal", inside(-1, 1, 3, 4), offset=1),
        linear_algebra("diagonal", inside(-1, 1, 3, 4), offset=-1),
    ],
    "linalg.trace": [linear_algebra("trace", inside(-1, 1, 2, 3, 3))],
    "linalg.vector_norm": [
        linear_algebra("vector_norm", X),
        linear_algebra("vector_norm", X, axis=-1, keepdims=True),
        linear_algebra("vector_norm", X, axis=0, ord=1),
        linear_algebra("vector_norm", X, axis=0, ord=float("inf")),
    ],
    "linalg.matrix_norm": [linear_algebra("matrix_norm", inside(-1, 1, 2, 3, 4))],
    "linalg.inv": [linear_algebra("inv", well_conditioned(2, 3, 3))],
    "linalg.det": [linear_algebra("det", well_conditioned(2, 3, 3))],
    "linalg.solve": [
        linear_algebra("solve", well_conditioned(3, 3), inside(-1, 1, 3)),
        # Not (3, 2), which older versions of JAX take for two vectors instead of one matrix.
        linear_algebra("solve", well_conditioned(2, 3, 3), inside(-1, 1, 1, 3, 2)),
    ],
    "linalg.eigh": [Example(signless_eigenvectors, (np.diag([1.0, 2, 4]) + inside(0, 0.3, 3, 3),))],
    "linalg.svd": [
        Example(signless_singular_vectors, (inside(-1, 1, *shape),))
        for shape in ((3, 3), (2, 4, 2), (2, 4))
    ],
    "linalg.svdvals": [linear_algebra("svdvals", inside(-1, 1, 2, 4, 3))],
    "fft.fft": [
        fourier("fft", 5),
        fourier("fft", 3, 4, axis=0, norm="ortho"),
        fourier("fft", 2, 4, n=3),
        fourier("fft", 2, 4, n=6, norm="forward"),
    ],
    "fft.ifft": [fourier("ifft", 5), fourier("ifft", 3, 4, n=5, axis=0, norm="forward")],
    "fft.rfft": [
        fourier("rfft", 5, real=True),
        fourier("rfft", 4, 3, real=True, axis=0, norm="ortho"),
        fourier("rfft", 2, 5, real=True, n=4),
        fourier("rfft", 2, 5, real=True, n=8, norm="forward"),
    ],
    "fft.irfft": [
        fourier("irfft", 4),
        fourier("irfft", 4, n=7),
        fourier("irfft", 4, 3, axis=0, n=4, norm="ortho"),
        fourier("irfft", 2, 3, n=8, norm="forward"),
    ],
    "fft.fftn": [
        fourier("fftn", 2, 3, 4),
        fourier("fftn", 2, 3, 4, axes=(0, 2), s=(3, 2), norm="ortho"),
    ],
    "fft.ifftn": [fourier("ifftn", 3, 4), fourier("ifftn", 2, 3, 4, axes=(1,), s=(5,))],
    "fft.rfftn": [
        fourier("rfftn", 2, 3, 4, real=True),
        fourier("rfftn", 2, 3, 4, real=True, axes=(2, 0), s=(3, 5), norm="ortho"),
        fourier("rfftn", 2, 5, real=True, axes=(1,)),
    ],
    "fft.irfftn": [
        fourier("irfftn", 2, 3, 3),
        fourier("irfftn", 2, 3, 4, axes=(2, 0), s=(3, 5), norm="forward"),
    ],
    "fft.hfft": [fourier("hfft", 4, n=7), fourier("hfft", 2, 4)],
    "fft.ihfft": [fourier("ihfft", 5, real=True), fourier("ihfft", 2, 4, real=True, n=6)],
    "fft.fftshift": [fourier("fftshift", 5, real=True), fourier("fftshift", 3, 4, axes=1)],
    "fft.ifftshift": [fourier("ifftshift", 3, 4), fourier("ifftshift", 5, 2, axes=(0,))],
    "linalg.eigvalsh": [
        Example(
            lambda xp, x: xp.linalg.eigvalsh(symmetric_part(xp, x)),
            (np.diag([1.0, 2, 4]) + inside(0, 0.3, 3, 3),),
        )
    ],
    "astype": [Example(lambda xp, x: xp.astype(x, xp.float64) * 2, (X,))],
    "asarray": [Example(lambda xp, x: xp.asarray(x) * 2, (X,), only_ours=True)],
    "full": [
        Example(
            lambda xp, x: xp.full((2, 3), x),
            (np.asarray(0.7),),
            torch=lambda xp, x: x.expand(2, 3),
            beyond_strict=True,
        )
    ],
    "full_like": [
        Example(
            lambda xp, x, y: x * xp.full_like(x, y),
            (X, np.asarray(0.7)),
            torch=lambda xp, x, y: x * y.expand(4, 3),
            beyond_strict=True,
        )
    ],
}
# Complex numbers through functions whose derivative is complex, one kind of rule each.
for _name in (
    "exp",
    "log",
    "sqrt",
    "sin",
    "tanh",
    "square",
    "reciprocal",
    "prod",
):
    EXAMPLES[_name].append(holomorphic(_name))
for _name in ("sum", "mean"):
    EXAMPLES[_name].append(
        Example(lambda xp, x, name=_name: getattr(xp, name)(x, axis=0), (complex_numbers(4, 3),))
    )
for _name in ("multiply", "divide", "subtract", "add", "pow"):
    EXAMPLES[_name].append(
        Example(
            lambda xp, x, y, name=_name: getattr(xp, name)(x, y),
            (complex_numbers(4, 1, 3), complex_numbers(2, 1)),
        )
    )
    # A real number meets a complex one.
    EXAMPLES[_name].append(
        Example(
            lambda xp, x, y, name=_name: getattr(xp, name)(xp.astype(x, xp.complex128), y),
            (inside(0.5, 1.5, 4, 1, 3), complex_numbers(2, 1)),
        )
    )
EXAMPLES["pow"] += [
    Example(lambda xp, x: x**3 + x**-2 + x**0.5, (complex_numbers(5),)),
    Example(lambda xp, x: (1 + 0.5j) ** x + x ** (1 - 0.5j), (complex_numbers(5),)),
]
EXAMPLES["multiply"].append(Example(lambda xp, x: x * 1j, (inside(-1, 1, 3),), beyond_strict=True))
EXAMPLES["where"].append(
    Example(
        lambda xp, x, y: xp.where(xp.real(x) > 0.8, x * y, y),
        (complex_numbers(4, 3), complex_numbers(3)),
    )
)
EXAMPLES["matmul"].append(
    Example(lambda xp, x, y: x @ y, (complex_numbers(4, 3), complex_numbers(3, 2)))
)
EXAMPLES["vecdot"].append(
    Example(lambda xp, x, y: xp.vecdot(x, y), (complex_numbers(4, 3), complex_numbers(3)))
)
EXAMPLES["linalg.vector_norm"].append(linear_algebra("vector_norm", complex_numbers(4, 3), axis=-1))
EXAMPLES["linalg.inv"].append(linear_algebra("inv", well_conditioned(3, 3) * (1 + 0.3j)))
EXAMPLES["linalg.solve"].append(
    linear_algebra("solve", well_conditioned(3, 3) * (1 + 0.3j), complex_numbers(3, 2))
)
EXAMPLES["linalg.eigh"].append(
    Example(phaseless_eigenvectors, (np.diag([1.0, 2, 4]) + 0.3 * complex_numbers(3, 3),))
)
EXAMPLES["linalg.eigvalsh"].append(
    Example(
        lambda xp, x: xp.linalg.eigvalsh(x + xp.conj(xp.matrix_transpose(x))),
        (np.diag([1.0, 2, 4]) + 0.3 * complex_numbers(3, 3),),
    )
)
EXAMPLES["getitem"].append(
    Example(lambda xp, x: x[integers(xp, [0, 2, 0, 3])], (complex_numbers(4),))
)
EXAMPLES["take"].append(
    Example(lambda xp, x: xp.take(x, integers(xp, [1, 0, 1]), axis=0), (complex_numbers(4, 3),))
)
EXAMPLES["astype"].append(
    Example(lambda xp, x: xp.astype(x, xp.complex128) * (1 + 2j), (inside(-1, 1, 4),))
)
EXAMPLES["erf"][0].jax = lambda xp, x: jax.scipy.special.erf(x)
EXAMPLES["erf"][0].torch = lambda xp, x: torch.special.erf(x)

CONSTANT_EXAMPLES: dict[str, Callable[..., Any]] = {
    **{
        name: (lambda xp, x, name=name: getattr(xp, name)(x, x + 0.5))
        for name in [
            "equal",
            "not_equal",
            "less",
            "less_equal",
            "greater",
            "greater_equal",
            "floor_divide",
        ]
    },
    **{
        name: (lambda xp, x, name=name: getattr(xp, name)(x > 0, x < 0.5))
        for name in ("logical_and", "logical_or", "logical_xor")
    },
    "logical_not": lambda xp, x: xp.logical_not(x > 0),
    **{
        name: (lambda xp, x, name=name: getattr(xp, name)(x))
        for name in [
            "isfinite",
            "isinf",
            "isnan",
            "signbit",
            "floor",
            "ceil",
            "round",
            "trunc",
            "argmax",
            "argmin",
            "argsort",
            "any",
            "all",
            "zeros_like",
            "ones_like",
            "count_nonzero",
        ]
    },
    "isin": lambda xp, x: xp.isin(x, x),
    "nonzero": lambda xp, x: xp.nonzero(x)[0],
    "empty_like": lambda xp, x: xp.empty_like(x) * 0,
    "searchsorted": lambda xp, x: xp.searchsorted(xp.asarray([-0.5, 0.5]), x),
    "result_type": lambda xp, x: xp.result_type(x, xp.float32),
    "can_cast": lambda xp, x: xp.can_cast(x, xp.float64),
    "finfo": lambda xp, x: xp.finfo(x).bits,
    "iinfo": lambda xp, x: xp.iinfo(xp.int32).bits,
    "isdtype": lambda xp, x: xp.isdtype(x.dtype, "real floating"),
}

CASES = [
    pytest.param(example, id=f"{name}-{place}")
    for name, examples in EXAMPLES.items()
    for place, example in enumerate(examples)
]
STEP = 1e-5


def as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def to_numpy(value: Any) -> np.ndarray:
    return np.asarray(value.detach().resolve_conj() if isinstance(value, torch.Tensor) else value)


def random_like(values: Any, seed: int) -> tuple[np.ndarray, ...]:
    numbers = np.random.default_rng(seed)
    found = []
    for value in values:
        one = numbers.normal(size=tuple(value.shape))
        if "complex" in str(value.dtype):
            one = one + 1j * numbers.normal(size=tuple(value.shape))
        found.append(one)
    return tuple(found)


def directions(example: Example, seed: int = 1) -> tuple[np.ndarray, ...]:
    return random_like(example.xs, seed)


def weights(outs: tuple[Any, ...]) -> list[np.ndarray]:
    return list(random_like(outs, 2))


def inner(a: Any, b: Any) -> float:
    # A cotangent c of a complex value stands for Re(sum c dz).
    pairs = zip(a, b, strict=True)
    return sum(float(np.sum(to_numpy(x) * to_numpy(y)).real) for x, y in pairs)


def is_complex(example: Example) -> bool:
    return any("complex" in str(x.dtype) for x in example.xs)


def real_part(xp: Any, value: Any) -> Any:
    return xp.real(value) if "complex" in str(value.dtype) else value


def skip_what_strict_refuses(example: Example, xp: Any) -> None:
    if example.beyond_strict and xp.__name__ == "array_api_strict":
        pytest.skip("Not in the standard.")


def test_every_rule_has_an_example():
    assert set(EXAMPLES) == {*RULES, *COMPOSITES}
    assert set(CONSTANT_EXAMPLES) == CONSTANTS
    assert not set(RULES) & set(COMPOSITES)


@pytest.mark.parametrize("example", CASES)
def test_agrees_with_finite_differences_and_its_transpose(example, differentiation, xp):
    skip_what_strict_refuses(example, xp)
    namespace = differentiation.namespace
    xs = tuple(xp.asarray(x) for x in example.xs)
    along = tuple(xp.asarray(one) for one in directions(example))

    def function(*args):
        return as_tuple(example.function(namespace, *args))

    outs, tangents = differentiation.jvp(function, xs, along)
    forward = function(*(x + STEP * v for x, v in zip(xs, along, strict=True)))
    backward = function(*(x - STEP * v for x, v in zip(xs, along, strict=True)))
    for plus, minus, tangent in zip(forward, backward, tangents, strict=True):
        difference = (to_numpy(plus) - to_numpy(minus)) / (2 * STEP)
        np.testing.assert_allclose(to_numpy(tangent), difference, rtol=2e-6, atol=2e-8)
    for out, plain in zip(outs, function(*xs), strict=True):
        np.testing.assert_allclose(to_numpy(out), to_numpy(plain), rtol=1e-14, atol=1e-15)

    values, pull = differentiation.vjp(function, *xs)
    given = tuple(xp.asarray(one) for one in weights(values))
    cotangents = pull(given)
    assert [ct.shape for ct in cotangents] == [x.shape for x in xs]
    np.testing.assert_allclose(inner(given, tangents), inner(cotangents, along), rtol=1e-11)
    again = pull(given)
    assert all(np.all(to_numpy(a) == to_numpy(b)) for a, b in zip(cotangents, again, strict=True))


@pytest.mark.parametrize("example", CASES)
def test_second_derivatives_agree_in_every_nesting(example, differentiation, xp):
    skip_what_strict_refuses(example, xp)
    namespace = differentiation.namespace
    xs = tuple(xp.asarray(x) for x in example.xs)
    first = tuple(xp.asarray(one) for one in directions(example, 1))
    second = tuple(xp.asarray(one) for one in directions(example, 3))
    factors = weights(as_tuple(example.function(namespace, *xs)))
    factors = tuple(xp.asarray(one) for one in factors)

    def loss(*args):
        # Squared, so that linear functions have a second derivative as well.
        outs = as_tuple(example.function(namespace, *args))
        terms = [namespace.sum(w * out * out) for w, out in zip(factors, outs, strict=True)]
        return real_part(namespace, sum(terms[1:], terms[0]))

    def slope(*args):
        return differentiation.jvp(loss, args, first)[1]

    def gradient(*args):
        return differentiation.vjp(loss, *args)[1](1.0)

    def weighted_gradient(*args):
        parts = [
            real_part(namespace, namespace.sum(v * g))
            for v, g in zip(first, gradient(*args), strict=True)
        ]
        return sum(parts[1:], parts[0])

    def moved(sign):
        return slope(*(x + sign * STEP * v for x, v in zip(xs, second, strict=True)))

    expected = float((moved(1) - moved(-1)) / (2 * STEP))
    dual_over_dual = differentiation.jvp(slope, xs, second)[1]
    dual_over_tape = inner(differentiation.jvp(gradient, xs, second)[1], first)
    tape_over_dual = inner(differentiation.vjp(slope, *xs)[1](1.0), second)
    tape_over_tape = inner(differentiation.vjp(weighted_gradient, *xs)[1](1.0), second)
    tolerance = {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(float(dual_over_dual), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dual_over_tape, float(dual_over_dual), **tolerance)
    np.testing.assert_allclose(tape_over_dual, float(dual_over_dual), **tolerance)
    np.testing.assert_allclose(tape_over_tape, float(dual_over_dual), **tolerance)


NATIVE_CASES = [
    pytest.param(library, example, id=f"{library}-{name}-{place}")
    for library in ("jax", "torch")
    for name, examples in EXAMPLES.items()
    for place, example in enumerate(examples)
    # JAX compiles each shape anew; of many complex examples of one rule it gets the first.
    if not example.only_ours and (library == "torch" or place == 0 or not is_complex(example))
]


@pytest.mark.parametrize(("library", "example"), NATIVE_CASES)
def test_agrees_with_the_derivatives_of_a_library(library, example, numpy_differentiation):
    if library == "jax":
        native, call = jax.numpy, example.jax or example.function
        convert, native_vjp = jax.numpy.asarray, jax.vjp
    else:
        native, call = array_api_compat.torch, example.torch or example.function
        convert, native_vjp = torch.asarray, torch.func.vjp
    xs, along = example.xs, directions(example)

    def ours(*args):
        return as_tuple(example.function(numpy_differentiation.namespace, *args))

    def theirs(*args):
        return as_tuple(call(native, *args))

    native_xs = tuple(convert(x) for x in xs)
    if library == "torch":
        # JAX compiles forward mode anew for each function, which would take most of the time.
        _, tangents = numpy_differentiation.jvp(ours, xs, along)
        native_along = tuple(convert(one) for one in along)
        _, expected = torch.func.jvp(theirs, native_xs, native_along)
        for tangent, value in zip(tangents, expected, strict=True):
            np.testing.assert_allclose(tangent, to_numpy(value), rtol=1e-10, atol=1e-12)

    values, pull = numpy_differentiation.vjp(ours, *xs)
    given = tuple(weights(values))
    _, native_pull = native_vjp(theirs, *native_xs)
    # torch's cotangents of complex values are the conjugates of ours and JAX's.
    turned = np.conj if library == "torch" else np.asarray
    found = native_pull(tuple(convert(turned(one)) for one in given))
    for cotangent, value in zip(pull(given), found, strict=True):
        np.testing.assert_allclose(cotangent, turned(to_numpy(value)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_constants_are_computed_from_plain_values(name, differentiation, xp):
    if name in ("nonzero", "isin") and xp.__name__ == "array_api_strict":
        pytest.skip("Not in the standard.")
    x = xp.asarray(X)
    call = CONSTANT_EXAMPLES[name]
    seen = []

    def function(wrapped):
        seen.append(call(differentiation.namespace, wrapped))
        return namespace_sum(wrapped)

    namespace_sum = differentiation.namespace.sum
    differentiation.jvp(function, (x,), (x,))
    differentiation.value_and_grad(function, (x,))
    expected = call(xp, x)
    for value in seen:
        assert not differentiation.is_wrapped(value)
        assert type(value) is type(expected)
        if hasattr(value, "shape"):
            assert np.array_equal(to_numpy(value), to_numpy(expected))
        else:
            assert value == expected
