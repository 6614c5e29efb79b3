"""Scatter and special functions on PyTorch."""

from __future__ import annotations

from typing import Any

import torch

Array = Any


def index_add(n_rows: int, rows: Array, values: Array) -> Array:
    """Return sums of values by row."""
    shape = (n_rows, *values.shape[1:])
    zeros = torch.zeros(shape, dtype=values.dtype, device=values.device)
    return zeros.index_add(0, rows, values)


def nonzero_padded(mask: Array, size: int) -> tuple[Array, Array]:
    """Return the places where a flat mask holds, padded with 0 to `size`, and their number."""
    found = torch.nonzero(mask).flatten()
    count = torch.tensor(found.shape[0], dtype=torch.int32, device=mask.device)
    padded = torch.zeros((size,), dtype=torch.int64, device=mask.device)
    kept = min(size, found.shape[0])
    padded[:kept] = found[:kept]
    return padded, count


def erf(array: Array) -> Array:
    """Return the error function."""
    return torch.erf(array)
