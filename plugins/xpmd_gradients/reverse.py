"""Reverse mode, chunk by chunk."""

from __future__ import annotations

from typing import Any

from xpmd.gradient_strategy import TrajectoryStrategy
from xpmd.program import ChunkResult, ChunkState, Program

Array = Any
Arrays = tuple[Any, ...]


class Reverse(TrajectoryStrategy):
    """The exact discrete adjoint: chunks are run again, last first, and differentiated in reverse.

    The state at the start of each chunk is kept, and one chunk's intermediate values at a time.
    """

    def chunk_forward(
        self, program: Program, leaves: Arrays, state: ChunkState, keys: Array, t0: int, active: int
    ) -> tuple[ChunkResult, Any]:
        return program.advance(leaves, state, keys, t0, active), state

    def chunk_backward(
        self,
        program: Program,
        leaves: Arrays,
        residual: ChunkState,
        keys: Array,
        t0: int,
        active: int,
        cotangents: Arrays,
        record_cotangents: Arrays,
    ) -> tuple[Arrays, Arrays]:
        found: tuple[Arrays, Arrays] = program.advance_back(
            leaves, residual, keys, t0, active, cotangents, record_cotangents
        )
        return found
