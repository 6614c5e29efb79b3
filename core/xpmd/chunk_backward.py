"""The way back: cotangents of a state pulled through one chunk of steps after the other.

A step is differentiated as it stands, with the total force as a primitive: its value is the one already
known, and its cotangent goes through `force_vjp`. So every simulator and coupling costs one force_vjp a
step, and no pair arrays are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from xpmd.backend import Backend
from xpmd.chunk_forward import kept_up, prepared
from xpmd.continuous_adjoint import continuous_step_back
from xpmd.errors import GradientError
from xpmd.force_derivatives import force_vjp
from xpmd.module import flatten
from xpmd.program import Program, flat_floats
from xpmd.undoing import filled, known_step_back, pulled_ahead, undone, undone_and_pulled

Array = Any
Arrays = tuple[Any, ...]


@dataclass(frozen=True)
class Tempering:
    """What is done to the cotangent of a state after each step back, to tame its growth.

    Attributes:
        truncate: zero this many steps before each record, and before the end.
        clip_norm: largest Euclidean norm.
        damping: fraction taken away.
    """

    truncate: int | None = None
    clip_norm: float | None = None
    damping: float = 0.0


class BackwardResult(NamedTuple):
    """What a chunk returns on the way back.

    Attributes:
        cotangents: of the state at its start.
        totals: of the wanted leaves, summed up so far.
        floats: the state at its start.
        lists: a neighbor list that holds there.
        overflow: whether a list was too small, and nothing here counts.
    """

    cotangents: Arrays
    totals: Arrays
    floats: Arrays
    lists: Arrays
    overflow: Array


@dataclass(frozen=True)
class BackwardPlan:
    """What the compiled way back is specialised on.

    Attributes:
        places: the wanted leaves.
        reconstruct: whether states are found by undoing steps, rather than kept.
        has_records: whether records have cotangents.
        continuous: whether the equation of motion is differentiated, rather than the steps.
        tempering: what is done to cotangents.
        n_steps: steps of the whole run, for truncation.
    """

    places: tuple[int, ...]
    reconstruct: bool
    has_records: bool
    continuous: bool = False
    tempering: Tempering = Tempering()
    n_steps: int = 0


def retreat(
    program: Program,
    plan: BackwardPlan,
    leaves: Arrays,
    kept: Any,
    end: Arrays,
    lists: Arrays,
    keys: Array,
    t0: Any,
    active: Any,
    done: Any,
    cotangents: Arrays,
    of_records: Arrays,
    totals: Arrays,
) -> BackwardResult:
    """Pull cotangents through a chunk.

    Args:
        kept: states before each step, or step records where states are reconstructed.
        end: floats of the state after the chunk.
        lists: a list that holds there.
        done: steps of the run before this chunk.
        cotangents: of the state after the chunk, record there not included if the chunk made it.
        of_records: cotangents of the chunk's records, stacked.
        totals: cotangents of the wanted leaves so far.
    """
    backend, interval = program.backend, program.structure.interval
    n_floats, n_lists = len(end), len(lists)
    inside = plan.has_records and program.structure.records_inside
    xp = backend.xp(*leaves, *end)

    def due(lam: Arrays, k: Any) -> Arrays:
        """Return the cotangents of the state after step `k`, with what is added or cut there."""
        lam = without_earlier(program, plan, lam, done + k + 1)
        if inside and interval is not None:
            lam = with_record(program, lam, of_records, k, interval)
        return lam

    def body(back: Any, carry: Arrays) -> Arrays:
        k = active - 1 - back
        lam, after, held, sums = split(carry, n_floats, n_floats, n_lists)
        lam = due(lam, k)
        if plan.reconstruct:
            record = backend.row(kept, k + 1)
            now, held = undone(program, leaves, record, after, held, keys, t0 + k, xp)
        else:
            now = backend.row(kept, k)
        held = kept_up(program, held, *_at(program, leaves, after), 1, xp)

        held_now = held
        if plan.continuous:
            held_now = kept_up(program, held, *_at(program, leaves, now), 1, xp)

        def pulled(*values: Array) -> Arrays:
            lam, after, held, sums = split(values, n_floats, n_floats, n_lists)
            if plan.continuous:
                new, more = continuous_step_back(
                    program, plan.places, leaves, (now, held_now), (after, held), lam
                )
            else:
                new, more = step_back(
                    program, plan.places, leaves, now, after, held, keys, t0 + k, lam
                )
            return (*new, *(a + b for a, b in zip(sums, more, strict=True)))

        lam, sums = tempered(program, plan, pulled, lam, after, held, sums, done + k)
        return (*lam, *now, *held_now, *sums)

    def in_one_pass(back: Any, carry: Arrays) -> Arrays:
        """Do as `body`; J^T w and cotangents of leaves at the state after the step are carried along."""
        k = active - 1 - back
        lam, after, held, sums, ahead = split(carry, n_floats, n_floats, n_lists, len(totals))

        def pulled(*values: Array) -> Arrays:
            lam, after, _, sums = split(values, n_floats, n_floats, n_lists)
            new = known_step_back(program, leaves, after, lam, ahead[0], t0 + k)
            return (*new, *(a + b for a, b in zip(sums, ahead[1:], strict=True)))

        lam = due(lam, k)
        lam, sums = tempered(program, plan, pulled, lam, after, held, sums, done + k)
        # At the start of the chunk nothing is pulled any more, whatever is made ready.
        earlier = (k - 1) * (k > 0)
        now, held, ahead = undone_and_pulled(
            program,
            plan.places,
            leaves,
            backend.row(kept, k + 1),
            after,
            held,
            keys,
            t0 + k,
            due(lam, earlier),
            t0 + earlier,
            xp,
        )
        return (*lam, *now, *held, *sums, *ahead)

    carry = (*cotangents, *end, *lists, *totals)
    explicit = has_explicit_adjoint(program, plan.places, leaves)
    with program.holding(leaves):
        if plan.reconstruct and explicit and not plan.continuous:
            last = active - 1
            carry += pulled_ahead(
                program, plan.places, leaves, end, lists, due(cotangents, last), t0 + last, xp
            )
            carry = backend.repeat(in_one_pass, carry, active, program.structure.chunk)
        else:
            carry = backend.repeat(body, carry, active, program.structure.chunk)
    lam, start, held, sums = split(carry, n_floats, n_floats, n_lists)
    sums = sums[: len(totals)]
    return BackwardResult(lam, sums, start, held, program.neighbors(held).overflow)


def step_back(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    now: Arrays,
    after: Arrays,
    lists: Arrays,
    keys: Array,
    t: Any,
    cotangents: Arrays,
) -> tuple[Arrays, Arrays]:
    """Return cotangents of a state and of the wanted leaves from those of the state one step later."""
    if has_explicit_adjoint(program, places, leaves):
        return _explicit_step_back(program, places, leaves, now, after, lists, keys, t, cotangents)
    backend = program.backend
    n_floats = len(now)
    # The box is a parameter like others, unless nobody wants its cotangent.
    n_moving = n_floats
    if not set(program.box_places) & set(places):
        n_moving -= program.n_box
    values = tuple(leaves[place] for place in places)

    def step(*xs: Array) -> Arrays:
        floats = (*xs[:n_moving], *now[n_moving:])
        changed = program.with_leaves(leaves, places, xs[n_moving:])
        initial, simulator = program.components(changed)
        state, system = program.state(floats, initial)
        forces = replayed_forces(program, leaves, places, system, after, lists)
        noise = program.noise(simulator, initial, keys, t)
        xp = backend.xp(*xs)
        result, _ = simulator.step(state, forces, system, t, noise, xp=xp)
        return flat_floats(result)

    _, pull = backend.vjp(step, *now[:n_moving], *values)
    found = filled(pull(cotangents), (*now[:n_moving], *values), backend.xp(*cotangents))
    return (*found[:n_moving], *cotangents[n_moving:]), found[n_moving:]


def has_explicit_adjoint(program: Program, places: tuple[int, ...], leaves: Arrays) -> bool:
    """Return whether the simulator says itself how cotangents pass a step, for the wanted leaves.

    It does so for parameters of the energy alone: masses, the box and its own settings also act in
    other ways than through the force.
    """
    _, simulator = program.components(leaves)
    if simulator.adjoint is None or simulator.couplings or not program.explicit:
        return False
    return program.energy_places.issuperset(places)


def _explicit_step_back(
    program: Program,
    places: tuple[int, ...],
    leaves: Arrays,
    now: Arrays,
    after: Arrays,
    lists: Arrays,
    keys: Array,
    t: Any,
    cotangents: Arrays,
) -> tuple[Arrays, Arrays]:
    """Do as `step_back`, by the simulator's own formula."""
    backend = program.backend
    system, simulator = program.components(leaves)
    xp = backend.xp(*leaves, *now)
    _, system = program.state(after, system)
    flags = [k in places for k in range(program.n_of_system)]
    slopes: list[Array | None] = []

    def pull(w: Array) -> Array:
        _, response, found = force_vjp(
            system, after[0], program.neighbors(lists), w, flags, forces=False
        )
        slopes[:] = [found[place] for place in places]
        return response

    state, _ = program.state(cotangents, system)
    assert simulator.adjoint is not None
    before = simulator.adjoint(state, pull, system, t, xp=xp)
    return flat_floats(before), filled(slopes, [leaves[place] for place in places], xp)


def replayed_forces(
    program: Program,
    leaves: Arrays,
    places: tuple[int, ...],
    system: Any,
    after: Arrays,
    lists: Arrays,
) -> Callable[[Array], Array]:
    """Return the total force as a primitive whose value is that of the state one step later.

    Args:
        leaves: plain ones.
        system: with the leaves that are being differentiated, and the box of its state.
        after: the state one step later, plain.
    """
    backend = program.backend
    mapped, _ = flatten(system)
    # The leaves of the System come first, those of the simulator after them.
    flags = [k in places for k in range(len(mapped))]
    wanted = [k for k, flag in enumerate(flags) if flag]
    _, plain = program.state(after, program.components(leaves)[0])
    neighbors = program.neighbors(lists)

    def known(coords: Array, *values: Array) -> tuple[Array]:
        return (after[2],)

    def forward(coords: Array, *values: Array) -> tuple[tuple[Array], Any]:
        return known(coords, *values), ()

    def backward(residuals: Any, cotangents: Arrays) -> Sequence[Array | None]:
        (w,) = cotangents
        if w is None:
            return [None] * (1 + len(wanted))
        _, response, found = force_vjp(plain, after[0], neighbors, w, flags, forces=False)
        return [response, *(found[k] for k in wanted)]

    primitive = backend.custom_vjp(known, forward, backward)
    return lambda coords: primitive(coords, *(mapped[k] for k in wanted))[0]


def start_back(
    program: Program,
    fresh: bool,
    places: tuple[int, ...],
    leaves: Arrays,
    floats: Arrays,
    lists: Arrays,
    cotangents: Arrays,
) -> Arrays:
    """Pull cotangents of the first state back to the wanted leaves, coordinates and velocities too.

    Args:
        places: the wanted leaves, those that only the start depends on included.
        floats, lists: the first state.
    """
    backend = program.backend

    def run(*values: Array) -> Arrays:
        changed = program.with_leaves(leaves, places, values)
        state, system = prepared(program, fresh, changed)
        inner = tuple(place for place in places if place not in program.start_places)
        forces = replayed_forces(program, leaves, inner, system, floats, lists)
        return flat_floats(state._replace(forces=forces(state.coords)))

    values = tuple(leaves[place] for place in places)
    _, pull = backend.vjp(run, *values)
    return filled(pull(cotangents), values, backend.xp(*cotangents))


def split(carry: Arrays, *sizes: int) -> tuple[Arrays, ...]:
    """Return parts of these sizes, and the rest."""
    parts, start = [], 0
    for size in sizes:
        parts.append(tuple(carry[start : start + size]))
        start += size
    return (*parts, tuple(carry[start:]))


def _at(program: Program, leaves: Arrays, floats: Arrays) -> tuple[Any, Array]:
    """Return the System with the box of a state, and the coordinates of the state."""
    system, _ = program.components(leaves)
    state, system = program.state(floats, system)
    return system, state.coords


def with_record(program: Program, lam: Arrays, of_records: Arrays, k: Any, interval: int) -> Arrays:
    """Return cotangents of the state after step `k` of a chunk with those of the record made there."""
    backend = program.backend
    due = (k + 1) % interval == 0
    n_box = program.n_box

    def added(*values: Array) -> Arrays:
        place = (k + 1) // interval - 1
        return add_snapshot(values, backend.row(tuple(of_records), place), n_box)

    return backend.cond(due, added, lambda *values: values, *lam)


def add_snapshot(lam: Arrays, snapshot: Sequence[Array | None], n_box: int) -> Arrays:
    """Add cotangents of a snapshot (coords, velocities, box) to those of a state."""
    changed = list(lam)
    for place, part in zip((0, 1, *range(len(lam) - n_box, len(lam))), snapshot, strict=True):
        if part is not None:
            changed[place] = changed[place] + part
    return tuple(changed)


def with_room(part: Array | None, size: int, like: Array, backend: Backend) -> Array:
    """Return cotangents of records, `None` for none, with zeros up to as many as a chunk makes."""
    have = 0 if part is None else part.shape[0]
    if part is not None and have == size:
        return part
    xp, device = backend.xp(like), backend.device_of(like)
    zeros = xp.zeros((size - have, *like.shape), dtype=like.dtype, device=device)
    return zeros if part is None else xp.concat([part, zeros])


def without_earlier(program: Program, plan: BackwardPlan, lam: Arrays, reached: Any) -> Arrays:
    """Return the cotangents of the state after `reached` steps, zero where a block of steps begins.

    Where records are closer than the truncation the run is cut in blocks of that many steps, counted
    from its end.
    """
    whole = plan.tempering.truncate
    interval = program.structure.interval if plan.has_records else None
    if whole is None or interval is None or interval >= whole:
        return lam
    left = plan.n_steps - reached
    border = (left % whole == 0) & (left != 0)
    return program.backend.cond(
        border, lambda *x: tuple(0.0 * part for part in x), lambda *x: x, *lam
    )


def tempered(
    program: Program,
    plan: BackwardPlan,
    pulled: Callable[..., Arrays],
    lam: Arrays,
    after: Arrays,
    held: Arrays,
    sums: Arrays,
    step: Any,
) -> tuple[Arrays, Arrays]:
    """Pull cotangents back through step number `step` of the run, and tame them."""
    backend, tempering, n_floats = program.backend, plan.tempering, len(lam)
    interval = program.structure.interval if plan.has_records else None
    operands = (*lam, *after, *held, *sums)
    if tempering.truncate is None or (interval is not None and interval < tempering.truncate):
        results = pulled(*operands)
    else:
        # Steps from here to the next record, or to the end.
        distance = plan.n_steps - step
        if interval is not None:
            before_last = step < plan.n_steps // interval * interval
            within = interval - step % interval
            if isinstance(before_last, bool):
                distance = within if before_last else distance
            else:
                distance = backend.xp(step).where(before_last, within, distance)

        def held_still(*values: Array) -> Arrays:
            still, *_, totals = split(values, n_floats, len(after), len(held))
            return (*(0.0 * part for part in still), *totals)

        near = distance <= tempering.truncate
        results = backend.cond(near, pulled, held_still, *operands)
    new, sums = tuple(results[:n_floats]), tuple(results[n_floats:])
    if tempering.damping:
        new = tuple((1.0 - tempering.damping) * part for part in new)
    if tempering.clip_norm is not None:
        xp = backend.xp(*new)
        norm = xp.sqrt(sum(xp.sum(part * part) for part in new[:2]))
        ones = xp.ones_like(norm)
        over = norm > tempering.clip_norm
        scale = xp.where(over, tempering.clip_norm / xp.where(over, norm, ones), ones)
        new = tuple(scale * part for part in new)
    return new, sums


def require_finite(name: str, value: Array, backend: Any) -> None:
    """Raise `GradientError` if a cotangent is known now and not finite.

    Args:
        name: what it belongs to.
    """
    known = backend.known(value)
    if known is not None and not (abs(known) < float("inf")).all():
        raise GradientError(
            f"The gradient with respect to {name} is not finite. Either an energy has no finite "
            "derivative where it was evaluated (a `where` whose masked branch divides by zero or "
            "takes a root of it: mask the input too), or the sensitivity of a chaotic trajectory has "
            "outgrown floating point numbers (use fewer steps, or `truncate`)."
        )
