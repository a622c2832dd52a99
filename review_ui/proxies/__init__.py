"""Proxies: small H.264 copies of an episode's cameras, made for looking at and for nothing else.

They can be deleted at any time and are made again. What a proxy shows is never written anywhere: a paused player
shows the recorded JPEG itself.
"""

from review_ui.proxies.background import BackgroundEncoder
from review_ui.proxies.batch import EncodeReport, encode_missing
from review_ui.proxies.episode import encode_episode
from review_ui.proxies.sidecar import CameraProxy, EpisodeProxy
from review_ui.proxies.store import ProxyStore

__all__ = [
    "BackgroundEncoder",
    "CameraProxy",
    "EncodeReport",
    "EpisodeProxy",
    "ProxyStore",
    "encode_episode",
    "encode_missing",
]
