"""Setting files aside: whatever is not kept as an episode is moved with a reason, never deleted."""

from __future__ import annotations

from pathlib import Path

from teleloom.files import write_json

DISCARDED_FOLDER = "discarded"


def set_aside(path: Path, root: Path, reason: str) -> Path:
    """Move a file to `discarded/` under `root`, with a JSON file beside it that says why; returns where it is now."""
    folder = root / DISCARDED_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    attempt = 1
    while target.exists():
        attempt += 1
        target = folder / f"{path.stem}.{attempt}{path.suffix}"
    write_json(target.with_name(f"{target.name}.json"), {"file": target.name, "reason": reason})
    path.rename(target)
    return target
