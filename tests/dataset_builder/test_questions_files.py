"""Questions and plans as files: what is read, what is refused and how it says so."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dataset_builder.questions.pictures import BadPictureError, inside
from dataset_builder.questions.question import (
    MAX_FAULTS,
    MAX_LINE_BYTES,
    BadQuestionsError,
    Frame,
    Plan,
    Question,
    read_plans,
    read_questions,
    to_jsonl,
    write,
)

ASKED = {"question": "What is this?", "answer": "A cup."}
PIXELS = np.zeros((24, 32, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures to ask about: a JPEG, a PNG below another folder."""
    home = tmp_path / "vqa"
    (home / "pictures").mkdir(parents=True)
    (home / "cup.jpg").write_bytes(simplejpeg.encode_jpeg(PIXELS))
    png = io.BytesIO()
    Image.fromarray(PIXELS).save(png, "PNG")
    (home / "pictures" / "bowl.png").write_bytes(png.getvalue())
    return home


def put(folder: Path, *rows: dict[str, Any] | str) -> Path:
    path = folder / "asked.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def refused(folder: Path, *rows: dict[str, Any] | str) -> str:
    with pytest.raises(BadQuestionsError) as caught:
        read_questions(put(folder, *rows))
    return str(caught.value)


def test_a_line_is_a_question_with_its_answer_and_perhaps_an_image(folder: Path) -> None:
    path = put(
        folder,
        ASKED | {"image": "cup.jpg"},
        "",
        ASKED | {"id": "mine", "kind": "counting", "image": "pictures/bowl.png", "weight": 2.5},
        ASKED,
    )
    first, second, third = read_questions(path)
    assert first == Question(id="asked-1", kind="vqa", image="cup.jpg", **ASKED)
    assert (second.id, second.kind, second.image, second.weight) == ("mine", "counting", "pictures/bowl.png", 2.5)
    assert (third.id, third.image, third.frame) == ("asked-4", None, None)


def test_a_conversation_gives_one_question_for_each_exchange(folder: Path) -> None:
    said = [
        {"from": "human", "value": "<image>\nWhat is this?"},
        {"from": "gpt", "value": "A cup."},
        {"from": "human", "value": "Which colour has it?"},
        {"from": "gpt", "value": "Black."},
    ]
    rows = ({"id": "a", "image": "cup.jpg", "conversations": said}, {"id": 7, "conversations": said[2:]})
    first, second, third = read_questions(put(folder, *rows))
    assert (first.id, first.question, first.answer, first.image) == ("a-1", "What is this?", "A cup.", "cup.jpg")
    assert (second.id, second.question, second.answer, second.image) == (
        "a-2",
        "Which colour has it?",
        "Black.",
        "cup.jpg",
    )
    assert (third.id, third.image) == ("7", None)


HUMAN, GPT = {"from": "human", "value": "<image> What?"}, {"from": "gpt", "value": "A cup."}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "is no JSON (Expecting property name enclosed in double quotes at column 2)"),
        ('["a"', "one JSON list; write one object a line, as `jq -c '.[]' asked.jsonl` does"),
        ("3", "is a JSON int, not an object"),
        ("[" * 100_000, "one JSON list"),
        ('{"a":' * 100_000, "line 1: is nested too deep"),
        ({"question": "What?"}, "answer: Field required"),
        (ASKED | {"answer": " "}, "answer: String should have at least 1 character"),
        (ASKED | {"picture": "cup.jpg"}, "picture: unknown key; known here: answer, frame, id, image"),
        (ASKED | {"weight": -1}, "weight: Input should be greater than or equal to 0"),
        (ASKED | {"image": "gone.jpg"}, "image 'gone.jpg' is not there; it is looked for in"),
        (ASKED | {"image": "pictures"}, "image 'pictures' is no file"),
        (ASKED | {"image": "asked.jsonl"}, "image 'asked.jsonl' is neither JPEG nor PNG"),
        (ASKED | {"image": "../cup.jpg"}, "must be a path below the folder of the JSONL"),
        (ASKED | {"image": "/etc/passwd"}, "must be a path below the folder of the JSONL"),
        (ASKED | {"image": "https://example.org/cup.jpg"}, "is an address; download the file"),
        (
            ASKED | {"image": "cup.jpg", "frame": {"episode_id": "e", "step": 0, "image": "image"}},
            "a question shows an image or a frame, not both",
        ),
        (
            ASKED | {"image": "cup.jpg", "kind": "point", "answer": "(0.5, 0.2)"},
            "answers of kind 'point' are a pixel (x, y) in whole numbers; give others another kind",
        ),
        (
            ASKED | {"image": "cup.jpg", "kind": "point", "answer": "(32, 7)"},
            "line 1: the pixel (32, 7) is not in its image of 32 x 24 pixels; scale it, or give it another kind",
        ),
        ({"image": "cup.jpg", "conversations": [HUMAN]}, "conversations: must be a list of human and gpt in turn"),
        ({"image": "cup.jpg", "conversations": [GPT, HUMAN]}, "turn 1 is from 'gpt', where 'human' speaks"),
        ({"image": "cup.jpg", "conversations": [HUMAN, {"from": "gpt"}]}, "turn 2 is not"),
        ({"conversations": [HUMAN, GPT]}, "says <image>, but the line has no `image`"),
        ({"image": "cup.jpg", "conversations": [HUMAN, GPT, HUMAN, GPT]}, "shows 2 pictures"),
        ({"image": "cup.jpg", "conversations": [HUMAN, GPT], "model": "x"}, "unknown key model; known here: id, image"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_what_is_wrong(
    folder: Path, row: dict[str, Any] | str, says: str
) -> None:
    assert says in refused(folder, row)


def test_every_wrong_line_is_named_by_its_number_up_to_a_limit(folder: Path) -> None:
    message = refused(folder, ASKED, "nonsense", ASKED, ASKED | {"image": "gone.jpg"})
    assert "line 2: is no JSON" in message
    assert "line 4: image 'gone.jpg' is not there" in message
    assert "line 1" not in message
    assert f"and {25 - MAX_FAULTS} more" in refused(folder, *["nonsense"] * 25)


def test_two_lines_with_one_id_are_refused(folder: Path) -> None:
    message = refused(folder, ASKED | {"id": "a"}, ASKED | {"id": "b"}, ASKED | {"id": "a"})
    assert "line 3: the id 'a' is that of line 1" in message


def test_a_line_without_an_end_is_not_read_to_its_end(folder: Path) -> None:
    path = folder / "asked.jsonl"
    path.write_bytes(b'{"question": "' + b"x" * (2 * MAX_LINE_BYTES))
    with pytest.raises(BadQuestionsError, match=f"line 1 is longer than {MAX_LINE_BYTES} bytes"):
        read_questions(path)


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(simplejpeg.encode_jpeg(PIXELS))
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    assert "is a link out of the folder" in refused(folder, ASKED | {"image": "link.jpg"})


def test_a_picture_that_is_cut_or_absurdly_large_is_refused(folder: Path) -> None:
    (folder / "cut.jpg").write_bytes((folder / "cup.jpg").read_bytes()[:30])
    png = (folder / "pictures" / "bowl.png").read_bytes()
    (folder / "huge.png").write_bytes(png[:16] + (10**6).to_bytes(4, "big") * 2 + png[24:])
    message = refused(folder, ASKED | {"image": "cut.jpg"}, ASKED | {"image": "huge.png"})
    assert "line 1: image 'cut.jpg' has a header that cannot be read" in message
    assert "line 2: image 'huge.png' is 1000000 x 1000000 pixels" in message


def test_a_missing_file_and_one_that_is_not_utf8_are_named(folder: Path) -> None:
    with pytest.raises(BadQuestionsError, match=r"none.jsonl: cannot be read \(No such file"):
        read_questions(folder / "none.jsonl")
    (folder / "latin.jsonl").write_bytes('{"question": "Grün?", "answer": "Ja."}'.encode("latin-1"))
    with pytest.raises(BadQuestionsError, match="line 1: is not UTF-8"):
        read_questions(folder / "latin.jsonl")


def test_a_wrong_plan_is_named_by_its_line(folder: Path) -> None:
    path = folder / "plans.jsonl"
    good = {"episode_id": "e", "start_step": 0, "end_step": 3, "instruction": "Do it.", "plan": "Begin."}
    path.write_text("\n".join(json.dumps(row) for row in (good, good | {"start_step": 3})))
    with pytest.raises(BadQuestionsError, match=r"line 2: .*it has no step"):
        read_plans(path)


@given(name=st.text(max_size=40))
def test_no_name_of_an_image_leads_out_of_the_folder(name: str) -> None:
    folder = Path("questions-of-nobody")
    try:
        path = inside(folder, name)
    except BadPictureError:
        return
    assert path.resolve().is_relative_to(folder.resolve())


TEXT = st.text(min_size=1, max_size=60).map(str.strip).filter(bool)
FRAMES = st.builds(Frame, episode_id=TEXT, step=st.integers(0, 10**6), image=TEXT)
WEIGHTS = st.floats(0, 1000)
QUESTIONS = st.builds(
    Question, id=st.uuids().map(str), kind=TEXT, question=TEXT, answer=TEXT, frame=st.none() | FRAMES, weight=WEIGHTS
)
PLANS = st.builds(
    Plan,
    episode_id=TEXT,
    start_step=st.integers(0, 100),
    end_step=st.integers(101, 200),
    instruction=TEXT,
    plan=TEXT,
    weight=WEIGHTS,
)


@settings(deadline=None, max_examples=50)
@given(questions=st.lists(QUESTIONS, max_size=5, unique_by=lambda question: question.id), plans=st.lists(PLANS))
def test_what_is_written_is_read_back_and_equal_rows_give_equal_bytes(
    tmp_path_factory: pytest.TempPathFactory, questions: list[Question], plans: list[Plan]
) -> None:
    folder = tmp_path_factory.mktemp("written")
    write(folder / "questions.jsonl", questions)
    write(folder / "plans.jsonl", plans)
    assert read_questions(folder / "questions.jsonl") == questions
    assert read_plans(folder / "plans.jsonl") == plans
    assert (folder / "questions.jsonl").read_bytes() == to_jsonl(questions)
