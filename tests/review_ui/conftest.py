from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from marked_episodes import Timing, write_marked
from page_limit import pages_answer_within
from playwright.sync_api import Browser, sync_playwright

from review_ui.proxies import ProxyStore, encode_missing
from teleloom.catalog import Catalog
from teleloom.episode.reader import EpisodeReader
from teleloom.quality import assess

CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio")
LONGEST_ANSWER_S = 60.0
MARKED: tuple[tuple[Timing, str], ...] = (
    ("constant", "put_in_bowl"),
    ("jittered", "put_in_bowl"),
    ("gapped", "put_in_bowl"),
    ("constant", "stack"),
    ("jittered", "stack"),
    ("constant", "put_in_bowl"),
)
"""Timing and task of the marked episodes 0, 1, 2 …"""


@pytest.fixture(scope="session")
def marked_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with six marked episodes of 4 s and three cameras, registered, assessed and with proxies. Only read it."""
    root = tmp_path_factory.mktemp("marked")
    with Catalog.open(root) as catalog:
        for number, (timing, task) in enumerate(MARKED):
            path = write_marked(root, number, seconds=4.0, timing=timing, task=task)
            with EpisodeReader(path) as reader:
                report = assess(reader)
            catalog.register(path, report.model_dump(mode="json"))
        made = encode_missing(catalog, ProxyStore(root))
    assert not made.failed
    return root


@pytest.fixture
def marked_root(marked_master: Path, tmp_path: Path) -> Path:
    """A copy of `marked_master` to do with as one likes."""
    return shutil.copytree(marked_master, tmp_path / "root")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a screen. Make a new context for each test: `chromium.new_context()`."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("no Chromium on this machine; run scripts/setup.sh dev, or: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_ARGUMENTS))
        with pages_answer_within(LONGEST_ANSWER_S):
            yield browser
        browser.close()
