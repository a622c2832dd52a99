"""Action codecs: named, versioned pairs of functions between normalised actions and the token ids a model emits."""

from __future__ import annotations

from typing import Any

from dataset_builder.codecs.contract import Codec, CodecOptionError, InvalidActionError, InvalidTokenError
from teleloom import plugins

__all__ = ["Codec", "CodecOptionError", "InvalidActionError", "InvalidTokenError", "get_codec"]


def get_codec(name: str, **options: Any) -> Codec:
    """The codec called `name`, built with its options, e.g. `get_codec("openvla", vocab_size=32000)`.

    Raises PluginError for a name that no installed package offers (the known ones are listed) and CodecOptionError
    for options that the codec does not take.
    """
    factory = plugins.load("teleloom.codecs", name)
    try:
        codec: Codec = factory(**options)
    except (TypeError, ValueError) as error:
        raise CodecOptionError(f"codec '{name}' cannot be built with the options {options}: {error}") from None
    return codec
