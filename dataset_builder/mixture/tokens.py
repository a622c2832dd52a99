"""A prompt and its answer as token ids, with the border between them known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from dataset_builder.codecs.vocabulary import load_tokenizer
from dataset_builder.mixture.manifest import TokenizerChoice


class TokenizationError(ValueError):
    """A text that cannot be made into a sample. The message shows it and says what would help."""


@dataclass(frozen=True)
class Tokens:
    """ids: prompt and target. target: where the target begins. cut: ids that the prompt lost to max_length."""

    ids: tuple[int, ...]
    target: int
    cut: int


class TextEncoder:
    """`max_length`: of ids. cut: shorten prompts that do not fit, from their beginning; else they are refused."""

    def __init__(self, choice: TokenizerChoice, base: Path, max_length: int, cut: bool) -> None:
        self._tokenizer = load_tokenizer(base / choice.path)
        # What people wrote is text, also where it reads like the end of one.
        self._tokenizer.encode_special_tokens = True
        self.digest = sha256((base / choice.path).read_bytes()).hexdigest()
        self._max_length, self._cut = max_length, cut
        self.vocab_size = int(self._tokenizer.get_vocab_size(with_added_tokens=True))
        self.bos = self._special(choice.bos, "bos") if choice.bos is not None else None
        self.eos = self._special(choice.eos, "eos")
        self.pad = self._special(choice.pad, "pad") if choice.pad is not None else self.eos
        self._encoded = lru_cache(maxsize=8192)(self._encode)

    def encode(self, prompt: str, text: str, ids: Sequence[int]) -> Tokens:
        """bos, the prompt, then the target: `text`, `ids` as they are, eos.

        Prompt and text are encoded together, so that they look as a model would write them, and the prompt must come
        out as it does alone, which is how it is given at inference. Raises TokenizationError when it does not, and when
        the sample is too long.
        """
        before = self._encoded(prompt)
        together = self._encode(prompt + text) if text else before
        if together[: len(before)] != before:
            raise TokenizationError(
                f"the tokenizer joins the end of the prompt and the beginning of the answer into one token: "
                f"{prompt[-40:]!r} + {text[:40]!r}; end the prompt with a space or a colon"
            )
        head = () if self.bos is None else (self.bos,)
        target = (*together[len(before) :], *ids, self.eos)
        fixed = len(head) + len(target)
        excess = max(0, fixed + len(before) - self._max_length)
        if excess > len(before):
            raise TokenizationError(
                f"a target of {len(target)} tokens does not fit into max_length {self._max_length}; raise max_length"
            )
        if excess and not self._cut:
            raise TokenizationError(
                f"a sample of {fixed + len(before)} tokens is longer than max_length {self._max_length}: {prompt!r}; "
                "raise max_length, or set too_long: cut"
            )
        return Tokens((*head, *before[excess:], *target), len(head) + len(before) - excess, excess)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, special tokens included."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _special(self, token: str, name: str) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise TokenizationError(f"the tokenizer has no token '{token}'; set tokenizer.{name}")
        return int(number)
