"""Label values: text that others wrote (pod names, image tags, environment variables), made safe to export.

Escaping alone is not enough: a lone surrogate cannot be encoded, a terminal shows control characters, and a 10 kB value
is multiplied by every series that carries it.
"""

from __future__ import annotations

import zlib

#: Longest exported label value, in characters. Kubernetes allows 63 for a label value and 253 for a name.
LIMIT = 256

#: C0 and C1 controls, Unicode line breaks, and the marks that reorder a line of text on a screen become spaces.
#: A table and not a regular expression: compiling a class over all of Unicode costs 0.6 MB.
_SPACES = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A)), " ")


def clean(value: str) -> str:
    """Valid Unicode without control characters, at most LIMIT long.

    A longer value keeps its beginning and ends in a checksum of the whole, so that two of them stay two series: if they
    fell together, the sum would drop when one of them leaves.
    """
    if len(value) > LIMIT:
        mark = f"~{zlib.crc32(value.encode('utf-8', 'surrogatepass')):08x}"
        value = value[: LIMIT - len(mark)] + mark
    if value.isprintable():
        return value
    # Bytes that were no UTF-8 came in as lone surrogates (PEP 383): no encoding can write them.
    return value.translate(_SPACES).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def braced(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """``{a="1",b="2"}`` sorted by name, values cleaned and escaped; "" without labels."""
    if not names:
        return ""
    pairs = sorted(zip(names, values, strict=True))
    return "{" + ",".join(f'{name}="{_escaped(clean(value))}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    """Both formats escape the same characters; a newline cannot be left after ``clean``."""
    return value.replace("\\", r"\\").replace('"', r"\"")
