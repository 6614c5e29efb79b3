"""Array libraries that derivatives are computed on, or compared with."""

from __future__ import annotations

import warnings

import array_api_compat.numpy
import array_api_strict
import jax
import pytest
import torch

from xpmd_autodiff import Differentiation

if not jax.config.jax_enable_x64:
    jax.config.update("jax_enable_x64", True)


# The first use of forward mode makes torch warn about code of its own.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.func.jvp(torch.sin, (torch.ones(1),), (torch.ones(1),))


@pytest.fixture
def _reflected_operators(monkeypatch):
    """Let strict arrays leave `strict * other` to the other array, as all libraries do.

    array-api-strict 2.6 raises where Python expects `NotImplemented`.
    """
    array = array_api_strict.ones(1).__class__
    check = array._check_type_device

    def tolerant(self, other):
        if not hasattr(other, "__array_namespace__") or isinstance(other, array):
            check(self, other)

    monkeypatch.setattr(array, "_check_type_device", tolerant)


@pytest.fixture(params=["numpy", "strict"])
def differentiation(request, _reflected_operators):
    """Return the differentiation of NumPy or of the strictest namespace there is."""
    if request.param == "numpy":
        yield Differentiation(array_api_compat.numpy)
        return
    before = array_api_strict.get_array_api_strict_flags()
    array_api_strict.set_array_api_strict_flags(boolean_indexing=False, data_dependent_shapes=False)
    yield Differentiation(array_api_strict)
    array_api_strict.set_array_api_strict_flags(
        boolean_indexing=before["boolean_indexing"],
        data_dependent_shapes=before["data_dependent_shapes"],
    )


@pytest.fixture
def xp(differentiation):
    """Return the plain namespace."""
    return differentiation.namespace.plain


@pytest.fixture
def numpy_differentiation():
    """Return the differentiation of NumPy."""
    return Differentiation(array_api_compat.numpy)
