"""Devices and streams."""

from cupy.cuda import runtime as runtime
from cupy.cuda.device import Device as Device


class Stream:
    """A queue of work, always done at once here."""

    def __init__(self, null=False, non_blocking=False):
        self.ptr = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def synchronize(self):
        """Wait for nothing."""


Stream.null = Stream(null=True)
