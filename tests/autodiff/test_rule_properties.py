"""Every rule at random shapes: broadcasting, no axes, empty axes; against differences, torch and JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import array_api_compat.numpy
import array_api_compat.torch
import jax
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices, mutually_broadcastable_shapes

from xpmd_autodiff import Differentiation
from xpmd_autodiff.rules import COMPOSITES, RULES

NUMPY = Differentiation(array_api_compat.numpy)
NATIVE = {"torch": array_api_compat.torch, "jax": jax.numpy}
STEP = 1e-6

Draw = Callable[[st.SearchStrategy[Any]], Any]


class Case(NamedTuple):
    """A function of arrays, where it is differentiated, and its spelling in the other libraries."""

    function: Callable[..., Any]
    xs: tuple[np.ndarray, ...]
    torch: Callable[..., Any] | None = None
    jax: Callable[..., Any] | None = None


SHAPES = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
WITH_AXES = array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3)
FILLED = array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
SEEDS = st.integers(0, 2**16)


def values(draw: Draw, shape: tuple[int, ...], low: float = -1.0, high: float = 1.0) -> np.ndarray:
    return np.random.default_rng(draw(SEEDS)).uniform(low, high, shape)


def apart(draw: Draw, shape: tuple[int, ...], offset: float = 0.0) -> np.ndarray:
    """Return values in random order that no step makes equal."""
    count = int(np.prod(shape))
    order = np.random.default_rng(draw(SEEDS)).permutation(count)
    return np.asarray((order - count / 2 + offset + 0.2) / 7).reshape(shape)


def complex_values(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    return values(draw, shape, 0.3, 1.3) + 1j * values(draw, shape, -0.9, 0.9)


def unary(name: str, low: float, high: float, **spellings: Any) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: Draw) -> Case:
        x = values(draw, draw(SHAPES), low, high)
        return Case(lambda xp, x: getattr(xp, name)(x), (x,), **spellings)

    return case()


def of_complex(name: str, **spellings: Any) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: Draw) -> Case:
        x = complex_values(draw, draw(SHAPES))
        return Case(lambda xp, x: getattr(xp, name)(x), (x,), **spellings)

    return case()


def binary(
    name: str, of_x: tuple[float, float] = (0.5, 1.5), of_y: tuple[float, float] = (0.5, 1.5)
) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: Draw) -> Case:
        shapes = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
        one, other = shapes.input_shapes
        xs = values(draw, one, *of_x), values(draw, other, *of_y)
        return Case(lambda xp, x, y: getattr(xp, name)(x, y), xs)

    return case()


def ordering(name: str) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: Draw) -> Case:
        shapes = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
        one, other = shapes.input_shapes
        xs = apart(draw, one), apart(draw, other, 0.5)
        return Case(lambda xp, x, y: getattr(xp, name)(x, y), xs)

    return case()


@st.composite
def where(draw: Draw) -> Case:
    shapes = draw(mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3))
    mask, one, other = shapes.input_shapes
    chosen = values(draw, mask) > 0
    xs = values(draw, one), values(draw, other)
    return Case(lambda xp, x, y: xp.where(xp.asarray(chosen), x, y), xs)


@st.composite
def clip(draw: Draw) -> Case:
    shapes = draw(mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3))
    x, low, high = shapes.input_shapes
    assume(x == shapes.result_shape)
    xs = apart(draw, x), values(draw, low, -0.55, -0.5), values(draw, high, 0.55, 0.6)
    return Case(
        lambda xp, x, low, high: xp.clip(x, low, high),
        xs,
        torch=lambda xp, x, low, high: torch.clamp(x, low, high),
    )


def reduction(name: str, needs_values: bool) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: Draw) -> Case:
        shape = draw(SHAPES)
        axes = st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, min_size=1)
        several = name not in ("prod",)  # torch multiplies along one axis or all
        chosen = draw(st.none() | axes) if shape else None
        axis = None if chosen is None else tuple(chosen) if several else chosen[0]
        reduced = shape if axis is None else tuple(np.take(shape, axis, mode="wrap").reshape(-1))
        assume(not needs_values or np.prod(reduced) > (1 if name == "std" else 0))
        keepdims = draw(st.booleans())
        assume(several or axis is not None or not keepdims)
        assume(name not in ("var", "std") or np.prod(shape) > 0)  # torch warns of no degrees left
        x = apart(draw, shape) if name in ("max", "min") else values(draw, shape, 0.5, 1.5)
        return Case(lambda xp, x: getattr(xp, name)(x, axis=axis, keepdims=keepdims), (x,))

    return case()


@st.composite
def cumulative_sum(draw: Draw) -> Case:
    shape = draw(WITH_AXES)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    initial = draw(st.booleans())
    return Case(
        lambda xp, x: xp.cumulative_sum(x, axis=axis, include_initial=initial),
        (values(draw, shape),),
    )


def moving(make: Callable[[Draw, tuple[int, ...]], Callable[..., Any]], shapes: Any = WITH_AXES):
    """Return cases of a function of one array whose arguments depend on its shape."""

    @st.composite
    def case(draw: Draw) -> Case:
        shape = draw(shapes)
        return Case(make(draw, shape), (values(draw, shape),))

    return case()


def one_axis(draw: Draw, shape: tuple[int, ...]) -> int:
    return draw(st.integers(-len(shape), len(shape) - 1))


def reshape(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
    wanted = draw(st.permutations(shape)) + [1] * draw(st.integers(0, 1))
    return lambda xp, x: xp.reshape(x, tuple(wanted))


def expand_dims(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    return lambda xp, x: xp.expand_dims(x, axis=axis)


@st.composite
def squeeze(draw: Draw) -> Case:
    shape, at = list(draw(SHAPES)), draw(st.integers(0, 2))
    at = min(at, len(shape))
    shape.insert(at, 1)
    return Case(lambda xp, x: xp.squeeze(x, axis=at), (values(draw, tuple(shape)),))


def permute_dims(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
    axes = tuple(draw(st.permutations(range(len(shape)))))
    return lambda xp, x: xp.permute_dims(x, axes)


def moveaxis(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
    source, destination = one_axis(draw, shape), one_axis(draw, shape)
    return lambda xp, x: xp.moveaxis(x, source, destination)


def flip(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
    axis = draw(st.none() | st.just(one_axis(draw, shape)))
    return lambda xp, x: xp.flip(x, axis=axis)


def roll(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
    axis, by = one_axis(draw, shape), draw(st.integers(-4, 4))
    return lambda xp, x: xp.roll(x, by, axis=axis)


def tile(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
    times = tuple(draw(st.lists(st.integers(0, 2), min_size=len(shape), max_size=len(shape) + 1)))
    return lambda xp, x: xp.tile(x, times)


def repeat(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
    axis, times = one_axis(draw, shape), draw(st.integers(0, 3))
    return lambda xp, x: xp.repeat(x, times, axis=axis)


def unstack(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
    axis = one_axis(draw, shape)
    assume(shape[axis] > 0)
    return lambda xp, x: tuple(xp.unstack(x, axis=axis))


@st.composite
def broadcast_to(draw: Draw) -> Case:
    shapes = draw(mutually_broadcastable_shapes(num_shapes=1, max_dims=3, max_side=3, min_dims=1))
    wide = tuple(draw(st.integers(0, 2)) for _ in range(draw(st.integers(0, 1))))
    shape = shapes.input_shapes[0]
    result = wide + tuple(3 if size == 1 else size for size in shape)
    return Case(lambda xp, x: xp.broadcast_to(x, result), (values(draw, shape),))


@st.composite
def broadcast_arrays(draw: Draw) -> Case:
    shapes = draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    xs = tuple(values(draw, shape) for shape in shapes.input_shapes)
    return Case(lambda xp, x, y: tuple(xp.broadcast_arrays(x, y)), xs)


@st.composite
def concat(draw: Draw) -> Case:
    shape = draw(WITH_AXES)
    axis = one_axis(draw, shape)
    other = list(shape)
    other[axis] = draw(st.integers(0, 3))
    xs = values(draw, shape), values(draw, tuple(other))
    return Case(lambda xp, x, y: xp.concat([x, y, x], axis=axis), xs)


@st.composite
def stack(draw: Draw) -> Case:
    shape = draw(SHAPES)
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    xs = values(draw, shape), values(draw, shape)
    return Case(lambda xp, x, y: xp.stack([x, y], axis=axis), xs)


@st.composite
def meshgrid(draw: Draw) -> Case:
    kind = draw(st.sampled_from(["xy", "ij"]))
    xs = tuple(values(draw, (draw(st.integers(1, 3)),)) for _ in range(2))
    return Case(lambda xp, x, y: tuple(xp.meshgrid(x, y, indexing=kind)), xs)


@st.composite
def getitem(draw: Draw) -> Case:
    shape = draw(SHAPES)
    key = draw(basic_indices(shape, allow_newaxis=True))
    parts = key if isinstance(key, tuple) else (key,)
    # torch walks forward only.
    assume(all(not isinstance(part, slice) or (part.step or 1) > 0 for part in parts))
    return Case(lambda xp, x: x[key], (values(draw, shape),))


@st.composite
def getitem_by_arrays(draw: Draw) -> Case:
    shape = draw(FILLED)
    count = draw(st.integers(0, 4))
    places = np.random.default_rng(draw(SEEDS))
    used = draw(st.integers(1, len(shape)))
    rows = [places.integers(-shape[at], shape[at], count) for at in range(used)]

    def function(xp: Any, x: Any) -> Any:
        key = tuple(xp.asarray(row, dtype=xp.int64) for row in rows)
        return x[key if used > 1 else key[0]]

    return Case(function, (values(draw, shape),))


def indices(draw: Draw, size: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(draw(SEEDS)).integers(0, size, shape)


@st.composite
def take(draw: Draw) -> Case:
    shape = draw(FILLED)
    axis = one_axis(draw, shape)
    index = indices(draw, shape[axis], (draw(st.integers(0, 4)),))
    return Case(
        lambda xp, x: xp.take(x, xp.asarray(index, dtype=xp.int64), axis=axis),
        (values(draw, shape),),
    )


@st.composite
def take_along_axis(draw: Draw) -> Case:
    shape = draw(FILLED)
    axis = one_axis(draw, shape)
    picked = list(shape)
    picked[axis] = draw(st.integers(0, 4))
    index = indices(draw, shape[axis], tuple(picked))
    return Case(
        lambda xp, x: xp.take_along_axis(x, xp.asarray(index, dtype=xp.int64), axis=axis),
        (values(draw, shape),),
    )


@st.composite
def index_add(draw: Draw) -> Case:
    shape = draw(WITH_AXES)
    count = draw(st.integers(1, 4))
    index = indices(draw, count, shape[:1])
    return Case(
        lambda xp, x: xp.index_add(count, xp.plain.asarray(index), x),
        (values(draw, shape),),
        torch=lambda xp, x: torch.zeros((count, *shape[1:]), dtype=x.dtype).index_add(
            0, torch.asarray(index), x
        ),
        jax=lambda xp, x: xp.zeros((count, *shape[1:])).at[index].add(x),
    )


@st.composite
def sort(draw: Draw) -> Case:
    shape = draw(WITH_AXES)
    axis, down = one_axis(draw, shape), draw(st.booleans())
    return Case(lambda xp, x: xp.sort(x, axis=axis, descending=down), (apart(draw, shape),))


@st.composite
def diff(draw: Draw) -> Case:
    shape = draw(FILLED)
    axis, n = one_axis(draw, shape), draw(st.integers(0, 2))
    assume(n < shape[axis])
    return Case(lambda xp, x: xp.diff(x, axis=axis, n=n), (values(draw, shape),))


@st.composite
def matmul(draw: Draw) -> Case:
    shapes = draw(mutually_broadcastable_shapes(signature=np.matmul.signature, max_side=3))
    numbers = draw(st.sampled_from([values, complex_values]))
    xs = tuple(numbers(draw, shape) for shape in shapes.input_shapes)
    return Case(lambda xp, x, y: x @ y, xs)


def of_vectors(name: str, length: int | None = None) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: Draw) -> Case:
        shape = (*draw(array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)), length or 2)
        xs = values(draw, shape), values(draw, shape)
        return Case(lambda xp, x, y: getattr(xp.linalg, name)(x, y), xs)

    return case()


@st.composite
def vecdot(draw: Draw) -> Case:
    shapes = draw(mutually_broadcastable_shapes(signature="(n),(n)->()", max_side=3, max_dims=2))
    numbers = draw(st.sampled_from([values, complex_values]))
    xs = tuple(numbers(draw, shape) for shape in shapes.input_shapes)
    return Case(lambda xp, x, y: xp.vecdot(x, y), xs)


@st.composite
def tensordot(draw: Draw) -> Case:
    shared = draw(array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    one, other = (draw(array_shapes(min_dims=0, max_dims=2, max_side=3)) for _ in range(2))
    xs = values(draw, one + shared), values(draw, shared + other)
    return Case(lambda xp, x, y: xp.tensordot(x, y, axes=len(shared)), xs)


@st.composite
def outer(draw: Draw) -> Case:
    xs = tuple(values(draw, (draw(st.integers(0, 3)),)) for _ in range(2))
    return Case(lambda xp, x, y: xp.linalg.outer(x, y), xs)


def matrices(function: Callable[..., Any], side: int = 3, **spellings: Any):
    """Return cases of a function of a batch of matrices, perhaps an empty batch."""

    @st.composite
    def case(draw: Draw) -> Case:
        batch = draw(array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=2))
        rows, columns = draw(st.integers(1, side)), draw(st.integers(1, side))
        x = values(draw, (*batch, rows, columns))
        return Case(function, (x,), **spellings)

    return case()


def square(function: Callable[..., Any], right: bool = False) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: Draw) -> Case:
        batch = draw(array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=2))
        side = draw(st.integers(1, 3))
        x = values(draw, (*batch, side, side), -0.2, 0.2) + np.diag([2.0, 1.0, 3.5][:side])
        more = (values(draw, (*batch, side, draw(st.integers(1, 2)))),) if right else ()
        return Case(function, (x, *more))

    return case()


def symmetric_vectors(xp: Any, x: Any) -> tuple[Any, Any]:
    found, vectors = xp.linalg.eigh(x + xp.matrix_transpose(x))
    return found, vectors * vectors


def singular_products(xp: Any, x: Any) -> tuple[Any, Any]:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    return s, xp.expand_dims(u, axis=-2) * xp.expand_dims(xp.matrix_transpose(vh), axis=-3)


NORMS = st.sampled_from(["backward", "ortho", "forward"])


def transform(name: str, real: bool = False) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: Draw) -> Case:
        shape = draw(FILLED)
        axis, norm = one_axis(draw, shape), draw(NORMS)
        n = draw(st.none() | st.integers(1, 6))
        if name in ("irfft", "hfft") and n is None and shape[axis] == 1:
            n = 1
        x = values(draw, shape) if real else complex_values(draw, shape)
        return Case(lambda xp, x: getattr(xp.fft, name)(x, n=n, axis=axis, norm=norm), (x,))

    return case()


def transform_of_axes(name: str, real: bool = False) -> st.SearchStrategy[Case]:
    @st.composite
    def case(draw: Draw) -> Case:
        shape = draw(FILLED)
        axes = tuple(draw(st.permutations(range(len(shape)))))[: draw(st.integers(1, 2))]
        sizes = tuple(draw(st.integers(1, 5)) for _ in axes)
        norm = draw(NORMS)
        x = values(draw, shape) if real else complex_values(draw, shape)
        return Case(lambda xp, x: getattr(xp.fft, name)(x, s=sizes, axes=axes, norm=norm), (x,))

    return case()


def shifted(name: str) -> Callable[[Draw, tuple[int, ...]], Callable[..., Any]]:
    def make(draw: Draw, shape: tuple[int, ...]) -> Callable[..., Any]:
        axis = draw(st.none() | st.just(one_axis(draw, shape)))
        return lambda xp, x: getattr(xp.fft, name)(x, axes=axis)

    return make


def linalg(name: str, **kwargs: Any) -> Callable[..., Any]:
    return lambda xp, *xs: getattr(xp.linalg, name)(*xs, **kwargs)


@st.composite
def full(draw: Draw) -> Case:
    shape = draw(SHAPES)
    return Case(
        lambda xp, x: xp.full(shape, x),
        (values(draw, ()),),
        torch=lambda xp, x: x.expand(shape),
    )


@st.composite
def full_like(draw: Draw) -> Case:
    shape = draw(SHAPES)
    return Case(
        lambda xp, x, y: x * xp.full_like(x, y),
        (values(draw, shape), values(draw, ())),
        torch=lambda xp, x, y: x * y.expand(shape),
    )


@st.composite
def written(draw: Draw) -> Case:
    shape = draw(FILLED)
    key = draw(basic_indices(shape))
    x = values(draw, np.zeros(shape)[key].shape)

    def in_place(xp: Any, x: Any) -> Any:
        return torch.zeros(shape, dtype=x.dtype).index_put(
            tuple(torch.asarray(one) for one in places(shape, key)), x
        )

    return Case(
        lambda xp, x: xp.getitem_transpose(x, key, shape),
        (x,),
        torch=in_place,
        jax=lambda xp, x: xp.zeros(shape).at[key].set(x),
    )


def places(shape: tuple[int, ...], key: Any) -> tuple[np.ndarray, ...]:
    flat = np.arange(int(np.prod(shape))).reshape(shape)[key]
    return np.unravel_index(flat, shape)


def same(xp: Any, x: Any) -> Any:
    return x * 2


CASES: dict[str, list[st.SearchStrategy[Case]]] = {
    **{name: [unary(name, -0.9, 0.9)] for name in ("asin", "acos", "atan", "atanh")},
    **{name: [unary(name, -2, 2)] for name in ("sin", "cos", "sinh", "cosh", "tanh", "asinh")},
    **{name: [unary(name, 0.2, 2), of_complex(name)] for name in ("log", "log1p", "sqrt")},
    **{name: [unary(name, 0.2, 2)] for name in ("log2", "log10", "abs", "sign")},
    "acosh": [unary("acosh", 1.5, 3)],
    **{name: [unary(name, -1, 1), of_complex(name)] for name in ("exp", "expm1", "tan", "square")},
    **{name: [unary(name, -2, 2)] for name in ("negative", "positive")},
    **{name: [of_complex(name)] for name in ("real", "imag", "conj")},
    **{name: [binary(name)] for name in ("add", "subtract", "multiply", "divide", "atan2", "pow")},
    **{name: [binary(name)] for name in ("hypot", "logaddexp")},
    **{name: [ordering(name)] for name in ("minimum", "maximum")},
    "reciprocal": [unary("reciprocal", 0.5, 2), of_complex("reciprocal")],
    "remainder": [binary("remainder", (2.4, 2.8), (1.0, 1.15))],
    "erf": [
        unary(
            "erf",
            -2,
            2,
            torch=lambda xp, x: torch.special.erf(x),
            jax=lambda xp, x: jax.scipy.special.erf(x),
        )
    ],
    "where": [where()],
    "clip": [clip()],
    **{name: [reduction(name, False)] for name in ("sum", "prod")},
    **{name: [reduction(name, True)] for name in ("mean", "max", "min", "var", "std")},
    "cumulative_sum": [cumulative_sum()],
    "reshape": [moving(reshape)],
    "expand_dims": [moving(expand_dims, SHAPES)],
    "squeeze": [squeeze()],
    "permute_dims": [moving(permute_dims, SHAPES)],
    "matrix_transpose": [matrices(lambda xp, x: xp.matrix_transpose(x))],
    "moveaxis": [moving(moveaxis)],
    "broadcast_to": [broadcast_to()],
    "broadcast_arrays": [broadcast_arrays()],
    "flip": [moving(flip)],
    "roll": [moving(roll)],
    "tile": [moving(tile)],
    "repeat": [moving(repeat)],
    "unstack": [moving(unstack)],
    "concat": [concat()],
    "stack": [stack()],
    "meshgrid": [meshgrid()],
    "getitem": [getitem(), getitem_by_arrays()],
    "getitem_transpose": [written()],
    "take": [take()],
    "take_along_axis": [take_along_axis()],
    "index_add": [index_add()],
    "sort": [sort()],
    "diff": [diff()],
    "matmul": [matmul()],
    "linalg.matmul": [matmul()],
    "vecdot": [vecdot()],
    "linalg.vecdot": [of_vectors("vecdot")],
    "tensordot": [tensordot()],
    "linalg.tensordot": [tensordot()],
    "linalg.cross": [of_vectors("cross", 3)],
    "linalg.outer": [outer()],
    "linalg.matrix_transpose": [matrices(linalg("matrix_transpose"))],
    "linalg.diagonal": [matrices(linalg("diagonal", offset=offset)) for offset in (0, 1, -1)],
    "linalg.trace": [matrices(linalg("trace"))],
    "linalg.vector_norm": [matrices(linalg("vector_norm", axis=-1))],
    "linalg.matrix_norm": [matrices(linalg("matrix_norm"))],
    "linalg.inv": [square(linalg("inv"))],
    "linalg.det": [square(linalg("det"))],
    "linalg.solve": [square(linalg("solve"), right=True)],
    "linalg.eigh": [square(symmetric_vectors)],
    "linalg.eigvalsh": [square(lambda xp, x: xp.linalg.eigvalsh(x + xp.matrix_transpose(x)))],
    "linalg.svd": [square(singular_products)],
    "linalg.svdvals": [square(linalg("svdvals"))],
    **{f"fft.{name}": [transform(name)] for name in ("fft", "ifft", "irfft", "hfft")},
    **{f"fft.{name}": [transform(name, real=True)] for name in ("rfft", "ihfft")},
    **{f"fft.{name}": [transform_of_axes(name)] for name in ("fftn", "ifftn", "irfftn")},
    "fft.rfftn": [transform_of_axes("rfftn", real=True)],
    **{f"fft.{name}": [moving(shifted(name))] for name in ("fftshift", "ifftshift")},
    "cast": [moving(lambda draw, shape: lambda xp, x: xp.astype(x, xp.complex128), SHAPES)],
    "astype": [moving(lambda draw, shape: lambda xp, x: xp.astype(x, xp.complex128), SHAPES)],
    "asarray": [moving(lambda draw, shape: same, SHAPES)],
    "full": [full()],
    "full_like": [full_like()],
}
PARAMETERS = [
    pytest.param(case, id=f"{name}-{place}")
    for name, cases in CASES.items()
    for place, case in enumerate(cases)
]


def as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def to_numpy(value: Any) -> np.ndarray:
    return np.asarray(value.detach().resolve_conj() if isinstance(value, torch.Tensor) else value)


def directions(arrays: Any, seed: int) -> tuple[np.ndarray, ...]:
    numbers = np.random.default_rng(seed)
    found = []
    for array in arrays:
        # `normal` would make a number of an array without axes.
        one = np.asarray(numbers.normal(size=array.shape))
        if array.dtype.kind == "c":
            one = one + 1j * numbers.normal(size=array.shape)
        found.append(np.asarray(one))
    return tuple(found)


def inner(a: Any, b: Any) -> float:
    return sum(float(np.sum(x * y).real) for x, y in zip(a, b, strict=True))


def agrees_with_differences(case: Case) -> None:
    def function(*xs: Any) -> tuple[Any, ...]:
        return as_tuple(case.function(NUMPY.namespace, *xs))

    along = directions(case.xs, 1)
    outs, tangents = NUMPY.jvp(function, case.xs, along)
    moved = [
        function(*(x + sign * STEP * v for x, v in zip(case.xs, along, strict=True)))
        for sign in (1, -1)
    ]
    for out, plus, minus, tangent in zip(outs, *moved, tangents, strict=True):
        assert tangent.shape == out.shape == plus.shape
        assert tangent.dtype == out.dtype == plus.dtype
        np.testing.assert_allclose(tangent, (plus - minus) / (2 * STEP), rtol=1e-5, atol=1e-6)
    values, pull = NUMPY.vjp(function, *case.xs)
    weights = directions(values, 2)
    cotangents = pull(weights)
    for cotangent, x in zip(cotangents, case.xs, strict=True):
        assert cotangent.shape == x.shape
        assert cotangent.dtype == x.dtype
    np.testing.assert_allclose(
        inner(weights, tangents), inner(cotangents, along), rtol=1e-9, atol=1e-10
    )


def agrees_with(library: str, case: Case) -> None:
    def ours(*xs: Any) -> tuple[Any, ...]:
        return as_tuple(case.function(NUMPY.namespace, *xs))

    spelled = getattr(case, library) or case.function

    def theirs(*xs: Any) -> tuple[Any, ...]:
        return as_tuple(spelled(NATIVE[library], *xs))

    convert = torch.asarray if library == "torch" else jax.numpy.asarray
    vjp = torch.func.vjp if library == "torch" else jax.vjp
    # torch's cotangents of complex values are the conjugates of ours and JAX's.
    turned = np.conj if library == "torch" else np.asarray
    values, pull = NUMPY.vjp(ours, *case.xs)
    weights = directions(values, 2)
    outs, native_pull = vjp(theirs, *(convert(x) for x in case.xs))
    for value, out in zip(values, outs, strict=True):
        np.testing.assert_allclose(value, to_numpy(out), rtol=1e-10, atol=1e-12)
    found = native_pull(tuple(convert(np.asarray(turned(one))) for one in weights))
    for cotangent, other in zip(pull(weights), found, strict=True):
        np.testing.assert_allclose(cotangent, turned(to_numpy(other)), rtol=1e-8, atol=1e-10)


def test_every_rule_has_cases():
    assert set(CASES) == {*RULES, *COMPOSITES}


@pytest.mark.parametrize("cases", PARAMETERS)
def test_at_any_shape_a_rule_agrees_with_differences_and_torch(cases):
    @settings(max_examples=10, deadline=None)
    @given(cases)
    def check(case: Case) -> None:
        agrees_with_differences(case)
        agrees_with("torch", case)

    check()


# JAX compiles every operation anew for each shape, so its share of the default run is a sample.
ANY = st.sampled_from(sorted(CASES)).flatmap(lambda name: st.one_of(CASES[name]))


@settings(max_examples=25, deadline=None)
@given(ANY)
def test_at_some_shapes_some_rules_agree_with_jax(case):
    agrees_with("jax", case)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(ANY)
def test_at_any_shape_any_rule_agrees_with_jax(case):
    agrees_with("jax", case)
