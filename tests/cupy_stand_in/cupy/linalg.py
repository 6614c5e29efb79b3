"""Linear algebra, without what CuPy 13 lacks: eigenvalues of matrices that are not symmetric."""

import numpy

from cupy._functions import names, run


def _of_matrices(name):
    function = getattr(numpy.linalg, name)

    def call(*args, **kwargs):
        return run(function, args, kwargs)

    call.__name__ = name
    return call


for _name in names(
    """
    cholesky det eigh eigvalsh inv lstsq matrix_power matrix_rank norm pinv qr slogdet solve svd
    tensorinv tensorsolve
    """
):
    globals()[_name] = _of_matrices(_name)
