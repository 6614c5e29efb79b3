"""Scalar pressure."""

from __future__ import annotations

from typing import Any

from xpmd.properties import pressure

Array = Any


def scalar_pressure(system: Any) -> Array:
    """Return P = tr(2 K + W)/(d V) of a System, kJ/mol/nm^3; 1 kJ/mol/nm^3 = 16.6054 bar.

    The tensor is `md.pressure`.
    """
    tensor = pressure(system)
    d = int(tensor.shape[0])
    diagonal = [tensor[k, k] for k in range(d)]
    return sum(diagonal[1:], diagonal[0]) / float(d)
