"""Chance that is a function of its key alone: the same on every machine, in every process, in any order of asking."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

# By name: `np.random` is imported when it is first asked for, and a process forked meanwhile waits for ever.
from numpy.random import PCG64, Generator

Key = tuple[str | int, ...]
_ROUNDS = 8
_64 = (1 << 64) - 1


def number(*key: str | int) -> int:
    """A uniform 64-bit number."""
    return int.from_bytes(blake2b(_encoded(key), digest_size=8).digest(), "little")


def generator(*key: str | int) -> Generator:
    """A random generator of its own for `key`."""
    return Generator(PCG64(int.from_bytes(blake2b(_encoded(key), digest_size=16).digest(), "little")))


class Permutation:
    """A shuffle of `size` positions that holds nothing but its key: `permutation[i]` is where i went.

    A Feistel network on the next power of two (at least 64: a smaller one favours some orders), walked until it lands
    below `size` (cycle walking; Black and Rogaway, "Ciphers with arbitrary finite domains", 2002), less than two walks
    on average. The halves may differ by a bit; each is changed by a function of the other alone, so every round can be
    undone and the whole is a bijection.
    """

    def __init__(self, size: int, *key: str | int) -> None:
        self.size = size
        bits = max(6, (size - 1).bit_length())
        self._low_bits = bits // 2
        self._low = (1 << self._low_bits) - 1
        self._high = (1 << (bits - self._low_bits)) - 1
        material = blake2b(_encoded(key), digest_size=8 * _ROUNDS).digest()
        self._keys = [int.from_bytes(material[8 * i : 8 * i + 8], "little") for i in range(_ROUNDS)]

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, position: int) -> int:
        """Raises IndexError outside [0, size)."""
        if not 0 <= position < self.size:
            raise IndexError(f"position {position} of a permutation of {self.size}")
        value = self._step(position)
        while value >= self.size:
            value = self._step(value)
        return value

    def _step(self, value: int) -> int:
        high, low = value >> self._low_bits, value & self._low
        for i in range(0, _ROUNDS, 2):
            high ^= _mixed(low ^ self._keys[i]) & self._high
            low ^= _mixed(high ^ self._keys[i + 1]) & self._low
        return (high << self._low_bits) | low


@lru_cache(maxsize=1024)
def permutation(size: int, *key: str | int) -> Permutation:
    """The permutation of this size and key; those lately used are kept."""
    return Permutation(size, *key)


def _mixed(value: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), its upper half."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _64
    return value >> 32


def _encoded(key: Key) -> bytes:
    """Distinct keys to distinct bytes: the repr of a text quotes it, so a comma in one cannot pass for two parts."""
    return repr(key).encode()
