"""The player: shows an episode's cameras by their recorded times, in the browser."""

from review_ui.player.assets import player_route

__all__ = ["player_route"]
