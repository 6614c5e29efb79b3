"""Pair energies, forces and derivatives on CuPy, by closed forms: each operation on all pairs at once."""

from __future__ import annotations

import functools

from xpmd_autodiff import pair_sums
from xpmd_autodiff.pair_block import PairBlock

pair_energy = functools.partial(pair_sums.pair_energy, PairBlock)
pair_forces = functools.partial(pair_sums.pair_forces, PairBlock)
pair_virial = functools.partial(pair_sums.pair_virial, PairBlock)
pair_force_vjp = functools.partial(pair_sums.pair_force_vjp, PairBlock)
pair_force_jvp = functools.partial(pair_sums.pair_force_jvp, PairBlock)
