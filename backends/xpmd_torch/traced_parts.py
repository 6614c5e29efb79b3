"""The body of a loop as graphs, for PyTorch's compiler.

A body is run once on tensors without numbers, which records what it does; dispatch, plugins and
derivatives are Python and leave no trace. Where it needs to know a number, it ends: a graph leads from
there, or from the beginning, to the next such place.

    ()                       to the first `cond`, which needs its predicate
    ("yes",) or ("no",)      through that branch, from its operands
    ("join",)                from what the branch gave to the next place, or to the end
    (..., "host")            from what a host function gave

A graph begins at the beginning of the body again; whatever is not needed for what it ends with is left
out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

import torch
from torch._inductor import test_operators
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
)
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from xpmd_torch.derivatives import quietly

Array = Any
Arrays = tuple[Any, ...]
Script = tuple[str, ...]
Kind = Literal["end", "cond", "branch_end", "host"]

#: What is written to memory: not what is computed for pairs, but what would be computed again and again.
OPTIONS: dict[str, Any] = {
    "realize_reads_threshold": 64,
    "realize_opcount_threshold": 400,
    "realize_acc_reads_threshold": 64,
    # Indices are those of a neighbor list, or are known to be in bounds otherwise.
    "assert_indirect_indexing": False,
    "size_asserts": False,
    # Components are written where they belong, rather than stacked anew by all that reads them.
    "max_pointwise_cat_inputs": 1,
}


#: What is raised where a number would have to be known.
_NEEDS_NUMBERS = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    GuardOnDataDependentSymNode,
)

#: Operations that may lead to an entry, counted again for each use: of arrays of pairs, and of others.
LONGEST_OF_PAIRS, LONGEST = 500, 100

#: What is in memory when it has been computed.
_WRITTEN = (
    torch.ops._inductor_test.realize.default,
    torch.ops.aten.sum.dim_IntList,
    torch.ops.aten.sum.default,
    torch.ops.aten.mean.dim,
    torch.ops.aten.amax.default,
    torch.ops.aten.cat.default,
    torch.ops.aten.stack.default,
)


class UntraceableError(Exception):
    """A body does what no graph can hold; it is run as it stands instead."""


class _Reached(BaseException):
    """The end of a part: what kind of end, its arrays, and what is to be called there."""

    def __init__(self, kind: Kind, arrays: Sequence[Array], call: Any = None) -> None:
        super().__init__(kind)
        self.kind, self.arrays, self.call = kind, tuple(arrays), call


#: What the loops of a function that is being traced ask.
_trace: ContextVar[Trace | None] = ContextVar("_trace", default=None)


def current_trace() -> Trace | None:
    """Return the trace at work, `None` if there is none."""
    return _trace.get()


def is_traced(array: Array) -> bool:
    """Return whether a tensor has no numbers, because a body is being traced."""
    return isinstance(array, FakeTensor)


def settled(array: Array) -> Array:
    """Return an array that compiled code computes before it is used, rather than for each use of it."""
    return test_operators.realize(array) if is_traced(array) else array


class Trace:
    """One run of a function up to a place in the body of one of its loops.

    Args:
        target: numbers of the loops, from the outermost in.
        numbers: what the loops around it count, then its own.
        carry: what its body is given.
        script: the places in the body that are passed.
        given: what is known at each of them.
    """

    def __init__(
        self,
        target: tuple[int, ...],
        numbers: Arrays,
        carry: Arrays,
        script: Script,
        given: Sequence[Arrays],
    ) -> None:
        self.target, self.numbers, self.carry = target, numbers, carry
        self._passed = list(zip(script, given, strict=True))
        self._path: tuple[int, ...] = ()
        self._count = 0
        self.inside = False

    def enter(self, body: Callable[[Any, Arrays], Arrays], around: Callable[[Any], Any]) -> Any:
        """Meet a loop on the way to the body that is wanted.

        Args:
            body: the body of the loop, if it is the one.
            around: calls it with the loop's number, if the one is inside of it.
        """
        path = (*self._path, self._count)
        self._count += 1
        if path == self.target:
            self.inside = True
            raise _Reached("end", body(self.numbers[-1], self.carry))
        if path != self.target[: len(path)]:
            raise UntraceableError("A loop comes after another.")
        number = self.numbers[len(path) - 1]
        self._path, self._count = path, 0
        around(number)
        raise UntraceableError("A loop was not met again.")

    def cond(
        self,
        predicate: Array,
        yes: Callable[..., Arrays],
        no: Callable[..., Arrays],
        operands: Arrays,
    ) -> Arrays:
        """Go on as the script says."""
        if not self._passed:
            raise _Reached("cond", (predicate, *operands))
        what, known = self._passed.pop(0)
        if what == "join":
            return known
        raise _Reached("branch_end", (yes if what == "yes" else no)(*known))

    def host(self, call: Callable[..., Arrays], arrays: Arrays) -> Arrays:
        """Go on with what a host function gave."""
        if not self._passed:
            raise _Reached("host", arrays, call)
        _, known = self._passed.pop(0)
        return known


@contextmanager
def _tracing(trace: Trace | None) -> Iterator[None]:
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


class Part(NamedTuple):
    """A graph and where it leads.

    Attributes:
        kind: what is at its end.
        call: what the host calls there.
        settled: from constants to what the graph needs that depends on nothing else.
        constants: places of the inputs that this reads.
        graph: from the inputs that it needs, then what was settled, to outputs that are no inputs;
            `None` if there are none.
        inputs: places of the inputs it needs.
        outputs: for each output, the place of an input, or -1 - the place among what the graph gives.
        strides: what compiled code expects of its inputs, by place.
    """

    kind: Kind
    call: Any
    settled: Callable[..., Sequence[Array]]
    constants: tuple[int, ...]
    graph: Callable[[list[Array]], Sequence[Array]] | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    strides: tuple[tuple[int, tuple[int, ...]], ...]

    def prepared(self, values: Sequence[Array]) -> list[Array]:
        """Return what depends on constants alone, to be given to each call."""
        return list(self.settled(*(values[place] for place in self.constants)))

    def __call__(self, values: Sequence[Array], prepared: list[Array]) -> Arrays:
        """Return the outputs for all inputs."""
        found: Sequence[Array] = ()
        if self.graph is not None:
            needed = [values[place] for place in self.inputs]
            for place, stride in self.strides:
                if needed[place].stride() != stride:
                    needed[place] = _with_stride(needed[place], stride)
            found = self.graph(needed + prepared)
        return tuple([values[k] if k >= 0 else found[-1 - k] for k in self.outputs])


def _with_stride(array: Array, stride: tuple[int, ...]) -> Array:
    fitted = torch.empty_strided(array.shape, stride, dtype=array.dtype, device=array.device)
    return fitted.copy_(array)


def traced_part(
    run: Callable[..., Any], trace: Callable[..., Trace], examples: Arrays, n_constants: int
) -> Part:
    """Return the part that a trace reaches.

    Args:
        run: the function, of the inputs.
        trace: the trace, of the inputs.
        examples: inputs with numbers.
        n_constants: how many of the first inputs stay what they are while a loop runs.

    Raises:
        UntraceableError: it does something else on the way than computing.
    """
    with quietly():
        from torch._inductor.decomposition import select_decomp_table
    reached: list[_Reached] = []

    def traced(*inputs: Array) -> list[Array]:
        with _tracing(trace(*inputs)):
            try:
                run(*inputs)
            except _Reached as end:
                reached[:] = [end]
                return [torch.as_tensor(each) for each in end.arrays]
        raise UntraceableError("The loop was not met again.")

    try:
        with quietly(), torch.no_grad():
            made = make_fx(
                traced, select_decomp_table(), tracing_mode="fake", _allow_non_fake_inputs=True
            )(*examples)
    except _NEEDS_NUMBERS as error:
        raise UntraceableError(str(error)) from error
    return _part(made, reached[0], examples, n_constants)


def _part(made: Any, end: _Reached, examples: Arrays, n_constants: int) -> Part:
    """Return a recorded graph in two: what depends on constants alone, and the rest, compiled."""
    from torch._functorch.compile_utils import fx_graph_cse

    graph = made.graph = fx_graph_cse(made.graph)
    graph.eliminate_dead_code()
    _multiply_by_inverses(graph)
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    (outputs,) = next(node for node in graph.nodes if node.op == "output").args
    still = set(inputs[:n_constants])
    for node in graph.nodes:
        if node.op == "get_attr" or (
            node.op == "call_function" and still.issuperset(node.all_input_nodes)
        ):
            still.add(node)
    _settle(graph, still)
    (outputs,) = next(node for node in graph.nodes if node.op == "output").args
    computed = [node for node in dict.fromkeys(outputs) if node not in inputs]
    border = [
        node
        for node in graph.nodes
        if node in still
        and node not in inputs
        and (
            node in computed or any(user not in still for user in node.users if user.op != "output")
        )
    ]
    before = _between(made, inputs[:n_constants], border)
    needed = [node for node in inputs if any(user not in still for user in node.users)]
    needed = [node for node in needed if any(user.op != "output" for user in node.users)]
    after = _between(made, [*needed, *border], computed)
    places = tuple(
        inputs.index(node) if node in inputs else -1 - computed.index(node) for node in outputs
    )
    kept = tuple(inputs.index(node) for node in needed)
    strides = tuple(
        (place, tuple(examples[k].stride())) for place, k in enumerate(kept) if examples[k].ndim > 1
    )
    constants = tuple(range(n_constants))
    prepared = before(*examples[:n_constants])
    compiled = _compiled(after, [*(examples[k] for k in kept), *prepared]) if computed else None
    return Part(end.kind, end.call, before, constants, compiled, kept, places, strides)


def _settle(graph: Any, still: set[Any]) -> None:
    """Have computed first what would otherwise be computed again for each use of it.

    The compiler takes in whatever leads to what a loop reads, however often it is read on the way: work
    doubles with each step of a random number generator. So numbers are computed once, not for each
    entry they are for, and arrays as soon as what leads to them has become long. Of the largest arrays,
    those of pairs, more is taken in, for they should never be written.
    """
    sizes: dict[Any, int] = {}
    nodes = [node for node in graph.nodes if node not in still and _value(node) is not None]
    largest = max((_value(node).numel() for node in nodes), default=0)
    for node in nodes:
        if node.op != "call_function" or node.target in _WRITTEN:
            continue
        value = _value(node)
        sizes[node] = 1 + sum(sizes.get(each, 1) for each in node.all_input_nodes)
        if value.ndim:
            readers = list(node.users)
            most = LONGEST_OF_PAIRS if 4 * value.numel() > largest else LONGEST
        else:
            readers = [user for user in node.users if _has_entries(user)]
            most = 0 if value.is_floating_point() else LONGEST
        readers = [user for user in readers if user.op != "output"]
        if sizes[node] <= most or not readers:
            continue
        sizes[node] = 1
        with graph.inserting_after(node):
            settled_node = graph.call_function(torch.ops._inductor_test.realize.default, (node,))
            settled_node.meta["val"] = value
        for user in readers:
            user.replace_input_with(node, settled_node)


def _value(node: Any) -> Any:
    value = node.meta.get("val")
    return value if isinstance(value, torch.Tensor) else None


def _has_entries(node: Any) -> bool:
    value = _value(node)
    return value is not None and value.ndim > 0


def _between(made: Any, starts: Sequence[Any], ends: Sequence[Any]) -> Any:
    """Return what leads from some nodes of a graph to others as a graph of its own."""
    graph = torch.fx.Graph()
    copies: dict[Any, Any] = {}
    for k, node in enumerate(starts):
        copies[node] = graph.placeholder(f"given_{k}")
        copies[node].meta = dict(node.meta)
    needed = set(ends) - set(starts)
    for node in reversed(list(made.graph.nodes)):
        if node in needed:
            needed.update(each for each in node.all_input_nodes if each not in copies)
    for node in made.graph.nodes:
        if node in needed:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(tuple(copies[node] for node in ends))
    return torch.fx.GraphModule(made, graph)


def _multiply_by_inverses(graph: Any) -> None:
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


def _compiled(made: Any, examples: list[Array]) -> Callable[[list[Array]], Sequence[Array]]:
    with quietly():
        from torch._inductor import config
        from torch._inductor.compile_fx import compile_fx_inner

        with torch.no_grad(), config.patch(OPTIONS):
            return compile_fx_inner(made, examples)
