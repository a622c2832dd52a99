"""Every relative link leads somewhere, and every command that the pages show exists with its options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from pages import PAGES, ROOT

from station.cli import main
from teleop.supervisor import INTERVENTIONS

LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
INLINE = re.compile(r"`(teleloom [^`\n]+)`")
SHOWN = re.compile(r"^(?:\$ )?(teleloom .+?)(?:\s{2,}.*)?$", re.MULTILINE)
MADE_BY_A_RUN = {"docs/benchmarks.md"}
PLUG_IN_COMMANDS = {"NAME", "acme-count"}
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get: lower case, spaces to dashes, punctuation dropped."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve() if target else page
        if str(path.relative_to(ROOT)) in MADE_BY_A_RUN:
            continue
        assert path.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name} links to {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist_with_their_options(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fenced = "\n".join(re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    for line in [*INLINE.findall(text), *SHOWN.findall(fenced)]:
        words = shlex.split(line.replace("…", "").replace("'", "\\'"))
        if words[1] in PLUG_IN_COMMANDS:
            continue
        command = find(words[1:], line)
        known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
        used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} - {"-h", "--help"}
        assert used <= known, f"{page.name}: {line}"


def find(words: list[str], line: str) -> click.Command:
    command: click.Command = main
    for word in words:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"no command {word!r} in: {line}"
        command = found
    return command


def test_recording_page_tells_every_haptic_pattern_that_is_used() -> None:
    page = (ROOT / "docs" / "recording.md").read_text(encoding="utf-8")
    for pattern in {intervention.haptic for intervention in INTERVENTIONS.values()}:
        duration_s, _, count = pattern.value
        assert not count or f"{duration_s * 1000:.0f} ms" in page


def test_architecture_page_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in ROOT.glob("*/py.typed")]
    assert [room for room in sorted(rooms) if f"`{room}/`" not in page] == []
