"""The codec of a build, as its manifest names it."""

from __future__ import annotations

from pydantic import JsonValue

from teleloom.config import Config


class CodecChoice(Config):
    """The action codec and its options, as `dataset_builder.codecs.get_codec` takes them.

    in_records: put `steps/action_tokens` into every record too. Tokens follow from the statistics, so then every
    shard is written again when the statistics change; otherwise they lie in files of their own beside the shards.
    """

    name: str = "openvla"
    options: dict[str, JsonValue] = {}
    in_records: bool = False
