"""The documentation as tests see it: pages, their code blocks and their links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks of this language ("" for plain ones), in order."""
    return [code for name, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if name == language]


def files_in(page: Path, *languages: str) -> dict[str, str]:
    """The blocks that begin with `# file/name`, by that name."""
    found = {}
    for language in languages:
        for code in blocks(page, language):
            if named := re.match(r"# ([\w/.-]+\.\w+)\n", code):
                found[named.group(1)] = code
    return found
