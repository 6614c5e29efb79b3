"""The body of a loop as graphs, for PyTorch's compiler.

Of what a run through a body records, whatever is not needed for what it ends with is left out, and what
depends on constants alone is taken out, to be computed once for all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
)
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from xpmd_torch.derivatives import quietly
from xpmd_torch.graph_passes import multiply_by_inverses, settle, unmoved
from xpmd_torch.shared_entries import entries_shared
from xpmd_torch.traces import Kind, Reached, Trace, UntraceableError, tracing

Array = Any
Arrays = tuple[Any, ...]

#: What is written to memory: not what is computed for pairs, but what would be computed again and again.
OPTIONS: dict[str, Any] = {
    "realize_reads_threshold": 64,
    "realize_opcount_threshold": 4000,
    "realize_acc_reads_threshold": 64,
    # Indices are those of a neighbor list, or are known to be in bounds otherwise.
    "assert_indirect_indexing": False,
    "size_asserts": False,
    # Fewer elements for each thread are done sooner than threads are woken.
    "cpp.min_chunk_size": 2048,
    # Components are written where they belong, rather than stacked anew by all that reads them.
    "max_pointwise_cat_inputs": 1,
}

#: What is raised where a number would have to be known.
_NEEDS_NUMBERS = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    GuardOnDataDependentSymNode,
)


class Part(NamedTuple):
    """A graph and where it leads.

    Attributes:
        kind: what is at its end.
        call: what the host calls there.
        settled: from constants to what the graph needs that depends on nothing else.
        n_constants: how many of the first inputs are constants.
        graph: from the inputs that it needs, then what was settled, to outputs that are no inputs;
            `None` if there are none.
        inputs: places of the inputs it needs.
        outputs: for each output, the place of an input, or -1 - the place among what the graph gives.
        strides: what compiled code expects of its inputs, by place.
    """

    kind: Kind
    call: Any
    settled: Callable[..., Sequence[Array]]
    n_constants: int
    graph: Callable[[list[Array]], Sequence[Array]] | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    strides: tuple[tuple[int, tuple[int, ...]], ...]

    def prepared(self, values: Sequence[Array]) -> list[Array]:
        """Return what depends on constants alone, to be given to each call."""
        return list(self.settled(*values[: self.n_constants]))

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
    reached: list[Reached] = []
    # Inputs of their own, even where one tensor is given twice: a graph would take them for one.
    examples = tuple(x.detach() for x in examples)

    def traced(*inputs: Array) -> list[Array]:
        with tracing(trace(*inputs)):
            try:
                run(*inputs)
            except Reached as end:
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


def _part(made: Any, end: Reached, examples: Arrays, n_constants: int) -> Part:
    """Return a recorded graph in two: what depends on constants alone, and the rest, compiled."""
    from torch._functorch.compile_utils import fx_graph_cse

    graph = made.graph = fx_graph_cse(made.graph)
    graph.eliminate_dead_code()
    multiply_by_inverses(graph)
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    still = unmoved(graph, inputs[:n_constants])
    settle(graph, still)
    (outputs,) = next(node for node in graph.nodes if node.op == "output").args
    computed = [node for node in dict.fromkeys(outputs) if node not in inputs]
    read = {
        source
        for node in graph.nodes
        if node not in still and node.op != "output"
        for source in node.all_input_nodes
    }
    read.update(computed)
    border = [node for node in graph.nodes if node in still and node in read and node not in inputs]
    needed = [node for node in inputs if node in read]
    before = _between(made, inputs[:n_constants], border)
    after = _between(made, [*needed, *border], computed)
    places = tuple(
        inputs.index(node) if node in inputs else -1 - computed.index(node) for node in outputs
    )
    kept = tuple(inputs.index(node) for node in needed)
    strides = tuple(
        (place, tuple(examples[k].stride())) for place, k in enumerate(kept) if examples[k].ndim > 1
    )
    prepared = before(*examples[:n_constants])
    compiled = _compiled(after, [*(examples[k] for k in kept), *prepared]) if computed else None
    return Part(end.kind, end.call, before, n_constants, compiled, kept, places, strides)


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


def _compiled(made: Any, examples: list[Array]) -> Callable[[list[Array]], Sequence[Array]]:
    with quietly():
        from torch._inductor import config
        from torch._inductor.compile_fx import compile_fx_inner

        with torch.no_grad(), config.patch(OPTIONS), entries_shared():
            return compile_fx_inner(made, examples)
