"""Fourier transforms."""

import numpy

from cupy._functions import names, run


def _transform(name):
    function = getattr(numpy.fft, name)

    def call(*args, **kwargs):
        return run(function, args, kwargs)

    call.__name__ = name
    return call


for _name in names(
    """
    fft fft2 fftfreq fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft
    rfft2 rfftfreq rfftn
    """
):
    globals()[_name] = _transform(_name)
