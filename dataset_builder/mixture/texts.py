"""Questions and plans as sources of a mixture: rows of a JSONL file, and the frames of a dataset that they show."""

from __future__ import annotations

from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dataset_builder.mixture.columns import Columns, ColumnWriter, cached, stamp
from dataset_builder.mixture.index import StepIndex, UnusableDatasetError
from dataset_builder.mixture.manifest import MixtureManifest, TextChoice
from dataset_builder.mixture.prompts import planned, prompts
from dataset_builder.mixture.resampling import Runs
from dataset_builder.mixture.sources import Item, Kind, Opener
from dataset_builder.mixture.targets import ActionTargets
from dataset_builder.questions import points
from dataset_builder.questions.pictures import inside, size_of
from dataset_builder.questions.question import Plan, Question, read_plans, read_questions, to_jsonl


class Questions:
    """Questions with their answers, from a file or from a dataset's folder."""

    kind: Kind = "question"

    def __init__(self, choice: TextChoice, manifest: MixtureManifest, opener: Opener) -> None:
        path = opener.file(choice, "questions")
        self.name = choice.name or _default_name(choice, path, "questions")
        self.weight = choice.weight
        self._folder, self._index = path.parent, None
        self._prompts = prompts(manifest.prompt)
        self._images = manifest.images
        if path.with_name("features.json").exists():
            self._index = opener.index(path.parent, choice.split)

        def write(writer: ColumnWriter) -> None:
            rows = read_questions(path)
            for question in rows:
                self._step(question)
            _write_rows(writer, rows)

        # Which rows can be used depends on the fit.
        inputs: list[str | int] = [
            "questions",
            str(path),
            *stamp(path),
            self._index.digest if self._index else "",
            self._images.fit,
        ]
        _, self._rows = cached(opener.cache, inputs, write)
        self.content = [self._rows.facts["sha256"], *(self._index.content if self._index else [])]

    def __len__(self) -> int:
        return len(self._rows["start"]) - 1

    @cached_property
    def runs(self) -> Runs:
        return Runs.of(self._rows["weight"])

    def item(self, number: int, rng: np.random.Generator) -> Item:
        question = Question.model_validate_json(_row(self._rows, number))
        asked, answer, images = question.question, question.answer, {}
        if question.image is not None:
            images["image"] = inside(self._folder, question.image).read_bytes()
        elif question.frame is not None and self._index is not None:
            camera = question.frame.image
            images[camera] = self._index.image(self._step(question), camera)
        if question.kind == points.KIND:
            for name, data in images.items():
                size = size_of(name, data)
                asked, answer = points.resized(
                    asked, answer, size, self._images.size, partial(self._images.place, size)
                )
        return Item(self._prompts.question(asked), f" {answer}", (), images)

    def camera_count(self) -> int:
        return 1

    def action_ids(self) -> NDArray[np.int32]:
        return np.empty(0, dtype=np.int32)

    def _step(self, question: Question) -> int:
        """The step that a question shows, -1 for none. Raises UnusableDatasetError when it is not in the dataset, and
        for a pixel that a crop may take away."""
        frame = question.frame
        if question.kind == points.KIND and self._images.fit == "crop":
            raise UnusableDatasetError(
                f"question '{question.id}' asks for a pixel; use images.fit stretch or pad, not crop"
            )
        if frame is None:
            return -1
        if self._index is None:
            raise UnusableDatasetError(
                f"question '{question.id}' shows a frame of episode {frame.episode_id}, and there is no dataset in "
                f"{self._folder}; keep the file in the folder of its dataset"
            )
        if frame.image not in self._index.cameras:
            raise UnusableDatasetError(f"question '{question.id}' shows '{frame.image}', which {self._folder} has not")
        return _step_of(self._index, frame.episode_id, frame.step, f"question '{question.id}'")


class Plans:
    """The steps that plans were made for: the model says its plan, then its action."""

    kind: Kind = "plan"

    def __init__(self, choice: TextChoice, manifest: MixtureManifest, opener: Opener) -> None:
        path = opener.file(choice, "plans")
        self.name = choice.name or _default_name(choice, path, "plans")
        self.weight = choice.weight
        self._index = opener.index(path.parent, choice.split)
        self._cameras = self._index.shown(None if choice.camera is None else (choice.camera,))[:1]
        self.targets = ActionTargets(
            self._index, manifest.actions, manifest.chunk_length, manifest.placement, manifest.action_noise
        )
        self._prompts = prompts(manifest.prompt)

        def write(writer: ColumnWriter) -> None:
            rows = read_plans(path)
            firsts = [_step_of(self._index, plan.episode_id, plan.start_step, path.name) for plan in rows]
            for plan in rows:
                _step_of(self._index, plan.episode_id, plan.end_step - 1, path.name)
            writer.add("step", firsts, "int64")
            writer.add("first", np.cumsum([0, *(plan.end_step - plan.start_step for plan in rows)]), "int64")
            _write_rows(writer, rows)

        _, self._rows = cached(opener.cache, ["plans", str(path), *stamp(path), self._index.digest], write)
        self.content = [self._rows.facts["sha256"], *self._index.content]

    def __len__(self) -> int:
        return int(self._rows["first"][-1])

    @cached_property
    def runs(self) -> Runs:
        """A plan's weight is the mean over its steps; which of them have more of it is told by their own weights."""
        firsts = self._rows["first"]
        spans = [np.empty(0)]
        for start, count, weight in zip(self._rows["step"], np.diff(firsts), self._rows["weight"], strict=True):
            own = np.asarray(self._index.weights[start : start + count], dtype=np.float64)
            spans.append(own * (weight / own.mean()) if own.any() else own)
        return Runs.of(np.concatenate(spans), firsts[:-1])

    def item(self, number: int, rng: np.random.Generator) -> Item:
        row = int(np.searchsorted(self._rows["first"], number, side="right")) - 1
        plan = Plan.model_validate_json(_row(self._rows, row))
        step = int(self._rows["step"][row]) + number - int(self._rows["first"][row])
        ids, text = self.targets.answer(step, rng)
        images = {camera: self._index.image(step, camera) for camera in self._cameras}
        return Item(self._prompts.plan(plan.instruction), planned(plan.plan) + text, ids, images)

    def camera_count(self) -> int:
        return len(self._cameras)

    def action_ids(self) -> NDArray[np.int32]:
        return self.targets.action_ids()


def _default_name(choice: TextChoice, path: Path, what: str) -> str:
    is_a_builds = path.name == f"{what}-{choice.split}.jsonl"
    return f"{path.parents[1].name}_{what}" if is_a_builds else path.stem


def _step_of(index: StepIndex, episode_id: str, step: int, who: str) -> int:
    try:
        return index.step_of(episode_id, step)
    except KeyError:
        raise UnusableDatasetError(
            f"{who}: {index.dataset.path} has no step {step} of episode {episode_id} in '{index.split}'"
        ) from None


def _write_rows(writer: ColumnWriter, rows: list[Question] | list[Plan]) -> None:
    text = to_jsonl(rows)
    lines = text.splitlines(keepends=True)
    writer.add("start", np.cumsum([0, *map(len, lines)]), "int64")
    writer.add("weight", [row.weight for row in rows], "float64")
    writer.add("lines", np.frombuffer(text, dtype=np.uint8), "uint8")
    writer.finish(sha256=sha256(text).hexdigest())


def _row(rows: Columns, number: int) -> bytes:
    start, stop = rows["start"][number : number + 2]
    line: NDArray[np.uint8] = rows["lines"][int(start) : int(stop)]
    return line.tobytes()
