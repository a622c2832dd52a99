"""A question with its answer, a plan, and the files of them: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, StringConstraints, ValidationError, model_validator

from dataset_builder.questions import points
from dataset_builder.questions.conversations import BadConversationError, is_conversation, turns
from dataset_builder.questions.pictures import BadPictureError, check_picture
from teleloom.config import Config, describe
from teleloom.files import atomic_write_bytes

MAX_LINE_BYTES = 1024 * 1024
MAX_FAULTS = 10
IMPORTED_KIND = "vqa"

Id = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
RowT = TypeVar("RowT", bound=Config)


class BadQuestionsError(ValueError):
    """A file of questions or plans that cannot be used. The message names the file, each wrong line and why."""


class Frame(Config):
    """A picture inside a dataset: the image under this key, in this step (0 is the first) of this episode's record."""

    episode_id: Id
    step: int = Field(ge=0)
    image: Id


class Question(Config):
    """A question with its answer. kind: what it is about, see QuestionChoice; "vqa" for one that was imported. That of
    "point" is a pixel `(x, y)` of the image as it is, which is scaled with it.

    image: a file beside the questions, its path relative to their folder. frame: a picture of our own. A question
    without either is about text alone. weight: how much it counts in training.
    """

    id: Id
    kind: Id = IMPORTED_KIND
    question: Text
    answer: Text
    image: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    frame: Frame | None = None
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_picture(self) -> Self:
        if self.image is not None and self.frame is not None:
            raise ValueError("a question shows an image or a frame, not both")
        if self.kind == points.KIND:
            points.pixel_of(self.answer)
        return self


class Plan(Config):
    """What was to be done in the steps from start_step up to end_step of an episode's record, and then to the end.

    instruction: the whole task. plan: the labels of the segments from the current one on, as in `Pick up the apple,
    then put it in the bowl.` (RT-2, arXiv 2307.15818: `Instruction: … Plan: … Action: …`).
    """

    episode_id: Id
    start_step: int = Field(ge=0)
    end_step: int = Field(ge=1)
    instruction: Text
    plan: Text
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _has_steps(self) -> Self:
        if self.end_step <= self.start_step:
            raise ValueError(f"it ends before step {self.end_step} and begins at {self.start_step}: it has no step")
        return self


def read_questions(path: Path) -> list[Question]:
    """The questions of a JSONL file, in its order, with every image looked at.

    A line is a Question (id and kind may be left out), or a conversation in LLaVA's form, which gives one question for
    each exchange. Raises BadQuestionsError.
    """
    questions: list[Question] = []
    faults: list[str] = []
    lines_of: dict[str, int] = {}
    looked_at: dict[str, tuple[int, int] | str] = {}
    for number, line in _lines(path):
        try:
            for question in _questions_of(_json(line), f"{path.stem}-{number}"):
                if question.id in lines_of:
                    raise ValueError(f"the id '{question.id}' is that of line {lines_of[question.id]}")
                lines_of[question.id] = number
                if question.image is not None:
                    size = _look_at(path.parent, question.image, looked_at)
                    if question.kind == points.KIND:
                        points.check_point(question.answer, size)
                questions.append(question)
        except (ValueError, RecursionError) as error:
            faults.append(f"line {number}: {_said(error, Question)}")
    _raise(path, faults)
    return questions


def read_plans(path: Path) -> list[Plan]:
    """The plans of a JSONL file, in its order. Raises BadQuestionsError."""
    plans: list[Plan] = []
    faults: list[str] = []
    for number, line in _lines(path):
        try:
            plans.append(Plan.model_validate(_json(line)))
        except (ValueError, RecursionError) as error:
            faults.append(f"line {number}: {_said(error, Plan)}")
    _raise(path, faults)
    return plans


def to_jsonl(rows: Iterable[Question] | Iterable[Plan]) -> bytes:
    """One line a row, keys sorted: equal rows give equal bytes."""
    return b"".join(_line(row.model_dump(mode="json", exclude_none=True)) for row in rows)


def write(path: Path, rows: Iterable[Question] | Iterable[Plan]) -> None:
    """Write the rows as JSONL, atomically."""
    atomic_write_bytes(path, to_jsonl(rows))


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _lines(path: Path) -> Iterable[tuple[int, bytes]]:
    """The lines that are not blank, numbered from 1."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise BadQuestionsError(
                        f"{path}: line {number} is longer than {MAX_LINE_BYTES} bytes; write one JSON object a line, "
                        "and keep images in files of their own"
                    )
                if number == 1 and line.lstrip().startswith(b"["):
                    raise BadQuestionsError(
                        f"{path}: is one JSON list; write one object a line, as `jq -c '.[]' {path.name}` does"
                    )
                if line.strip():
                    yield number, line
    except OSError as error:
        raise BadQuestionsError(f"{path}: cannot be read ({error.strerror})") from None


def _json(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig").strip())
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON ({error.msg} at column {error.colno})") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if not isinstance(row, dict):
        raise ValueError(f"is a JSON {type(row).__name__}, not an object")
    return row


def _questions_of(row: dict[str, Any], name: str) -> list[Question]:
    if not is_conversation(row):
        return [Question.model_validate({"id": name, **row})]
    conversation = turns(row)
    identity = str(row.get("id", name))
    ids = [identity] if len(conversation) == 1 else [f"{identity}-{turn + 1}" for turn in range(len(conversation))]
    shared = {key: row[key] for key in ("image", "weight") if row.get(key) is not None}
    return [
        Question.model_validate({"id": id, "question": question, "answer": answer, **shared})
        for id, (question, answer) in zip(ids, conversation, strict=True)
    ]


def _look_at(folder: Path, image: str, looked_at: dict[str, tuple[int, int] | str]) -> tuple[int, int]:
    """Height and width of a picture, each looked at once. Raises BadPictureError for each line that shows a bad one."""
    if image not in looked_at:
        try:
            looked_at[image] = check_picture(folder, image)
        except BadPictureError as error:
            looked_at[image] = str(error)
    found = looked_at[image]
    if isinstance(found, str):
        raise BadPictureError(found)
    return found


def _said(error: Exception, model: type[RowT]) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(line.strip() for line in describe(error, model).splitlines())
    if isinstance(error, RecursionError):
        return "is nested too deep"
    if isinstance(error, BadConversationError):
        return f"conversations: {error}"
    return str(error)


def _raise(path: Path, faults: Sequence[str]) -> None:
    if not faults:
        return
    more = f"\n  and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
    raise BadQuestionsError(f"{path}:\n" + "\n".join(f"  {fault}" for fault in faults[:MAX_FAULTS]) + more)
