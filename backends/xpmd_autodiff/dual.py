"""A dual array carries a value together with its derivative along one direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xpmd_autodiff.rules import RULES
from xpmd_autodiff.wrapped_array import WrappedArray

if TYPE_CHECKING:
    from xpmd_autodiff.namespace import Namespace


class DualArray(WrappedArray):
    """Value and tangent of the same shape.

    A value whose tangent is zero is not wrapped at all, which saves the work of carrying it.

    Args:
        namespace: the differentiating namespace.
        level: number of the differentiation.
        primal: the value.
        tangent: its derivative along the direction.
    """

    __slots__ = ("tangent",)

    def __init__(self, namespace: Namespace, level: int, primal: Any, tangent: Any) -> None:
        self.namespace = namespace
        self.level = level
        self.primal = primal
        self.tangent = tangent

    def bind(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Apply a function to the values and its `jvp` rule to the tangents."""
        level = self.level
        primals: list[Any] = []
        tangents: list[Any] = []
        for arg in args:
            if isinstance(arg, DualArray) and arg.level == level:
                primals.append(arg.primal)
                tangents.append(arg.tangent)
            else:
                primals.append(arg)
                tangents.append(None)
        namespace = self.namespace
        out = namespace.function(name)(*primals, **kwargs)
        tangent = RULES[name].jvp(namespace, out, primals, tangents, kwargs)
        if tangent is None:
            return out
        if isinstance(out, tuple):
            parts = [
                DualArray(namespace, level, one, along)
                for one, along in zip(out, tangent, strict=True)
            ]
            return type(out)._make(parts) if hasattr(out, "_make") else tuple(parts)
        return DualArray(namespace, level, out, tangent)
