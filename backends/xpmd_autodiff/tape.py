"""A tape is the list of what was computed, read backwards to find a gradient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from xpmd.errors import GradientError
from xpmd_autodiff.rules import RULES
from xpmd_autodiff.rules.rule import Pull
from xpmd_autodiff.wrapped_array import WrappedArray

if TYPE_CHECKING:
    from xpmd_autodiff.namespace import Namespace

Array = Any


class Node(NamedTuple):
    """One function on the tape.

    Attributes:
        parents: slot of each argument, `None` for those that are not differentiated.
        slots: slot of each result, `None` for results that are not.
        pull: cotangents of the results -> cotangents of the arguments.
        several: whether the results form a tuple.
    """

    parents: Sequence[int | None]
    slots: Sequence[int | None]
    pull: Pull
    several: bool


class Tape:
    """Functions in the order they ran, with numbered slots for what they took and returned.

    Args:
        namespace: the differentiating namespace.
        level: number of the differentiation.
    """

    def __init__(self, namespace: Namespace, level: int) -> None:
        self.namespace = namespace
        self.level = level
        self.nodes: list[Node] = []
        self.slots = 0
        self.open = True

    def watch(self, primal: Array) -> TapeArray:
        """Return a value as an array of this tape, in a slot of its own."""
        slot = self.slots
        self.slots = slot + 1
        return TapeArray(self.namespace, self.level, primal, self, slot)

    def append(self, out: Any, parents: Sequence[int | None], pull: Pull) -> Any:
        """Record a function.

        Args:
            out: its result, an array or a tuple of arrays.
            parents: slot of each argument, `None` for those that are not differentiated.
            pull: cotangents of the results -> cotangents of the arguments.
        """
        if not self.open:
            raise GradientError(
                "An array of a differentiation that has ended was used again. Return it from the "
                "function that is differentiated instead of storing it elsewhere."
            )
        if isinstance(out, tuple):
            parts = [self.watch(one) if self.namespace.is_floating(one) else one for one in out]
            slots = [part.slot if isinstance(part, TapeArray) else None for part in parts]
            self.nodes.append(Node(parents, slots, pull, True))
            return type(out)._make(parts) if hasattr(out, "_make") else tuple(parts)
        result = self.watch(out)
        self.nodes.append(Node(parents, (result.slot,), pull, False))
        return result

    def forget_all_but(self, needed: Iterable[int]) -> None:
        """Drop every function that the needed slots do not depend on."""
        reached = set(needed)
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if not reached.isdisjoint(slot for slot in node.slots if slot is not None):
                reached.update(parent for parent in node.parents if parent is not None)
                kept.append(node)
        self.nodes = kept[::-1]

    def sweep(self, cotangents: dict[int, Array], *, consume: bool = False) -> dict[int, Array]:
        """Carry cotangents of results back to the slots that no function on the tape returned.

        Args:
            cotangents: by slot; changed, and returned.
            consume: whether each function is forgotten as soon as it was passed.
        """
        nodes = list(self.nodes)
        if consume:
            self.nodes = []
        while nodes:
            node = nodes.pop()
            given = [None if slot is None else cotangents.pop(slot, None) for slot in node.slots]
            if all(one is None for one in given):
                continue
            for parent, back in zip(
                node.parents, node.pull(given if node.several else given[0]), strict=False
            ):
                if parent is not None and back is not None:
                    known = cotangents.get(parent)
                    cotangents[parent] = back if known is None else known + back
        return cotangents


class TapeArray(WrappedArray):
    """A value with a slot on a tape.

    Args:
        namespace: the differentiating namespace.
        level: number of the differentiation.
        primal: the value.
        tape: where functions of it are recorded.
        slot: its number there.
    """

    __slots__ = ("slot", "tape")

    def __init__(
        self, namespace: Namespace, level: int, primal: Any, tape: Tape, slot: int
    ) -> None:
        self.namespace = namespace
        self.level = level
        self.primal = primal
        self.tape = tape
        self.slot = slot

    def bind(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Apply a function to the values and record its `vjp` rule."""
        level = self.level
        primals: list[Any] = []
        parents: list[int | None] = []
        wanted: list[bool] = []
        for arg in args:
            if isinstance(arg, TapeArray) and arg.level == level:
                primals.append(arg.primal)
                parents.append(arg.slot)
                wanted.append(True)
            else:
                primals.append(arg)
                parents.append(None)
                wanted.append(False)
        namespace = self.namespace
        out = namespace.function(name)(*primals, **kwargs)
        pull = RULES[name].vjp(namespace, out, primals, wanted, kwargs)
        return self.tape.append(out, parents, pull)
