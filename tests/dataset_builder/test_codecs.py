"""Codecs: OpenVLA's published figures hold bit for bit, and nothing invalid passes in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dataset_builder.codecs import InvalidActionError, InvalidTokenError, get_codec
from teleloom.plugins import PluginError

OPENVLA = get_codec("openvla", vocab_size=32000)


@pytest.mark.parametrize(
    ("action", "token", "decoded"),
    [(-1.0, 31999, -0.99607843), (0.0, 31872, 0.0), (0.5, 31808, 0.50196078), (1.0, 31744, 0.99607843)],
)
def test_openvla_goldens(action: float, token: int, decoded: float) -> None:
    assert OPENVLA.encode([[action]]).tolist() == [[token]]
    assert OPENVLA.decode([[token]])[0, 0] == pytest.approx(decoded, abs=1e-8)


def test_openvla_bins_are_those_of_digitize_at_and_beside_every_edge() -> None:
    edges = np.linspace(-1.0, 1.0, 256)
    values = np.concatenate([edges, np.nextafter(edges, -2.0), np.nextafter(edges, 2.0)])
    expected = 32000 - np.digitize(np.clip(values, -1.0, 1.0), edges)
    assert np.array_equal(OPENVLA.encode(values[None]), expected[None])


@given(hnp.arrays(np.float64, (3, 7), elements=st.floats(-1.0, 1.0)))
def test_openvla_round_trip_errs_by_at_most_half_a_bin(actions: np.ndarray) -> None:
    ids = OPENVLA.encode(actions)
    decoded = OPENVLA.decode(ids)
    assert np.abs(decoded - actions).max() <= 1.0 / 255.0 + 1e-12
    inner = ids > 31744
    assert np.array_equal(OPENVLA.encode(decoded)[inner], ids[inner])


def test_openvla_refuses_foreign_tokens_naming_their_position() -> None:
    with pytest.raises(InvalidTokenError, match=r"token 31743 at \(1, 2\)"):
        OPENVLA.decode([[31872] * 7, [31872, 31872, 31743, 31872, 31872, 31872, 31872]])
    with pytest.raises(InvalidTokenError, match="32000"):
        OPENVLA.decode([[32000]])
    with pytest.raises(InvalidTokenError, match="integers"):
        OPENVLA.decode([[31872.0]])


def test_openvla_refuses_actions_that_are_not_numbers() -> None:
    with pytest.raises(InvalidActionError, match=r"\(0, 1\) is nan"):
        OPENVLA.encode([[0.0, np.nan]])


def test_an_unknown_codec_names_the_known_ones() -> None:
    with pytest.raises(PluginError, match="openvla"):
        get_codec("no_such_codec")


def test_a_codec_is_built_again_from_its_options() -> None:
    again = get_codec(OPENVLA.name, **OPENVLA.options)
    assert again.encode([[0.25]]).tolist() == OPENVLA.encode([[0.25]]).tolist()
