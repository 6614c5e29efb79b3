"""Rows of neighbors on JAX: candidates read in one go, their bits counted by the processor.

Candidates of an atom are contiguous, and XLA reads them so if told that it gathers slices; then the
distances, and words with a bit for each candidate within reach, are one loop over registers. Rows are
filled from the words by prefix counts: the k-th neighbor is in the range before which fewer than k + 1
were found and with which at least that many are, and in it a few halvings away.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from xpmd_jax.settling import settled

Array = Any

#: Candidates that share a word.
WORD = 32


def listed_rows(
    backend: Any, grid: Any, boundary: Any, limit: float, width: int, capacity: int
) -> tuple[Array, Array, Array]:
    """Return places of neighbors `(n, capacity)`, which of them count, and how many there are."""
    *columns, places, first, count = settled(*grid.columns, grid.places, *grid.ranges)
    n_atoms = first.shape[0]
    own, rows = [column[:n_atoms] for column in columns], jnp.arange(n_atoms, dtype=places.dtype)
    words = []
    for start in range(0, width, WORD):
        bits = min(WORD, width - start)
        squared = boundary.shortest_squared(
            [
                here[:, None, None] - _slices(column, first + start, bits)
                for here, column in zip(own, columns, strict=True)
            ],
            xp=jnp,
        )
        seen = jnp.arange(bits, dtype=count.dtype) < (count - start)[:, :, None]
        seen = seen & (squared <= limit)
        seen = seen & (_slices(places, first + start, bits) != rows[:, None, None])
        words.append(_word(seen))
    return _filled(words, first, places, capacity)


def _slices(values: Array, first: Array, length: int) -> Array:
    """Return `length` values from each of the places `first` on, `(*first.shape, length)`."""
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(first.ndim,), collapsed_slice_dims=(), start_index_map=(0,)
    )
    return lax.gather(values, first[..., None], numbers, (length,), mode="promise_in_bounds")


def _word(mask: Array) -> Array:
    """Return masks `(..., bits)` as one word each."""
    powers = jnp.asarray([1 << k for k in range(mask.shape[-1])], dtype=jnp.uint32)
    none = jnp.zeros((), jnp.uint32)
    return lax.reduce(jnp.where(mask, powers, none), none, lax.bitwise_or, (mask.ndim - 1,))


def _filled(
    words: list[Array], first: Array, places: Array, capacity: int
) -> tuple[Array, Array, Array]:
    """Return the rows that words `(n, ranges)`, several to a range, stand for."""
    n_ranges = first.shape[1]
    found = sum(_ones(word) for word in words)
    slots = jnp.arange(capacity, dtype=jnp.int32)[None, :]
    before = until = jnp.zeros_like(found[:, :1])
    held, place = [word[:, :1] for word in words], first[:, :1]
    for k in range(1, n_ranges):
        until = until + found[:, k - 1 : k]
        beyond = until <= slots
        held = [
            jnp.where(beyond, word[:, k : k + 1], kept)
            for word, kept in zip(words, held, strict=True)
        ]
        place = jnp.where(beyond, first[:, k : k + 1], place)
        before = jnp.where(beyond, until, before)
    count = until + found[:, n_ranges - 1 :]
    rank = slots - before
    word, *others = held
    for other in others:
        rank, place, word = _past(_ones(word), rank, place, WORD, word, other)
    for size in (16, 8, 4, 2, 1):
        low = word & jnp.uint32((1 << size) - 1)
        rank, place, word = _past(_ones(low), rank, place, size, word, word >> size)
    mask = slots < count
    second = places.at[jnp.where(mask, place, 0)].get(mode="promise_in_bounds")
    return second, mask, count[:, 0]


def _past(
    below: Array, rank: Array, place: Array, size: int, word: Array, other: Array
) -> tuple[Array, Array, Array]:
    """Return rank, place and word, beyond a part of a word in which the wanted bit is not."""
    beyond = rank >= below
    return (
        jnp.where(beyond, rank - below, rank),
        jnp.where(beyond, place + size, place),
        jnp.where(beyond, other, word),
    )


def _ones(word: Array) -> Array:
    """Return how many bits are set."""
    return lax.population_count(word).astype(jnp.int32)
