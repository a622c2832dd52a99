"""How the app says things: short ids, lengths of time, counts; and people's words, shown as they were written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from teleloom.clock import NS_PER_S

SHORT_ID = 13
MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S

_MARKUP = re.compile(r"([!-/:-@\[-`{-~])")
_COLON = re.compile(r":(?=[A-Za-z/])")
WORD_JOINER = "\u2060"


def short(episode_id: str) -> str:
    """The beginning of an id that tells episodes apart to the millisecond; the command line takes it as well."""
    return episode_id[:SHORT_ID]


def plain(text: str) -> str:
    """`text` for a place that reads Markdown, so that it is shown as it was written, on one line.

    A colon before a letter is followed by an invisible joiner: Streamlit looks for `:material/…:` and `:red[…]` after
    the escapes are gone.
    """
    joined = _COLON.sub(f":{WORD_JOINER}", " ".join(text.split()))
    return _MARKUP.sub(r"\\\1", joined)


def place(path: Path) -> str:
    """A path as people say it: '~/my-station' for what lies at home."""
    absolute = path.absolute()
    return f"~/{absolute.relative_to(Path.home())}" if absolute.is_relative_to(Path.home()) else str(absolute)


def count(number: int, singular: str, plural: str | None = None) -> str:
    """'1 episode', '1,204 episodes'."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def lasting(seconds: float) -> str:
    """A length of time in at most two units: '7.1 s', '12 min', '1 h 46 min', '3 days 4 h'."""
    if seconds < MINUTE_S:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    if seconds < DAY_S:
        hours, rest = divmod(round(seconds / MINUTE_S), 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(round(seconds / HOUR_S), 24)
    return f"{count(days, 'day')} {rest} h" if rest else count(days, "day")


def ago(wall_ns: int, now_ns: int) -> str:
    """'just now', '3 min ago', 'yesterday', '5 days ago', both in ns since the Unix epoch."""
    seconds = (now_ns - wall_ns) / NS_PER_S
    if seconds < MINUTE_S:
        return "just now"
    if seconds < HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min ago"
    if seconds < DAY_S:
        return f"{seconds / HOUR_S:.0f} h ago"
    days = int(seconds // DAY_S)
    return "yesterday" if days == 1 else f"{days} days ago"


def instant(wall_ns: int) -> datetime:
    """The wall time, ns since the Unix epoch, as a date and time (UTC)."""
    return datetime.fromtimestamp(wall_ns / NS_PER_S, UTC)


def percent(share: float) -> str:
    """'7%', '0.4%'."""
    return f"{share:.0%}" if share >= 0.01 or share == 0 else f"{share:.1%}"
