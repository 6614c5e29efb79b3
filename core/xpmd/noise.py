"""Counter-based noise: every random number is a pure function of seed, stream, step and element.

Nothing is stored and nothing is advanced, so a trajectory does not depend on how it is cut into
chunks, can be walked backwards, and has the same noise on every array library. The generator is
Threefry-2x32 with 20 rounds on int32 arrays with wrap-around: only additions, xors and rotations,
which every array library has, where uint32 and int64 are missing in some.

The counter of one Threefry call has two words of 32 bits:

    word 0: the step
    word 1: bit 31 the kind (0 uniform, 1 normal), bits 30-28 the draw, bits 27-0 the call

so that steps, kinds, draws and elements never share a number. The key is that of the stream.
In float64 call `e` gives element `e` (53 bits of its 64); in float32 call `p` gives the elements
`2p` and `2p + 1` (24 bits of 32 each), which is a sequence of its own. An element's number depends
on its flat index only, not on the shape it is drawn in.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
doi:10.1145/2063384.2063405.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from xpmd.backend import backend

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA  # fits int32 as it is
_WORD = 0xFFFFFFFF
_CALL_BITS = 28
_N_DRAWS = 8
_NORMAL_BIT = 1 << 31

# Streams of a simulation count up from 0; those drawn when a system is set up count down from the
# top, so that the same seed in both places never shares numbers.
PLACEMENT_STREAM = 2**32 - 1
VELOCITY_STREAM = 2**32 - 2


def signed(word: int) -> int:
    """Fold the low 32 bits of a Python int to the range of int32."""
    word &= _WORD
    return word - (1 << 32) if word >> 31 else word


def _add_integers(x: int, y: int) -> int:
    return signed(x + y)


def _rotate_integer(x: int, n_bits: int) -> int:
    x &= _WORD
    return signed((x << n_bits) | (x >> (32 - n_bits)))


def _rotate_array(x: Any, n_bits: int) -> Any:
    # The right shift of a signed integer repeats the sign bit: the mask takes the copies off.
    return (x << n_bits) | ((x >> (32 - n_bits)) & ((1 << n_bits) - 1))


def _schedule(key: tuple[Any, Any], add: Callable[[Any, Any], Any]) -> list[tuple[Any, Any]]:
    """Return the pairs of words that are added before the first and after every fourth round."""
    words = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    later = [(words[k % 3], add(words[(k + 1) % 3], k)) for k in range(1, 6)]
    return [(words[0], words[1]), *later]


def _encrypt(
    schedule: list[tuple[Any, Any]],
    counter: tuple[Any, Any],
    add: Callable[[Any, Any], Any],
    rotate: Callable[[Any, int], Any],
) -> tuple[Any, Any]:
    """Run the 20 rounds, for any 32-bit word that has an addition, a rotation and a xor."""
    x, y = add(counter[0], schedule[0][0]), add(counter[1], schedule[0][1])
    for group in range(5):
        for n_bits in _ROTATIONS[group % 2]:
            x = add(x, y)
            y = rotate(y, n_bits) ^ x
        x, y = add(x, schedule[group + 1][0]), add(y, schedule[group + 1][1])
    return x, y


def threefry2x32(key: tuple[Any, Any], counter: tuple[Any, Any], *, xp: Any) -> tuple[Any, Any]:
    """Encrypt a two-word counter under a two-word key with Threefry-2x32, 20 rounds.

    Args:
        key: two Python ints, of which the low 32 bits count, or two int32 arrays that broadcast
            with the counter.
        counter: two int32 arrays of at least one dimension (NumPy warns of the wrap-around of
            arrays without one).
        xp: the array namespace.

    Returns:
        Two int32 arrays: 64 random bits for each counter.

    Source: Salmon et al. 2011, doi:10.1145/2063384.2063405.
    """
    for word in (*key, *counter):
        if not isinstance(word, int) and word.dtype != xp.int32:
            raise TypeError(f"`key` and `counter` must be of dtype int32, not {word.dtype}")
    if isinstance(key[0], int) and isinstance(key[1], int):
        # Python ints do not wrap around by themselves.
        schedule = _schedule((signed(key[0]), signed(key[1])), _add_integers)
    elif isinstance(key[0], int) or isinstance(key[1], int):
        raise TypeError("`key` must be two Python ints or two int32 arrays, not one of each")
    else:
        schedule = _schedule(key, operator.add)
    return _encrypt(schedule, counter, operator.add, _rotate_array)


def stream_key(seed: int, stream: int) -> tuple[int, int]:
    """Return the key of one stream of random numbers: the stream's number encrypted under the seed.

    Encryption is one to one, so two streams of a seed never have the same key.

    Args:
        seed: 0 <= seed < 2**64.
        stream: 0 <= stream < 2**32.

    Returns:
        Two Python ints in the range of int32.
    """
    try:
        seed, stream = operator.index(seed), operator.index(stream)
    except TypeError as error:
        raise TypeError(
            f"`seed` is {type(seed).__name__}, and must be a whole number that is known now. Where a "
            "function is compiled or mapped over seeds, draw from them outside and pass that in; "
            "md.simulate alone takes a seed that is not known yet."
        ) from error
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"`seed`={seed} must be an integer with 0 <= seed < 2**64")
    if not 0 <= stream < 1 << 32:
        raise ValueError(f"`stream`={stream} must be an integer with 0 <= stream < 2**32")
    schedule = _schedule((signed(seed >> 32), signed(seed)), _add_integers)
    first, second = _encrypt(schedule, (signed(stream), 0), _add_integers, _rotate_integer)
    return first, second


def stream_keys(seed: int, n_streams: int) -> list[list[int]]:
    """Return the keys of streams 0 to `n_streams - 1`, to be made an int32 array (n_streams, 2)."""
    return [list(stream_key(seed, stream)) for stream in range(n_streams)]


def traced_stream_keys(seed: Any, n_streams: int, *, xp: Any) -> Any:
    """Return what `stream_keys` does, as an array, for a seed whose value is unknown now.

    Args:
        seed: an integer array without dimensions; of less than 32 bits the others are taken as 0.
    """
    if not xp.isdtype(seed.dtype, "integral") or seed.ndim:
        raise TypeError(
            f"`seed` is an array of {seed.dtype} and shape {tuple(seed.shape)}; it must be one whole "
            "number."
        )

    def word(first_bit: int) -> Any:
        # In two halves, which fit an int32 whatever the sign.
        halves = [xp.astype((seed >> k) & 0xFFFF, xp.int32) for k in (first_bit, first_bit + 16)]
        return xp.reshape(halves[0] | (halves[1] << 16), (1,))

    low = word(0)
    high = word(32) if xp.iinfo(seed.dtype).bits > 32 else xp.zeros_like(low)
    streams = xp.arange(n_streams, dtype=xp.int32)
    first, second = threefry2x32((high, low), (streams, xp.zeros_like(streams)), xp=xp)
    return xp.stack([first, second], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """The random numbers of one step, or of a block of steps.

    Drawing the same stream, draw, kind and shape twice gives the same numbers: whoever needs
    more within a step asks for another `draw`.

    Args:
        keys: int32 array (n_streams, 2) or nested list, from `stream_keys`. An array may be
            traced, so that another seed compiles nothing anew.
        step: number of the step, 0 <= step < 2**32: a Python int, or an integer array without
            dimensions (may be traced). An integer array (k,) draws k steps in one go, which is
            faster than one by one on libraries that do not compile; results then have a leading
            axis of length k.
        xp: the array namespace.
        dtype: float64 or float32 of that namespace.
        device: where the numbers are made; `None` for the default.

    In float64 the uniforms are bitwise the same on every array library, and the normals are up to
    the last bits of its logarithm, sine and cosine. Float32 is a sequence of its own.
    """

    keys: Any
    step: Any
    _: KW_ONLY
    xp: Any
    dtype: Any
    device: Any = None

    def __post_init__(self) -> None:
        xp = self.xp
        keys = self.keys
        if isinstance(keys, (list, tuple)):
            keys = xp.asarray(keys, dtype=xp.int32, device=self.device)
        if keys.dtype != xp.int32 or keys.ndim != 2 or keys.shape[1] != 2:
            raise ValueError(
                "`keys` must be an int32 array of shape (n_streams, 2), "
                f"not {keys.dtype} of shape {tuple(keys.shape)}"
            )
        step = self.step
        if isinstance(step, int):
            if not 0 <= step < 1 << 32:
                raise ValueError(f"`step`={step} must be an integer with 0 <= step < 2**32")
            step = xp.asarray(signed(step), dtype=xp.int32, device=self.device)
        elif not xp.isdtype(step.dtype, "integral") or step.ndim > 1:
            raise ValueError(
                "`step` must be an integer, an integer array without dimensions or one of "
                f"shape (k,), not {step.dtype} of shape {tuple(step.shape)}"
            )
        if not xp.isdtype(self.dtype, "real floating") or self._n_bits() not in (32, 64):
            raise ValueError(f"`dtype`={self.dtype} must be float32 or float64")
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "step", xp.astype(step, xp.int32))

    def uniform(self, stream: int, shape: tuple[int, ...], draw: int = 0) -> Any:
        """Return numbers that are uniform in [0, 1): m / 2**53 in float64, m / 2**24 in float32.

        Args:
            stream: row of `keys`.
            shape: of the numbers of one step; Python ints.
            draw: 0 to 7, one for each drawing of this kind within a step.

        Returns:
            Array of `shape`, or `(k, *shape)` for a block of k steps.
        """
        n_elements = math.prod(shape)
        numbers = self._uniforms(stream, n_elements, draw, 0)
        return self._shaped(numbers, n_elements, shape)

    def normal(self, stream: int, shape: tuple[int, ...], draw: int = 0) -> Any:
        """Return numbers with mean 0 and variance 1, normally distributed.

        Elements 2p and 2p + 1 come from the uniforms u and v of these elements:

            sqrt(-2 ln(1 - u)) cos(2 pi v)   and   sqrt(-2 ln(1 - u)) sin(2 pi v)

        They share no random bits with `uniform`.

        Args:
            stream: row of `keys`.
            shape: of the numbers of one step; Python ints.
            draw: 0 to 7, one for each drawing of this kind within a step.

        Returns:
            Array of `shape`, or `(k, *shape)` for a block of k steps.

        Source: Box and Muller 1958, doi:10.1214/aoms/1177706645.
        """
        xp = self.xp
        n_elements = math.prod(shape)
        n_pairs = (n_elements + 1) // 2
        uniforms = self._uniforms(stream, 2 * n_pairs, draw, _NORMAL_BIT)
        uniforms = xp.reshape(uniforms, (uniforms.shape[0], n_pairs, 2))
        # 1 - u is exact and never 0.
        radius = xp.sqrt(-2.0 * xp.log(1.0 - uniforms[:, :, 0]))
        angle = (2.0 * math.pi) * uniforms[:, :, 1]
        numbers = xp.stack([radius * xp.cos(angle), radius * xp.sin(angle)], axis=-1)
        numbers = xp.reshape(numbers, (numbers.shape[0], 2 * n_pairs))
        return self._shaped(numbers, n_elements, shape)

    def _n_bits(self) -> int:
        return int(self.xp.finfo(self.dtype).bits)

    def _uniforms(self, stream: int, n_elements: int, draw: int, kind: int) -> Any:
        """Return at least `n_elements` uniforms for each step: (k, n) or (1, n)."""
        xp = self.xp
        n_streams = self.keys.shape[0]
        # JAX would clamp a row that does not exist, silently.
        if not 0 <= stream < n_streams:
            raise ValueError(f"`stream`={stream} must be one of the {n_streams} rows of `keys`")
        if not 0 <= draw < _N_DRAWS:
            raise ValueError(f"`draw`={draw} must be an integer with 0 <= draw < {_N_DRAWS}")
        if n_elements > 1 << _CALL_BITS:
            raise ValueError(f"`shape` has {n_elements} elements; possible are 2**{_CALL_BITS}")
        double = self._n_bits() == 64
        n_calls = n_elements if double else (n_elements + 1) // 2
        call = xp.arange(n_calls, dtype=xp.int32, device=self.device)
        call = xp.reshape(call, (1, n_calls)) | signed(kind | draw << _CALL_BITS)
        # NumPy warns of the wrap-around of integers without dimensions, so nothing here has none.
        step = xp.reshape(self.step, (-1, 1))
        key = self.keys[stream, :]
        first, second = threefry2x32((key[0:1], key[1:2]), (step, call), xp=xp)
        # Integers become floats of the wanted dtype before they meet a Python float: some
        # libraries would make float32 of the two.
        if double:
            high = self._float((first >> 5) & 0x7FFFFFF)
            low = self._float((second >> 6) & 0x3FFFFFF)
            return (high * 2.0**26 + low) * 2.0**-53
        words = xp.stack([(first >> 8) & 0xFFFFFF, (second >> 8) & 0xFFFFFF], axis=-1)
        return self._float(xp.reshape(words, (words.shape[0], 2 * n_calls))) * 2.0**-24

    def _float(self, words: Any) -> Any:
        numbers = self.xp.astype(words, self.dtype)
        if numbers.dtype != self.dtype:
            raise ValueError(
                f"`dtype`={self.dtype} was asked for and the array library gave {numbers.dtype}: "
                "switch its float64 on (JAX: `jax.config.update('jax_enable_x64', True)`) or use "
                "float32"
            )
        return numbers

    def _shaped(self, numbers: Any, n_elements: int, shape: tuple[int, ...]) -> Any:
        if numbers.shape[1] != n_elements:
            numbers = numbers[:, :n_elements]
        leading = tuple(self.step.shape)
        return self.xp.reshape(numbers, (*leading, *shape))


def host_noise(seed: int, stream: int, step: int = 0) -> Noise:
    """Return the float64 noise of one stream on the host, for what is drawn once and converted.

    It is the same to the last bit whatever library the numbers end up in.
    """
    xp = backend("numpy").xp()
    return Noise([list(stream_key(seed, stream))], step, xp=xp, dtype=xp.float64)
