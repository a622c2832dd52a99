"""Which questions and plans a build makes from its own episodes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from teleloom.config import Config

Kind = Literal["instruction", "outcome", "now", "next", "gripper", "held", "where", "point"]
"""What a question is about: the task as told, whether it succeeded, the segment that runs and the one that follows,
the gripper's opening, the thing in the hand, where a thing is in words, and where it is in the image."""


class QuestionChoice(Config):
    """What is made beside the records. The default makes nothing.

    kinds: the kinds of question. per_episode: at most so many questions from one episode, shared out evenly among the
    kinds that its data can answer. image: the image key that the questions show; None takes the first in the
    alphabet. plans: whether plans are made from the episode's segments.
    """

    kinds: tuple[Kind, ...] = ()
    per_episode: int = Field(default=16, ge=1, le=1000)
    image: str | None = None
    plans: bool = False

    @model_validator(mode="after")
    def _distinct_kinds(self) -> Self:
        twice = sorted({kind for kind in self.kinds if self.kinds.count(kind) > 1})
        if twice:
            raise ValueError(f"kinds: {', '.join(twice)} is named more than once")
        return self

    @property
    def asked_for(self) -> bool:
        """Whether anything is to be made at all."""
        return bool(self.kinds) or self.plans
