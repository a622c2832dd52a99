"""What the model reads and what it is to answer, as text: RT-2's form and OpenVLA's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Form = Literal["rt2", "openvla"]


@dataclass(frozen=True)
class Prompts:
    """The prompt of each kind of sample. Answers that are text follow after a space, which belongs to them.

    before_ids: what a prompt ends with when action ids, not text, follow it.
    """

    action: Callable[[str], str]
    question: Callable[[str], str]
    plan: Callable[[str], str]
    before_ids: str


def prompts(form: Form) -> Prompts:
    """RT-2 (Brohan et al. 2023, section 3.2 and figure 7): `Q: what action should the robot take to [task instruction]?
    A:`, and `Instruction: … Plan: … Action: …`.

    OpenVLA (`RLDSBatchTransform` with `PurePromptBuilder`): `In: What action should the robot take to {lang.lower()}?`,
    a new line, `Out: `. Llama's tokenizer makes an id of that last space, and OpenVLA appends it at inference.
    """
    return _RT2 if form == "rt2" else _OPENVLA


def planned(plan: str) -> str:
    """What comes before the action when a model is to say first what it is about to do."""
    return f" Plan: {_sentence(plan)} Action:"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _bare(instruction: str) -> str:
    return instruction.strip().rstrip(".")


_RT2 = Prompts(
    action=lambda instruction: f"Q: what action should the robot take to {_bare(instruction)}? A:",
    question=lambda question: f"Q: {question} A:",
    plan=lambda instruction: f"Instruction: {_sentence(instruction.strip())}",
    before_ids="",
)
_OPENVLA = Prompts(
    action=lambda instruction: f"In: What action should the robot take to {instruction.lower()}?\nOut:",
    question=lambda question: f"In: {question}\nOut:",
    plan=lambda instruction: f"In: Instruction: {_sentence(instruction.strip())}\nOut:",
    before_ids=" ",
)
