"""Records and their framing, without TensorFlow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builder.rlds.records import BadExampleError, decode_example, encode_example, varints
from dataset_builder.rlds.tfrecord import BadRecordError, read_records, write_record


def records_file(path: Path, *records: bytes) -> Path:
    with path.open("wb") as file:
        for record in records:
            write_record(file, record)
    return path


def test_the_wire_format_is_the_one_of_protocol_buffers() -> None:
    # Example{features{feature{key:"a" value{int64_list{value:[1, 300]}}}}}, spelt out from the encoding's definition.
    expected = bytes.fromhex("0a0e 0a0c 0a0161 1207 1a05 0a03 01ac02".replace(" ", ""))
    assert encode_example({"a": np.array([1, 300])}) == expected


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20), st.lists(st.binary(max_size=300), max_size=5))
def test_an_example_reads_back_as_written(numbers: list[int], texts: list[bytes]) -> None:
    floats = np.linspace(-1.0, 1.0, 7, dtype=np.float32)
    features = decode_example(encode_example({"i": np.array(numbers, dtype=np.int64), "b": texts, "f": floats}))
    assert list(features["i"]) == numbers
    assert features["b"] == texts
    assert np.array_equal(features["f"], floats)


def test_booleans_become_integers_and_doubles_are_refused() -> None:
    assert decode_example(encode_example({"x": np.array([True, False])}))["x"].tolist() == [1, 0]
    with pytest.raises(TypeError, match="float64"):
        encode_example({"x": np.zeros(2)})


def test_varints_of_negative_numbers_take_ten_bytes() -> None:
    assert varints(np.array([-1])).hex() == "ff" * 9 + "01"


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05abc", b"\x0a\x02\x0a\x80", b"\x08\x01"])
def test_bytes_that_are_no_example_are_refused(data: bytes) -> None:
    with pytest.raises(BadExampleError):
        decode_example(data)


def test_records_read_back(tmp_path: Path) -> None:
    path = records_file(tmp_path / "r", b"", b"one", bytes(100_000))
    assert list(read_records(path)) == [b"", b"one", bytes(100_000)]


def test_the_framing_is_the_published_one() -> None:
    file = io.BytesIO()
    write_record(file, b"hello")
    assert file.getvalue()[:8] == (5).to_bytes(8, "little")
    assert len(file.getvalue()) == 5 + 16


@pytest.mark.parametrize(("position", "fault"), [(3, "length"), (14, "checksum"), (-1, "checksum")])
def test_a_flipped_bit_is_found(tmp_path: Path, position: int, fault: str) -> None:
    path = records_file(tmp_path / "r", b"some record")
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadRecordError, match=fault):
        list(read_records(path))


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_file_cut_short_is_found(tmp_path: Path, cut: int) -> None:
    path = records_file(tmp_path / "r", b"first", b"second")
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(BadRecordError, match="record 1"):
        list(read_records(path))
