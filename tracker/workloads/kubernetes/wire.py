"""Protocol Buffers from the wire, as far as a reader of strings and messages needs them.

Source: protobuf.dev, "Encoding". A message is a sequence of (field number, value); what a field means is for the
caller. This stands in for the protobuf library, which costs 2.6 MB of memory for one message a device plugin fills.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_SHIFT = 63  # bits of a varint: ten bytes of seven


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Field number and content of every length-delimited field (string, bytes, message, packed numbers), in order.
    Numbers are skipped. Raises ValueError on anything that is no message."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("field number 0")
        if kind == _LENGTH:
            length, position = _varint(data, position)
            if length > end - position:
                raise ValueError("a field ends after its message")
            yield number, data[position : position + length]
            position += length
        elif kind == _VARINT:
            _, position = _varint(data, position)
        elif kind in {_FIXED64, _FIXED32}:
            position += 8 if kind == _FIXED64 else 4
            if position > end:
                raise ValueError("a number ends after its message")
        else:
            raise ValueError(f"wire type {kind}")


def text(content: bytes) -> str:
    """A string field. Bytes that are no UTF-8 become U+FFFD."""
    return content.decode("utf-8", "replace")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at ``position`` and where it ends."""
    value = shift = 0
    while True:
        if position >= len(data) or shift > _MAX_SHIFT:
            raise ValueError("a number does not end")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, position
        shift += 7
