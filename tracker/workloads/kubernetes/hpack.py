"""Header blocks of HTTP/2 (RFC 7541), as far as one gRPC call needs them.

A request is written without compression, which the RFC allows. Of an answer only ``grpc-status`` is wanted: its name
is in no static table, so it comes as a literal, plain or in the one form that the RFC's Huffman code gives it. The
client announces a header table of size 0, so nothing refers to an earlier block.
"""

from __future__ import annotations

from collections.abc import Iterable

_STATUS = b"grpc-status"
#: "grpc-status" in the code of RFC 7541, appendix B.
_STATUS_HUFFMAN = bytes.fromhex("9acac8b21234da8f")
_HUFFMAN = 0x80


def encode(headers: Iterable[tuple[str, str]]) -> bytes:
    """A header block: every field a literal that no table keeps (RFC 7541, 6.2.2)."""
    block = bytearray()
    for field in headers:
        block.append(0x00)
        for word in field:
            content = word.encode("ascii")
            block += _integer(len(content), 7)
            block += content
    return bytes(block)


def grpc_status(block: bytes) -> int | None:
    """The value of ``grpc-status`` in a header block; None: it is not there or cannot be read. Raises ValueError on
    anything that is no header block."""
    position, status = 0, None
    while position < len(block):
        first = block[position]
        if first & 0x80:  # an entry of the static table
            index, position = _read_integer(block, position, 7)
            if index == 0:
                raise ValueError("index 0")
            continue
        if first & 0xE0 == 0x20:  # noqa: PLR2004 - a new size of the table
            _, position = _read_integer(block, position, 5)
            continue
        index, position = _read_integer(block, position, 6 if first & 0x40 else 4)
        name, coded = b"", False
        if index == 0:
            name, coded, position = _string(block, position)
        value, value_coded, position = _string(block, position)
        if name == (_STATUS_HUFFMAN if coded else _STATUS):
            status = _number(value, coded=value_coded)
    return status


def _number(value: bytes, *, coded: bool) -> int | None:
    """A status has one or two digits, which the Huffman code never makes shorter: no server codes them."""
    return int(value) if not coded and value.isdigit() and len(value) < 4 else None  # noqa: PLR2004 - see above


def _string(block: bytes, position: int) -> tuple[bytes, bool, int]:
    """Content, whether it is Huffman-coded, and where it ends."""
    if position >= len(block):
        raise ValueError("a header ends early")
    coded = bool(block[position] & _HUFFMAN)
    length, position = _read_integer(block, position, 7)
    if length > len(block) - position:
        raise ValueError("a header ends early")
    return block[position : position + length], coded, position + length


def _integer(value: int, prefix: int) -> bytes:
    """RFC 7541, 5.1."""
    limit = (1 << prefix) - 1
    if value < limit:
        return bytes([value])
    encoded, value = bytearray([limit]), value - limit
    while value >= 0x80:  # noqa: PLR2004 - the continuation bit
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_integer(block: bytes, position: int, prefix: int) -> tuple[int, int]:
    limit = (1 << prefix) - 1
    value = block[position] & limit
    position += 1
    if value < limit:
        return value, position
    for shift in range(0, 28, 7):
        if position >= len(block):
            raise ValueError("a number ends early")
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, position
    raise ValueError("a number does not end")
