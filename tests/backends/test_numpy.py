"""NumPy: float32 is kept, or refused where an old NumPy would not keep it."""

from __future__ import annotations

import numpy as np
import pytest

import xpmd as md
from xpmd_numpy import arrays


def start(dtype: type) -> md.System:
    return md.System(
        atoms=md.Atoms(mass=10.0),
        coords=np.zeros((1, 3), dtype=dtype),
        boundary=md.CubicBoundary(2.0),
    )


def test_float32_is_refused_where_it_would_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "keeps_float32", lambda: False)
    with pytest.raises(md.BackendError, match="NPY_PROMOTION_STATE=weak"):
        start(np.float32)
    assert start(np.float64).dtype == "float64"


def test_float32_is_kept_here() -> None:
    assert arrays.keeps_float32()
    assert md.kinetic_energy(start(np.float32)).dtype == np.float32
