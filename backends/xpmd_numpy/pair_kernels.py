"""Pair energies, forces and their derivatives on NumPy, in blocks of pairs."""

from __future__ import annotations

import functools

from xpmd_autodiff import pair_sums
from xpmd_numpy.pair_blocks import BufferedPairBlock

pair_energy = functools.partial(pair_sums.pair_energy, BufferedPairBlock)
pair_forces = functools.partial(pair_sums.pair_forces, BufferedPairBlock)
pair_virial = functools.partial(pair_sums.pair_virial, BufferedPairBlock)
pair_force_vjp = functools.partial(pair_sums.pair_force_vjp, BufferedPairBlock)
pair_force_jvp = functools.partial(pair_sums.pair_force_jvp, BufferedPairBlock)
