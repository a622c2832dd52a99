"""What an operator's helper sees in the terminal while a station records."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from teleloom.messages import ControlTick

MODE_STYLE = {"HUMAN": "bold green", "POLICY": "bold cyan", "BLEND": "bold cyan", "HOLD": "bold yellow"}


def status_view(
    recorder: dict[str, Any], tick: ControlTick | None, restarts: dict[str, int], stopped: bool = False
) -> Group:
    """The live status: mode and why, the episode, disk minutes, and each stream's rate and losses.

    recorder: the data of a recorder's status report. restarts: of each camera, since the station started.
    stopped: whether the emergency stop is latched.
    """
    keys = Text(" space: emergency stop   ctrl-c: end", "dim")
    if stopped:
        keys = Text(" EMERGENCY STOP; c clears it, then let the clutch go and squeeze again", "bold white on red")
    return Group(_headline(recorder, tick), _streams(recorder, restarts), keys)


def _headline(recorder: dict[str, Any], tick: ControlTick | None) -> Text:
    line = Text()
    mode = tick.mode.name if tick else "–"
    line.append(f" {mode:7}", MODE_STYLE.get(mode, ""))
    if recorder["episode_id"] is None:
        line.append("  not recording; press the primary button to start", "dim")
    else:
        line.append("  ● ", "bold red")
        line.append(f"{recorder['episode_id'][:13]}  {recorder['duration_s']:.1f} s")
    minutes = recorder["minutes_left"]
    line.append("" if minutes == float("inf") else f"   disk {minutes:.0f} min left", "dim" if minutes > 10 else "red")
    if recorder["finalising"]:
        line.append(f"   finalising {recorder['finalising']}", "dim")
    # Always two lines: a live view that changes its height leaves scraps on some terminals.
    why = ", ".join(tick.interventions) if tick else ""
    line.append(f"\n          {recorder['fault'] or why}", "bold red" if recorder["fault"] else "yellow")
    return line


def _streams(recorder: dict[str, Any], restarts: dict[str, int]) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    table.add_column("stream")
    for heading in ("Hz", "received", "dropped", "restarts"):
        table.add_column(heading, justify="right")
    # An operator's frame that a newer one overtook is not lost: the control loop takes the newest alone.
    lost = {name: count for name, count in recorder["lost_on_the_way"].items() if name != "xr"}
    for name, stream in sorted(recorder["streams"].items()):
        dropped = stream["dropped"] + lost.get(name, 0)
        again = restarts.get(name.removeprefix("cameras/"), 0)
        cells = (f"{stream['rate_hz']:.0f}", str(stream["received"]), str(dropped), str(again))
        table.add_row(name, *cells, style="red" if dropped or again else None)
    return table
