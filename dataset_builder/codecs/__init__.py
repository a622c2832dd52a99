"""Action codecs: named, versioned pairs of functions between normalised actions and the token ids a model emits."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from dataset_builder.codecs.contract import Codec, CodecOptionError, InvalidActionError, InvalidTokenError
from dataset_builder.codecs.vocabulary import MEASURED, measured
from teleloom import plugins

__all__ = [
    "Codec",
    "CodecOptionError",
    "InvalidActionError",
    "InvalidTokenError",
    "fit_codec",
    "get_codec",
    "named_files",
    "needs_fitting",
]

SHOWN = 80
"""Characters of an option's value in a message: a fitted BPE has thousands."""


def get_codec(name: str, **options: Any) -> Codec:
    """The codec called `name`, built with its options, e.g. `get_codec("openvla", vocab_size=32000)`.

    Raises PluginError for a name that no installed package offers (the known ones are listed) and CodecOptionError
    for options that the codec does not take.
    """
    return _built(name, plugins.load("teleloom.codecs", name), options)


def needs_fitting(name: str, options: Mapping[str, Any]) -> bool:
    """Whether `fit_codec` needs chunks: the codec has a part fitted on data, and `options` do not hold it yet.

    Raises PluginError for a name that no installed package offers.
    """
    fitted_option = getattr(plugins.load("teleloom.codecs", name), "fitted_option", None)
    return fitted_option is not None and options.get(fitted_option) is None


def named_files(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The files that a codec's options name, which `fit_codec` reads: a tokenizer, a corpus."""
    placement = options.get("placement")
    places = (options, placement if isinstance(placement, Mapping) else {})
    return tuple(str(place[key]) for place in places for key in ("tokenizer", "corpus") if place.get(key) is not None)


def fit_codec(name: str, options: Mapping[str, Any], chunks: ArrayLike | None = None) -> Codec:
    """As `get_codec`, and what the options leave open is found first: a codec that has a part fitted on data (FAST's
    BPE) fits it on `chunks` (N, H, D), normalised, of the train split; a placement that names a tokenizer is measured
    on it. The options of the codec returned hold all of it, so `get_codec(name, **codec.options)` is the same codec.

    Raises PluginError and CodecOptionError.
    """
    maker = plugins.load("teleloom.codecs", name)
    given = dict(options)
    placement = given.get("placement")
    to_measure = None
    if isinstance(placement, Mapping) and placement.get("name") in MEASURED and "ids" not in placement:
        to_measure = given.pop("placement")
    if needs_fitting(name, options):
        if chunks is None:
            raise CodecOptionError(f"codec '{name}' is fitted on chunks of actions, and there are none")
        codec = _built(name, maker.fit, given, chunks)
    else:
        codec = _built(name, maker, given)
    if to_measure is None:
        return codec
    placeable: Any = codec
    placed: Codec = placeable.placed(measured(to_measure, len(placeable.placement)))
    return placed


def _built(name: str, maker: Any, options: Mapping[str, Any], *arguments: Any) -> Codec:
    known = _known_options(maker, len(arguments))
    if known is not None and (unknown := sorted(set(options) - known)):
        there = ", ".join(sorted(known)) or "none"
        raise CodecOptionError(f"codec '{name}' has no option '{unknown[0]}'; there is: {there}")
    try:
        codec: Codec = maker(*arguments, **options)
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{option}: {_short(repr(value))}" for option, value in options.items())
        raise CodecOptionError(f"codec '{name}' cannot be built with the options {{{given}}}: {error}") from None
    missing = [member for member in ("name", "version", "chunked", "options") if not hasattr(codec, member)]
    if missing:
        raise CodecOptionError(f"codec '{name}' is incomplete, it has no {', no '.join(missing)}")
    return codec


def _known_options(maker: Any, given: int) -> set[str] | None:
    """The options that `maker` takes after its first `given` arguments; None where it takes any or does not tell."""
    try:
        parameters = list(inspect.signature(maker).parameters.values())[given:]
    except ValueError:
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters}


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
