"""Header blocks: the gRPC status of an answer, whatever else a server says before it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker.workloads.kubernetes.hpack import encode, grpc_status

HUFFMAN_NAME = "889acac8b21234da8f"  # length 8, coded


@pytest.mark.parametrize(
    ("block", "status"),
    [
        ("", None),
        ("88", None),  # :status 200, from the static table
        ("00 0b 677270632d737461747573 01 30", 0),  # a literal that no table keeps
        ("40 0b 677270632d737461747573 01 38", 8),  # one that a table would keep
        ("10 0b 677270632d737461747573 02 3132", 12),  # one that no table may ever keep
        (f"20 00 {HUFFMAN_NAME} 01 30", 0),  # after "the table is empty", as Go's server sends it
        (f"88 5f 10 6170706c69636174696f6e2f67727063 00 {HUFFMAN_NAME} 01 37", 7),  # after a content type
        (f"00 {HUFFMAN_NAME} 82 08bf", None),  # a coded value: no server writes it
        ("00 0b 677270632d737461747573 01 78", None),  # not a number
        ("00 0c 677270632d6d657373616765 01 30", None),  # grpc-message
        ("5f 7f 61 " + "61" * 0xE0, None),  # a long value
    ],
)
def test_statuses(block: str, status: int | None) -> None:
    assert grpc_status(bytes.fromhex(block)) == status


@pytest.mark.parametrize("block", ["80", "00", "00 05 61", "00 7f ff ff ff ff ff", "3f", "ff ff ff ff ff ff"])
def test_what_is_no_header_block_is_an_error(block: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        grpc_status(bytes.fromhex(block))


@given(st.binary(max_size=100))
def test_any_bytes_end(block: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert (grpc_status(block) or 0) < 1000


ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300)


@example([("x" * 127, "y" * 300)], 0)
@given(st.lists(st.tuples(ASCII, ASCII), max_size=5), st.integers(0, 16))
def test_what_is_written_is_read_back(headers: list[tuple[str, str]], status: int) -> None:
    others = [header for header in headers if header[0] != "grpc-status"]
    assert grpc_status(encode([*others, ("grpc-status", str(status))])) == status
