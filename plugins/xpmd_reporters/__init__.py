"""Reporters, one a file."""

from xpmd_reporters.checkpoint import Checkpoint, load_checkpoint

__all__ = ["Checkpoint", "load_checkpoint"]
