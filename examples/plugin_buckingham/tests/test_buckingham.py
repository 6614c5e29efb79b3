"""The potential on every array library that is installed."""

import os

os.environ.setdefault("JAX_ENABLE_X64", "1")  # JAX has no float64 otherwise

import pytest
from xpmd_buckingham.buckingham import Buckingham

import xpmd as md
import xpmd.testing

# Argon.
ATOMS = md.Atoms(mass=39.95, A=1.69e6, B=36.6, C=0.0102)


@pytest.mark.parametrize(
    "check", xpmd.testing.checks(Buckingham(cutoff=md.ShiftedForceCutoff(0.9)), atoms=ATOMS)
)
def test_buckingham(check):
    check()
