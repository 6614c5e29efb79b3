"""What PyTorch's compiler does not see by itself: what to compute first, and cheaper ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch._inductor import test_operators

Array = Any

_REALIZED = torch.ops._inductor_test.realize.default

#: Operations that may lead to an entry that is not of a pair, counted again for each use.
LONGEST = 100

#: What is in memory when it has been computed.
_WRITTEN = (
    _REALIZED,
    torch.ops.aten.sum.dim_IntList,
    torch.ops.aten.sum.default,
    torch.ops.aten.mean.dim,
    torch.ops.aten.amax.default,
    torch.ops.aten.cat.default,
    torch.ops.aten.stack.default,
)


def settled(array: Array) -> Array:
    """Return an array that compiled code computes before it is used, rather than for each use of it."""
    return test_operators.realize(array)


def multiply_by_inverses(graph: Any) -> None:
    """Make divisions by a number, which are slow, products with its inverse."""
    for node in list(graph.nodes):
        if node.target is not torch.ops.aten.div.Tensor or not hasattr(node.args[1], "meta"):
            continue
        number = node.args[1]
        value = number.meta["val"]
        if value.ndim or not value.is_floating_point() or not node.meta["val"].ndim:
            continue
        with graph.inserting_before(node):
            inverse = graph.call_function(torch.ops.aten.reciprocal.default, (number,))
            inverse.meta["val"] = value
            product = graph.call_function(torch.ops.aten.mul.Tensor, (node.args[0], inverse))
            product.meta["val"] = node.meta["val"]
        node.replace_all_uses_with(product)
        graph.erase_node(node)


def unmoved(graph: Any, constants: Sequence[Any]) -> set[Any]:
    """Return what depends on constants alone and is worth keeping.

    Arrays as large as those of pairs that come of smaller ones, such as ones for all of them, are not:
    reading them takes longer than computing them.
    """
    most = _largest(graph.nodes)
    still = set(constants)
    for node in graph.nodes:
        sources = node.all_input_nodes
        if node.op not in ("get_attr", "call_function") or not still.issuperset(sources):
            continue
        if (
            node.op == "get_attr"
            or not _is_large(node, most)
            or any(_is_large(source, most) for source in sources)
        ):
            still.add(node)
    return still


def settle(graph: Any, still: set[Any]) -> None:
    """Have computed first what would otherwise be computed again for each entry that needs it.

    The compiler takes in whatever leads to what a loop reads. So numbers are computed once, not for each
    entry they are for, and arrays as soon as what leads to them has become long. Of the largest arrays,
    those of pairs, all is taken in, for they should never be written.
    """
    sizes: dict[Any, int] = {}
    nodes = [node for node in graph.nodes if node not in still and _value(node) is not None]
    most = _largest(nodes)
    for node in nodes:
        if node.op != "call_function" or node.target in _WRITTEN:
            continue
        value = _value(node)
        if value.ndim and _is_large(node, most):
            continue
        sizes[node] = 1 + sum(sizes.get(each, 1) for each in node.all_input_nodes)
        readers, longest = list(node.users), LONGEST
        if not value.ndim:
            readers = [user for user in readers if _has_entries(user)]
            longest = 0 if value.is_floating_point() else LONGEST
        readers = [user for user in readers if user.op != "output"]
        if sizes[node] <= longest or not readers:
            continue
        sizes[node] = 1
        with graph.inserting_after(node):
            settled_node = graph.call_function(_REALIZED, (node,))
            settled_node.meta["val"] = value
        for user in readers:
            user.replace_input_with(node, settled_node)


def _largest(nodes: Iterable[Any]) -> int:
    """Return how many entries the largest array has that is computed."""
    values = [_value(node) for node in nodes]
    return max((value.numel() for value in values if value is not None), default=0)


def _is_large(node: Any, most: int) -> bool:
    """Return whether an array is as those of pairs, whose largest has so many entries."""
    value = _value(node)
    return value is not None and 4 * value.numel() > most


def _value(node: Any) -> Any:
    value = node.meta.get("val")
    return value if isinstance(value, torch.Tensor) else None


def _has_entries(node: Any) -> bool:
    value = _value(node)
    return value is not None and value.ndim > 0
