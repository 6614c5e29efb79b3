"""The functions: NumPy's, by the names CuPy has and with what it refuses."""

import numpy

from cupy._array import SCALARS, ndarray, on_current, unwrap, wrap


def names(text):
    """Return the words of a text."""
    return text.split()


#: Keyword arguments of NumPy that CuPy does not take.
REFUSED = {"where", "initial", "like", "subok", "device", "casting"}

UFUNCS = names(
    """
    absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_or
    bitwise_xor cbrt ceil conjugate copysign cos cosh deg2rad degrees divide equal exp exp2 expm1
    floor floor_divide fmax fmin fmod greater greater_equal hypot invert isfinite isinf isnan
    left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not
    logical_or logical_xor matmul maximum minimum multiply negative nextafter not_equal positive
    power rad2deg radians reciprocal remainder right_shift rint sign signbit sin sinh sqrt square
    subtract tan tanh true_divide trunc
    """
)

#: Functions of an array, and of numbers or further arrays.
OF_AN_ARRAY = names(
    """
    all amax amin angle any argmax argmin argsort argwhere around broadcast_to copy count_nonzero
    cross cumprod cumsum diag diagonal diff dot empty_like expand_dims flatnonzero flip full_like
    imag inner isclose kron max mean min moveaxis nan_to_num nonzero ones_like outer prod ptp ravel
    real repeat reshape roll rollaxis rot90 round searchsorted sort squeeze std sum swapaxes take
    take_along_axis tensordot tile trace transpose tril triu unique var vdot where zeros_like
    allclose array_equal isin bincount clip median percentile
    """
)
OF_A_LIST = ["column_stack", "concatenate", "dstack", "hstack", "stack", "vstack"]
OF_SEVERAL = ["broadcast_arrays", "meshgrid", "einsum"]
CREATING = names(
    """
    arange empty eye full identity indices linspace ones tri zeros
    """
)
#: Functions that look at types and shapes only.
LOOKING = names(
    """
    broadcast_shapes can_cast finfo iinfo issubdtype promote_types result_type dtype
    """
)

TYPES = {
    name: getattr(numpy, name)
    for name in names(
        """
        bool_ complex128 complex64 complexfloating float16 float32 float64 floating generic inexact
        int16 int32 int64 int8 integer intp number signedinteger uint16 uint32 uint64 uint8
        unsignedinteger
        """
    )
}
#: Types that CUDA adds atomically.
ATOMIC = ("int32", "float16", "float32", "float64", "uint32", "uint64")


def wrapped(result):
    """Return what NumPy found as arrays of this library."""
    if isinstance(result, (numpy.ndarray, numpy.generic)):
        return wrap(result)
    if isinstance(result, (tuple, list)):
        return tuple(wrapped(part) for part in result)
    return result


def run(function, args, kwargs):
    """Apply a function of NumPy."""
    refused = REFUSED & set(kwargs)
    if refused:
        raise TypeError(f"{function.__name__}() got an unexpected keyword argument {refused}")
    out = kwargs.get("out")
    with numpy.errstate(all="ignore"):
        result = function(
            *(unwrap(arg) for arg in args), **{key: unwrap(arg) for key, arg in kwargs.items()}
        )
    return out if out is not None else wrapped(result)


class ufunc:
    """An elementwise function of arrays and numbers, nothing else."""

    def __init__(self, name):
        self.name = self.__name__ = name
        self._host = getattr(numpy, name)

    def __call__(self, *args, **kwargs):
        for arg in args:
            if not isinstance(arg, (ndarray, *SCALARS)):
                raise TypeError(f"Unsupported type {type(arg)}")
        if len(args) > self._host.nin:
            *args, kwargs["out"] = args
        return run(self._host, args, kwargs)

    def at(self, target, places, values):
        """Apply in place at places that may repeat, in another order than NumPy."""
        if self.name not in ("add", "subtract", "maximum", "minimum"):
            raise NotImplementedError(f"`{self.name}.at` is not supported")
        if self.name == "add" and target.dtype.name not in ATOMIC:
            raise TypeError(f"cupy.add.at only supports {', '.join(ATOMIC)}, not {target.dtype}")
        for array in (target, places, values):
            if not isinstance(array, ndarray):
                raise TypeError(f"Unsupported type {type(array)}")
            on_current(array)
        self._host.at(target._host, places._host[::-1], values._host[::-1])


def of_an_array(name):
    """Return a function whose first argument must be an array of this library."""
    function = getattr(numpy, name)

    def call(first, *args, **kwargs):
        if not isinstance(first, ndarray):
            raise TypeError(f"cupy.{name}: Unsupported type {type(first)}")
        return run(function, (first, *args), kwargs)

    call.__name__ = name
    return call


def of_a_list(name):
    """Return a function of a list of arrays of this library."""
    function = getattr(numpy, name)

    def call(arrays, **kwargs):
        for array in arrays:
            if not isinstance(array, ndarray):
                raise TypeError(f"cupy.{name}: Unsupported type {type(array)}")
        return run(function, (list(arrays),), kwargs)

    call.__name__ = name
    return call


def any_arguments(name):
    """Return a function of numbers, shapes, or several arrays."""
    function = getattr(numpy, name)

    def call(*args, **kwargs):
        return run(function, args, kwargs)

    call.__name__ = name
    return call


def empty(shape, dtype=float, order="C"):
    """Return an array whose memory holds garbage."""
    return ndarray(shape, dtype=dtype)


def looking(name):
    """Return a function of types, and of arrays for their types."""
    function = getattr(numpy, name)
    if isinstance(function, type) and name == "dtype":
        return function

    def call(*args):
        return function(*(arg.dtype if isinstance(arg, ndarray) else arg for arg in args))

    return call


def array(values, dtype=None, copy=True, order="K", subok=False, ndmin=0):
    """Return an array on the current device from numbers, host arrays or arrays of the same shape."""
    if isinstance(values, ndarray):
        if dtype is None or values.dtype == dtype:
            if not copy and values.device == type(values.device)():
                return values
            return values.copy()
        return values.astype(dtype)
    if isinstance(values, (list, tuple)) and values and all(isinstance(v, ndarray) for v in values):
        joined = PUBLIC["stack"](list(values))
        return joined if dtype is None else joined.astype(dtype, copy=False)
    host = numpy.asarray(values, dtype=dtype)
    if host.dtype.kind not in "?biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    # A copy, for it goes to another memory.
    host = numpy.array(host, dtype=host.dtype.newbyteorder("="), ndmin=ndmin, order="C")
    return wrap(host.view(numpy.ndarray))


def asarray(values, dtype=None, order=None):
    """Return an array on the current device; one that is there already is returned itself."""
    return array(values, dtype=dtype, copy=False)


def ascontiguousarray(values, dtype=None):
    """Return an array without gaps."""
    return wrap(numpy.ascontiguousarray(asarray(values, dtype=dtype)._host))


PUBLIC = {
    **{name: ufunc(name) for name in UFUNCS},
    **{name: of_an_array(name) for name in OF_AN_ARRAY if hasattr(numpy, name)},
    **{name: of_a_list(name) for name in OF_A_LIST},
    **{name: any_arguments(name) for name in (*OF_SEVERAL, *CREATING)},
    **{name: looking(name) for name in LOOKING},
    "array": array,
    "asarray": asarray,
    "ascontiguousarray": ascontiguousarray,
    "empty": empty,
}
PUBLIC["abs"], PUBLIC["conj"] = PUBLIC["absolute"], PUBLIC["conjugate"]
PUBLIC["mod"] = PUBLIC["remainder"]


def _method(name):
    def call(self, *args, **kwargs):
        return PUBLIC[name](self, *args, **kwargs)

    return call


for _name in names(
    """
    all any argmax argmin argsort clip cumprod cumsum diagonal dot max mean min nonzero prod repeat
    round squeeze std sum swapaxes take trace var
    """
):
    setattr(ndarray, _name, _method(_name))


def _reshape(self, *shape, order="C"):
    wanted = shape[0] if len(shape) == 1 else shape
    return wrap(self._host.reshape(wanted, order=order))


ndarray.reshape = _reshape
ndarray.ravel = lambda self, order="C": wrap(self._host.ravel(order))
ndarray.flatten = lambda self, order="C": wrap(self._host.flatten(order))
ndarray.transpose = lambda self, *axes: wrap(self._host.transpose(*axes))
ndarray.conj = lambda self: PUBLIC["conjugate"](self)
ndarray.sort = lambda self, axis=-1: self._host.sort(axis=axis)
