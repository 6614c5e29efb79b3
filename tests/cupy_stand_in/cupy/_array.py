"""The array: NumPy's memory behind the manners of a GPU."""

import operator

import numpy

from cupy.cuda import runtime
from cupy.cuda.device import Device

SCALARS = (bool, int, float, complex, numpy.bool_, numpy.number)


class ndarray:
    """An array on a device.

    Args:
        shape: of the array, whose memory holds garbage.
        dtype: of its elements.
    """

    __array_priority__ = 100
    __hash__ = None

    def __init__(self, shape, dtype=float):
        host = numpy.empty(shape, dtype=dtype)
        host[...] = numpy.nan if host.dtype.kind in "fc" else 1
        self._adopt(host)

    def _adopt(self, host):
        self._host = host
        self.device = Device()
        self.base = None

    # -- memory -------------------------------------------------------------------------------------

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    T = property(lambda self: wrap(self._host.T))
    real = property(lambda self: wrap(self._host.real))
    imag = property(lambda self: wrap(self._host.imag))

    @property
    def flags(self):
        """Layout; nothing in it says whether memory may be written to."""
        flags = self._host.flags
        return {"C_CONTIGUOUS": flags.c_contiguous, "F_CONTIGUOUS": flags.f_contiguous}

    @property
    def __cuda_array_interface__(self):
        return {"shape": self.shape, "typestr": self.dtype.str, "version": 3}

    def get(self, stream=None, order="C", out=None):
        """Return a copy on the host."""
        return self._host.copy(order=order)

    def set(self, values):
        """Copy an array of the host here."""
        self._host[...] = values

    def view(self, dtype=None):
        """Return the same memory, read as another type."""
        return wrap(self._host.view() if dtype is None else self._host.view(dtype))

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        """Return the values in another type; always a copy unless `copy` is false."""
        if casting is not None or subok is not None:
            raise TypeError("casting is not supported yet")
        on_current(self)
        with numpy.errstate(all="ignore"):
            host = self._host.astype(dtype, order=order, copy=copy)
        return self if host is self._host else wrap(host)

    def copy(self, order="C"):
        """Return a copy on the current device."""
        return wrap(self._host.copy(order=order))

    def fill(self, value):
        """Write one value everywhere."""
        self._host.fill(value)

    def item(self):
        """Return the one element as a Python number."""
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self._host.item()

    def tolist(self):
        """Return nested lists."""
        return self._host.tolist()

    # -- what is refused ----------------------------------------------------------------------------

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        import cupy

        if "out" in kwargs:
            (kwargs["out"],) = kwargs["out"]
        found = getattr(cupy, ufunc.__name__, None)
        if method != "__call__":
            found = getattr(found, method, None)
        if found is None:
            return NotImplemented
        for x in inputs:
            known = hasattr(x, "__cuda_array_interface__") or isinstance(x, numpy.ndarray)
            if not known and not isinstance(x, SCALARS):
                return NotImplemented
        return found(*inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        import cupy

        module = cupy
        for part in func.__module__.split(".")[1:]:
            module = getattr(module, part, None)
        found = getattr(module, func.__name__, None)
        if found is None or not all(issubclass(t, (ndarray, numpy.ndarray)) for t in types):
            return NotImplemented
        return found(*args, **kwargs)

    # -- as a number, as a container ----------------------------------------------------------------

    def __bool__(self):
        return bool(self._host)

    def __int__(self):
        return int(self._host)

    def __float__(self):
        return float(self._host)

    def __complex__(self):
        return complex(self._host)

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(self.shape[0]))

    def __repr__(self):
        return repr(self._host)

    def __str__(self):
        return str(self._host)

    def __format__(self, form):
        return format(self._host, form)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        import cupy

        return cupy.array, (self.get(),)

    def __getitem__(self, key):
        on_current(self)
        places = index(key)
        if not any(isinstance(place, (numpy.ndarray, list)) for place in places):
            # A view, also of a single element.
            places = places if any(p is Ellipsis for p in places) else (*places, Ellipsis)
        return wrap(self._host[places])

    def __setitem__(self, key, value):
        on_current(self)
        places, values = index(key), unwrap(value)
        first, *others = places or (None,)
        if isinstance(first, numpy.ndarray) and first.ndim == 1 and first.dtype.kind in "iu":
            # Of several values for one place, another stays than on NumPy.
            if numpy.ndim(values) == self._host[places].ndim:
                values = values[::-1]
            places = (first[::-1], *others)
        self._host[places] = values

    def __matmul__(self, other):
        return binary("matmul", self, other)

    def __rmatmul__(self, other):
        return binary("matmul", other, self)


def wrap(host):
    """Return an array over the memory of a NumPy array or scalar."""
    array = ndarray.__new__(ndarray)
    array._adopt(numpy.asarray(host))
    return array


def on_current(array):
    """Raise unless an array is on the device that computes now."""
    if array.device.id != runtime.getDevice():
        raise ValueError(
            f"Array device must be same as the current device: array device = {array.device.id} "
            f"while current = {runtime.getDevice()}"
        )


def unwrap(value):
    """Return an argument as NumPy takes it; what CuPy does not take is refused."""
    if isinstance(value, ndarray):
        on_current(value)
        return value._host
    if isinstance(value, (list, tuple)):
        return type(value)(unwrap(part) for part in value)
    if isinstance(value, numpy.ndarray) or (
        hasattr(value, "__array_ufunc__") and not isinstance(value, SCALARS)
    ):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def index(key):
    """Return an index as a tuple that NumPy takes."""
    places = []
    for place in key if isinstance(key, tuple) else (key,):
        if isinstance(place, ndarray):
            on_current(place)
            place = place._host
        elif hasattr(place, "__array_ufunc__") and not isinstance(place, (numpy.ndarray, *SCALARS)):
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer "
                "or boolean arrays are valid indices"
            )
        places.append(place)
    masks = [p for p in places if isinstance(p, numpy.ndarray) and p.dtype == bool]
    if masks and sum(isinstance(p, numpy.ndarray) for p in places) > 1:
        raise ValueError("currently, CuPy only supports slices that consist of one boolean array.")
    return tuple(places)


def asnumpy(array, stream=None, order="C"):
    """Return a copy on the host."""
    return array.get(order=order) if isinstance(array, ndarray) else numpy.asarray(array)


def binary(name, x, y):
    """Apply an operator as CuPy does: by itself to its own arrays, else by NumPy's protocol."""
    import cupy

    if isinstance(x, ndarray) and isinstance(y, ndarray):
        return getattr(cupy, name)(x, y)
    other = y if isinstance(x, ndarray) else x
    if getattr(other, "__array_ufunc__", numpy) is None:
        return NotImplemented
    return getattr(numpy, name)(x, y)


def _operators(name, symbol):
    def forward(self, other):
        return binary(name, self, other)

    def reflected(self, other):
        return binary(name, other, self)

    def in_place(self, other):
        import cupy

        return getattr(cupy, name)(self, other, out=self)

    setattr(ndarray, f"__{symbol}__", forward)
    setattr(ndarray, f"__r{symbol}__", reflected)
    setattr(ndarray, f"__i{symbol}__", in_place)


for _symbol, _name in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}.items():
    _operators(_name, _symbol)

for _symbol, _name in {
    "lt": "less",
    "le": "less_equal",
    "eq": "equal",
    "ne": "not_equal",
    "gt": "greater",
    "ge": "greater_equal",
}.items():
    setattr(ndarray, f"__{_symbol}__", lambda self, other, name=_name: binary(name, self, other))

for _symbol in ("neg", "invert", "abs"):
    _apply = getattr(operator, _symbol)
    setattr(ndarray, f"__{_symbol}__", lambda self, apply=_apply: wrap(apply(self._host)))
ndarray.__pos__ = lambda self: self
