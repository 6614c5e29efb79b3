"""A component as data: a frozen dataclass whose parameters are the leaves of a pytree."""

from __future__ import annotations

import dataclasses
import numbers
from typing import Any, ClassVar, Self, dataclass_transform

import optree

#: The optree namespace in which every component is registered.
NAMESPACE = "xpmd"

_ROLE = "xpmd_role"


def static(
    default: Any = dataclasses.MISSING, *, init: bool = True, default_factory: Any = None
) -> Any:
    """Mark a field as structure: hashable, compiled in, reached by no gradient."""
    return _field("static", default, init, default_factory)


def indices(*, default: Any = dataclasses.MISSING) -> Any:
    """Mark a field as integer data: carried as an array, reached by no gradient."""
    return _field("indices", default, True, None)


def _field(role: str, default: Any, init: bool, default_factory: Any) -> Any:
    metadata = {_ROLE: role}
    if default_factory is not None:
        return dataclasses.field(default_factory=default_factory, init=init, metadata=metadata)
    if default is dataclasses.MISSING:
        return dataclasses.field(init=init, metadata=metadata)
    return dataclasses.field(default=default, init=init, metadata=metadata)


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(static, indices))
class Module:
    """Base of every component: subclassing makes a frozen dataclass and registers it with optree.

    Fields are parameters that gradients reach, unless marked `static()` or `indices()`. An attribute
    that is not a field raises as soon as the component is used: a parameter hidden in it would get a
    silent zero for its gradient.
    """

    _own_init: ClassVar[bool] = False
    _dynamic_names: ClassVar[tuple[str, ...]] = ()
    _static_names: ClassVar[tuple[str, ...]] = ()
    _index_names: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # A hand-written __init__ serves the subclasses of its class, too.
        cls._own_init = cls._own_init or "__init__" in cls.__dict__
        # eq=False: comparing arrays is ambiguous, and components are hashed by identity.
        dataclasses.dataclass(frozen=True, eq=False, init=not cls._own_init)(cls)
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        roles = {field.name: field.metadata.get(_ROLE, "parameter") for field in fields}
        cls._static_names = tuple(name for name, role in roles.items() if role == "static")
        cls._dynamic_names = tuple(name for name, role in roles.items() if role != "static")
        cls._index_names = frozenset(name for name, role in roles.items() if role == "indices")
        register: Any = optree.register_pytree_node
        register(cls, _flatten, cls._unflatten, namespace=NAMESPACE)

    @classmethod
    def _unflatten(cls, metadata: Any, children: Any) -> Self:
        # Validation is bypassed: the leaves may be tracers, or anything a tree map put there.
        component = object.__new__(cls)
        state = component.__dict__
        state.update(zip(cls._dynamic_names, children, strict=True))
        state.update(zip(cls._static_names, metadata, strict=True))
        return component

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, validated like a new one."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def with_fields(self, **changes: Any) -> Self:
        """Return a copy with some fields changed and nothing checked, for values known to fit."""
        component = object.__new__(type(self))
        component.__dict__.update(self.__dict__)
        component.__dict__.update(changes)
        return component


def _flatten(component: Module) -> tuple[Any, Any, Any]:
    cls = type(component)
    values = component.__dict__
    try:
        children = [values[name] for name in cls._dynamic_names]
        metadata = tuple(values[name] for name in cls._static_names)
    except KeyError:
        raise _misdeclared(cls, values) from None
    if len(values) != len(children) + len(metadata):
        raise _misdeclared(cls, values)
    for name, value in zip(cls._static_names, metadata, strict=True):
        if hasattr(value, "dtype") and not isinstance(value, numbers.Number):
            raise TypeError(
                f"{cls.__name__}: the static field `{name}` holds an array, which no gradient would "
                "reach. Give a plain number, or declare the field without md.static()."
            )
    return children, metadata, cls._dynamic_names


def _misdeclared(cls: Any, values: Any) -> TypeError:
    known = {*cls._dynamic_names, *cls._static_names}
    extra, missing = sorted(set(values) - known), sorted(known - set(values))
    faults = [f"`{name}` is not declared as a field" for name in extra]
    faults += [f"the field `{name}` is not set" for name in missing]
    return TypeError(
        f"{cls.__name__}: {' and '.join(faults)}. Declare each value a component holds as a dataclass "
        "field and set it; mark what is not a parameter with md.static()."
    )


def flatten(tree: Any) -> tuple[list[Any], optree.PyTreeSpec]:
    """Return the leaves and the structure of a tree of components, dicts, lists and tuples."""
    return optree.tree_flatten(tree, namespace=NAMESPACE)


def unflatten(structure: optree.PyTreeSpec, leaves: Any) -> Any:
    """Put leaves back into the structure they were taken from."""
    return optree.tree_unflatten(structure, leaves)


def leaf_names(structure: optree.PyTreeSpec) -> list[str]:
    """Return where each leaf of a structure stands, in words such as "atoms.parameters.sigma"."""
    paths = optree.treespec_paths(structure)
    return [".".join(str(part) for part in path if not isinstance(part, int)) for path in paths]
