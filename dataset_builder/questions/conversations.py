"""Conversations as LLaVA and most sets of visual questions keep them."""

from __future__ import annotations

from typing import Any

IMAGE_TOKEN = "<image>"
_KEY = "conversations"
_KNOWN = ("id", "image", "weight", _KEY)
_SPEAKERS = ("human", "gpt")


class BadConversationError(ValueError):
    """A conversation that is not what it should be. The message says what is wrong."""


def is_conversation(row: dict[str, Any]) -> bool:
    """Whether the JSON object is a conversation rather than one question."""
    return _KEY in row


def turns(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The pairs of question and answer of `{"image": …, "conversations": [{"from": "human", "value": …}, …]}`.

    The token `<image>` is taken out of the questions: that a picture is shown is said by `image`. Raises
    BadConversationError.
    """
    unknown = sorted(set(row) - set(_KNOWN))
    if unknown:
        raise BadConversationError(f"unknown key {', '.join(unknown)}; known here: {', '.join(_KNOWN)}")
    said = row[_KEY]
    if not isinstance(said, list) or not said or len(said) % 2:
        raise BadConversationError("must be a list of human and gpt in turn, beginning with human, an even number")
    texts = [_text(index, turn) for index, turn in enumerate(said)]
    pictures = sum(text.count(IMAGE_TOKEN) for text in texts)
    if pictures > 1:
        raise BadConversationError(f"shows {pictures} pictures; a question shows one at most")
    if pictures and row.get("image") is None:
        raise BadConversationError(f"says {IMAGE_TOKEN}, but the line has no `image`")
    texts = [text.replace(IMAGE_TOKEN, "").strip() for text in texts]
    return list(zip(texts[::2], texts[1::2], strict=True))


def _text(index: int, turn: object) -> str:
    expected = _SPEAKERS[index % 2]
    if not isinstance(turn, dict) or set(turn) != {"from", "value"} or not isinstance(turn["value"], str):
        raise BadConversationError(f'turn {index + 1} is not {{"from": "{expected}", "value": text}}')
    if turn["from"] != expected:
        raise BadConversationError(f"turn {index + 1} is from {turn['from']!r}, where {expected!r} speaks")
    return str(turn["value"])
