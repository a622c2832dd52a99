"""The player as a Streamlit component: loads its modules from this server and hands them the ids to show."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from review_ui.player.assets import player_url

Mode = Literal["review", "segments", "view", "compare", "adjudicate"]

LOADER = """
const modules = new Map();

export default async function ({ parentElement, data, setStateValue }) {
  const { module, ...shown } = data;
  if (!modules.has(module)) modules.set(module, import(new URL(module, location.origin).href));
  let player;
  try {
    player = await modules.get(module);
  } catch (error) {
    modules.delete(module);
    throw new Error(`the player could not be loaded (${error.message}); check that the server runs, then reload`);
  }
  return player.mount(parentElement, shown, { setStateValue });
}
"""
"""Runs again at every rerun whose data changed: `mount` is idempotent and returns what takes the player away."""

_mount = st.components.v2.component("teleloom_player", js=LOADER, isolate_styles=False)


def player(
    *,
    mode: Mode,
    episode_id: str | None = None,
    other_id: str | None = None,
    t_ns: int | None = None,
    queue_filter: dict[str, Any] | None = None,
    key: str,
) -> Any:
    """Show the player; the same `key` keeps it as it is over reruns and pages.

    episode_id: None takes the next of the queue that `queue_filter` describes. other_id: the one to compare with.
    t_ns: where to begin, ns from the episode's start. The result's `episode` is the id of the episode on show, which
    the player may have changed by itself. It talks to the server's HTTP interface and never needs a rerun.
    """
    data = {
        "module": player_url("js/index.js"),
        "mode": mode,
        "episode_id": episode_id,
        "other_id": other_id,
        "t_ns": t_ns,
        "queue_filter": queue_filter,
    }
    return _mount(data=data, default={"episode": episode_id}, key=key, on_episode_change=lambda: None)
