"""The demo's report, made of real episodes, a real catalog and a real dataset."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from dataset_builder.build.run import build_dataset
from dataset_builder.manifest import BuildManifest
from dataset_builder.source.select import select_episodes
from dataset_builder.verify.check import verify_dataset
from station.report import Reviewed, Story, write_report
from teleloom.catalog import Catalog
from teleloom.episode.meta import Instruction, TaskInfo

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
STORY = Story(
    title="Five minutes at the counter",
    lead="A scripted operator drove a simulated arm through the code that a headset drives.",
    did=("Recorded four attempts.", "Approved what the verdict had nothing against."),
    next_steps=(("Look at one episode.", "teleloom inspect station/episodes/ID.h5"),),
    facts={"took": "61 s"},
)


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


@dataclass(frozen=True)
class Demo:
    root: Path
    reviewed: list[Reviewed]
    dataset: Path


@pytest.fixture(scope="module")
def samples() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "recorder")
        return importlib.import_module("inspected")


@pytest.fixture(scope="module")
def demo(samples: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Four attempts at three tasks; the last has a frozen camera and is rejected, and one has hostile words."""
    root = tmp_path_factory.mktemp("demo")
    tasks = (
        ("put_in_bowl", "put the pear into the bowl"),
        ("stack", HOSTILE),
        ("put_in_bowl", "place the lemon in the bowl"),
        ("open_drawer", "open the drawer"),
    )
    paths = []
    for number, (task, words) in enumerate(tasks):
        identity = f"01973f6e-0000-7000-8000-00000000000{number}"
        info = TaskInfo(name=task, instructions=(Instruction(text=words, spoken=True),))
        meta = samples.make_meta(episode_id=identity, task=info, seed=number, simulated=True, success_check=True)
        path = root / "episodes" / f"{identity}.h5"
        frozen = 2.0 if number == 3 else None
        paths.append(samples.write_sample(path, meta, duration_s=5.0 + number, frozen_from_s=frozen))
    with Catalog.open(root) as catalog:
        for number, path in enumerate(paths):
            row = catalog.register(path)
            if number == 3:
                catalog.reject(row.id, "demo", "camera 'wrist' is frozen", 0)
            else:
                catalog.approve(row.id, "demo", 0)
        reviewed = [Reviewed(path, catalog.view(path.stem)) for path in paths]
        manifest = BuildManifest(name="kitchen", cameras={"front": "image", "wrist": "wrist_image"})
        built = build_dataset(select_episodes(catalog, root), manifest, root / "rlds")
    return Demo(root, reviewed, built.path)


@pytest.fixture(scope="module")
def index(demo: Demo) -> str:
    verification = verify_dataset(demo.dataset)
    return write_report(demo.root / "report", STORY, demo.reviewed, demo.dataset, verification).read_text("utf-8")


def test_every_episode_has_a_card_that_leads_to_its_page(demo: Demo, index: str) -> None:
    links = [attributes["href"] for name, attributes in Elements(index).elements if name == "a"]
    assert links == [f"episodes/{episode.path.stem}.html" for episode in demo.reviewed]
    assert all((demo.root / "report" / str(link)).stat().st_size > 10_000 for link in links)


def test_every_card_shows_both_cameras(index: str) -> None:
    pictures = [attributes["src"] or "" for name, attributes in Elements(index).elements if name == "img"]
    assert len(pictures) == 4 * 2 * 6
    assert all(picture.startswith("data:image/jpeg;base64,") for picture in pictures)


def test_the_rejected_attempt_says_who_rejected_it_and_why(index: str) -> None:
    assert "rejected by demo: camera &#x27;wrist&#x27; is frozen" in index
    assert index.count('<span class="badge approved">') == 3
    assert index.count('<span class="badge rejected">') == 1


def test_the_dataset_is_shown_with_its_splits_ledger_and_checks(demo: Demo, index: str) -> None:
    assert "kitchen 1.0.0" in index
    assert "4 inputs = 3 emitted + 1 rejected" in index
    assert "rejected-in-review" in index
    assert "read with TensorFlow Datasets" in index
    assert index.count('class="bar"') == 7 + 1


def test_hostile_words_stay_words(index: str) -> None:
    names = {name for name, _ in Elements(index).elements}
    assert "script" not in names
    assert not [key for _, attributes in Elements(index).elements for key in attributes if key.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in index


def test_the_report_loads_nothing_from_elsewhere(index: str) -> None:
    assert not re.search(r"https?://", index)
    assert not {"link", "iframe", "script"} & {name for name, _ in Elements(index).elements}


def test_the_report_is_the_same_every_time(demo: Demo, index: str) -> None:
    again = write_report(demo.root / "again", STORY, demo.reviewed, demo.dataset, verify_dataset(demo.dataset))
    assert again.read_text("utf-8") == index


def test_a_report_without_a_dataset_is_a_report(demo: Demo) -> None:
    page = write_report(demo.root / "plain", STORY, demo.reviewed[:1]).read_text("utf-8")
    assert "What to do next" in page
    assert "The dataset" not in page
