"""Figures in words, the same in the terminal and on the page."""

from __future__ import annotations

from recorder.inspection.summary import StreamRow


def size(count: int) -> str:
    """Bytes for people: 1.4 MB."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def never_came(row: StreamRow) -> str:
    """How many numbers of a stream's source never came; "superseded" where a newer message took their place."""
    return f"{row.superseded} superseded" if row.superseded else str(row.missing_seq)


def dropped(row: StreamRow) -> str:
    """What a stream did not keep, by reason; "0" where nothing was dropped."""
    return ", ".join(f"{count} {reason}" for reason, count in row.dropped.items()) or "0"
