"""The table of derivatives: how each function carries tangents forward and cotangents back."""

from __future__ import annotations

from xpmd_autodiff.rules.table import COMPOSITES, CONSTANTS, RULES

__all__ = ["COMPOSITES", "CONSTANTS", "RULES"]
