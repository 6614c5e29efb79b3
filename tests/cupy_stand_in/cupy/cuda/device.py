"""A device."""

from cupy.cuda import runtime


class Device:
    """A device by its number; the current one if no number is given."""

    def __init__(self, device=None):
        self.id = runtime.getDevice() if device is None else int(device)
        self._before = []

    def __int__(self):
        return self.id

    def __repr__(self):
        return f"<CUDA Device {self.id}>"

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self):
        return hash(self.id)

    def __enter__(self):
        self._before.append(runtime.getDevice())
        runtime.setDevice(self.id)
        return self

    def __exit__(self, *error):
        runtime.setDevice(self._before.pop())

    def use(self):
        """Let this device compute from here on."""
        runtime.setDevice(self.id)

    def synchronize(self):
        """Wait for nothing: everything here is done at once."""
