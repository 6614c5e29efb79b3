"""What is collected here."""

from __future__ import annotations

import os

#: Tests of CuPy run in sessions of their own: `XPMD_TEST_BACKENDS=cupy pytest tests/backends`.
collect_ignore = (
    [] if "cupy" in os.environ.get("XPMD_TEST_BACKENDS", "").split() else ["test_on_cupy.py"]
)
