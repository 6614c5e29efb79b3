"""The Mueller-Brown surface, the usual testing ground for paths between minima."""

from __future__ import annotations

from typing import Any, ClassVar

from xpmd.general import GeneralInteraction

Array = Any


class MullerBrown(GeneralInteraction):
    """V(x, y) = sum_k A_k exp[a_k (x - x_k)^2 + b_k (x - x_k)(y - y_k) + c_k (y - y_k)^2], each atom.

    Args:
        A: heights, kJ/mol.
        a, b, c: curvatures, nm^-2.
        x0, y0: centers, nm.

    Source: K. Mueller and L. D. Brown, Theor. Chim. Acta 53, 75 (1979).
    """

    A: tuple[Array, ...] = (-200.0, -100.0, -170.0, 15.0)
    a: tuple[Array, ...] = (-1.0, -1.0, -6.5, 0.7)
    b: tuple[Array, ...] = (0.0, 0.0, 11.0, 0.6)
    c: tuple[Array, ...] = (-10.0, -10.0, -6.5, 0.7)
    x0: tuple[Array, ...] = (1.0, 0.0, -0.5, -1.0)
    y0: tuple[Array, ...] = (0.0, 0.5, 1.5, 1.0)

    needs_neighbors: ClassVar[bool] = False

    def energy(self, coords: Array, system: Any, neighbors: Any, *, xp: Any) -> Array:
        total = 0.0
        for height, a, b, c, x0, y0 in zip(
            self.A, self.a, self.b, self.c, self.x0, self.y0, strict=True
        ):
            dx, dy = coords[:, 0] - x0, coords[:, 1] - y0
            total = total + height * xp.sum(xp.exp(a * dx * dx + b * dx * dy + c * dy * dy))
        return total
