"""Which tokens of a byte-level BPE may follow each other so that exactly N characters come out.

A token is some bytes, and need not begin or end where a character does. So the grammar has a state: how far into a
character's UTF-8 form the bytes so far reach. State 0 is between characters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


class SymbolGrammar:
    """Sequences of `tokens` (their bytes; None for one that is never written) that spell `count` characters, none above
    `highest`."""

    def __init__(self, tokens: Sequence[bytes | None], highest: int, count: int) -> None:
        self._count = count
        states = _states(highest)
        table = np.full((len(states), len(tokens)), -1, dtype=np.int32)
        read = np.zeros((len(states), len(tokens)), dtype=np.int32)
        numbers = {state: number for number, state in enumerate(states)}
        for state, number in numbers.items():
            for token, data in enumerate(tokens):
                # Only a token that begins with a continuation byte can follow within a character, and only there.
                if data and (0x80 <= data[0] < 0xC0) == bool(state):
                    table[number, token], read[number, token] = _walk(state, data, numbers, highest)
        self._next, self._read = table, read

    def step(self, state: int, token: int) -> tuple[int, int]:
        """The state after `token`, -1 when it cannot follow, and how many characters it completes."""
        return int(self._next[state, token]), int(self._read[state, token])

    def continuations(self, state: int, missing: int) -> NDArray[np.intp]:
        """The tokens that may come next when `missing` characters remain to be completed."""
        follow, read = self._next[state], self._read[state]
        fits = (follow >= 0) & (read <= missing)
        fits[fits] = self._completable[follow[fits], missing - read[fits]]
        return np.flatnonzero(fits)

    @cached_property
    def _completable(self) -> NDArray[np.bool_]:
        """(states, count + 1): whether some tokens lead from the state to the end with so many characters missing.

        A token that completes none leads deeper into the same character, and deeper states have higher numbers: with
        them first, every entry follows from entries that are known.
        """
        can = np.zeros((len(self._next), self._count + 1), dtype=bool)
        can[0, 0] = True
        edges = [np.flatnonzero(row >= 0) for row in self._next]
        steps = [
            np.unique(np.stack([self._next[s, tokens], self._read[s, tokens]]), axis=1)
            for s, tokens in enumerate(edges)
        ]
        for missing in range(self._count + 1):
            for state in reversed(range(len(self._next))):
                follow, read = steps[state]
                fits = read <= missing
                can[state, missing] |= bool(can[follow[fits], missing - read[fits]].any())
        return can


def token_bytes(bpe: str) -> list[bytes | None]:
    """The bytes of each token of a byte-level BPE, given as the text of its tokenizer.json, by id.

    None stands for a token that is not made of bytes, which such a BPE never gives. Raises ValueError for a tokenizer
    of another kind, and for one that may give other bytes than the text's.
    """
    try:
        document = json.loads(bpe)
        model, pre = document["model"], document["pre_tokenizer"]
        if model["type"] != "BPE" or pre["type"] != "ByteLevel" or pre["add_prefix_space"]:
            raise ValueError("bpe is no byte-level BPE without a prefix space")
        vocabulary: dict[str, int] = model["vocab"]
        changes = [name for name in ("normalizer", "added_tokens", "truncation", "padding") if document.get(name)]
        changes += [name for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix") if model.get(name)]
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"bpe must be the text of a tokenizer.json: {type(error).__name__} {error}") from None
    if changes:
        raise ValueError(f"bpe would not give the text as it is: it has {', '.join(changes)}")
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise ValueError("the ids of bpe's vocabulary are not 0, 1, 2, …")
    byte_of = _byte_of_character()
    tokens: list[bytes | None] = [None] * len(vocabulary)
    for text, token in vocabulary.items():
        if text and all(character in byte_of for character in text):
            tokens[token] = bytes(byte_of[character] for character in text)
    return tokens


def _byte_of_character() -> dict[str, int]:
    """GPT-2's writing of bytes: printable Latin-1 characters stand for themselves, the others for 256, 257, …"""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


def _states(highest: int) -> list[bytes]:
    """The beginnings of characters' UTF-8 forms, the empty one first, shorter ones before longer ones."""
    begun = {chr(symbol).encode()[:length] for symbol in range(highest + 1) for length in range(_width(symbol))}
    return sorted(begun, key=lambda state: (len(state), state))


def _width(symbol: int) -> int:
    return 1 if symbol < 0x80 else 2 if symbol < 0x800 else 3


def _walk(state: bytes, data: bytes, numbers: dict[bytes, int], highest: int) -> tuple[int, int]:
    read = 0
    for byte in data:
        state += bytes([byte])
        if state in numbers:
            continue
        try:
            symbol = ord(state.decode())
        except (UnicodeDecodeError, TypeError):
            return -1, 0
        if symbol > highest:
            return -1, 0
        state, read = b"", read + 1
    return numbers[state], read
