"""Reporters, one a file."""

from typing import TYPE_CHECKING

from xpmd.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from xpmd_reporters.checkpoint import Checkpoint, load_checkpoint

__all__ = ["Checkpoint", "load_checkpoint"]

__getattr__ = lazy_exports("xpmd_reporters.components", load_checkpoint="xpmd_reporters.checkpoint")
