"""The errors xpmd raises on purpose: each says what was given, what is possible and what to do."""

from __future__ import annotations

from typing import Any


class XpmdError(Exception):
    """Base of every error that is not a plain `ValueError` or `TypeError`."""


class BackendError(XpmdError, ValueError):
    """A backend is unknown or unavailable, or arrays of two of them were mixed."""


class SimulationError(XpmdError, RuntimeError):
    """A simulation produced a number that is not finite, or a force that explodes.

    Attributes:
        step: the first step whose state is bad.
        atom: index of the worst atom, or `None`.
        system: the last good `System`, or `None` if the start itself was bad.
    """

    def __init__(
        self, message: str, *, step: int | None = None, atom: int | None = None, system: Any = None
    ) -> None:
        super().__init__(message)
        self.step = step
        self.atom = atom
        self.system = system


class NeighborOverflowError(XpmdError, RuntimeError):
    """A neighbor list outgrew a capacity that could not be enlarged."""


class GradientError(XpmdError, RuntimeError):
    """A derivative was asked for that does not exist or cannot be computed this way."""


class ReplicaError(XpmdError, RuntimeError):
    """One of several simulations failed; its cause is the error it failed with.

    Attributes:
        replica: its number, from 0.
        seed: its seed.
        results: of all replicas, Results and errors, where this error stands for all of them.
    """

    def __init__(
        self, message: str, *, replica: int = 0, seed: int = 0, results: list[Any] | None = None
    ) -> None:
        super().__init__(message)
        self.replica = replica
        self.seed = seed
        self.results = results


#: What to say where a number that is differentiated reaches an energy by a way of its own.
CAPTURED = (
    "Something that is being differentiated is used by an interaction or a simulator without being one "
    "of its fields: it was captured by a function or read from outside, and part of its gradient would "
    "be lost. Make it a field of the component, `k: Any` in the class and `self.k` in `energy`."
)


#: What to say where a reverse rule, which holds loops and calls of the host, is differentiated itself.
TWICE = (
    "A function with a hand-written gradient, such as a simulation, was differentiated twice in "
    "reverse. Take the outer derivative by strategy='finite_difference' or, on JAX, by 'forward'."
)


#: What to say where only changes along a direction are known and cotangents were to be pulled back.
ONE_WAY = (
    "A function that knows its derivative along directions only, such as simulate(..., "
    "gradient='forward'), was differentiated in reverse: by loss.backward(), jax.grad, or "
    "md.value_and_grad with a strategy that goes back. Leave `gradient` out or name such a strategy, as "
    "gradient='reverse'; or take the gradient by md.value_and_grad(loss, 'forward')."
)


class PluginError(XpmdError, RuntimeError):
    """A plugin could not be loaded or used; names the distribution it came from."""

    def __init__(self, message: str, *, distribution: str | None = None) -> None:
        super().__init__(message)
        self.distribution = distribution
