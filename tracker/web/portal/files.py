"""A document as an HTTP answer: its tag, its name, and parts of it (RFC 9110 §8.8.3, §13, §14).

The tag is the sha256 of the content, so that it is strong, the same on every machine, and can be compared with the
manifest of a sealed version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

from tracker.web.interface import Request, Response
from tracker.web.portal.interface import Document

_RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})")
_TAG = re.compile(r'(?:W/)?("[^"]*")')
#: Neither the tag nor a range would fit a body that is gzipped on its way.
_AS_IT_IS: Mapping[str, str] = {"Content-Encoding": "identity"}
_YEAR_S = 31_536_000
#: A statement is a document: it runs nothing and loads nothing, whatever is in its labels.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def answer(request: Request, document: Document, *, pinned: bool, viewable: bool) -> Response:
    """``pinned``: the address names the version, so that a closed one never changes. Raises WattledgerError."""
    tag = f'"{document.sha256}"'
    headers = _headers(document, tag, pinned=pinned, viewable=viewable)
    if _listed(request.headers.get("if-none-match", ""), tag):
        whole = {"Content-Length": str(document.size_bytes)}  # of what a 200 would bring (RFC 9110 §8.6)
        return Response(HTTPStatus.NOT_MODIFIED, document.media_type, b"", headers | whole)
    content = document.read()
    if document.version is not None and request.headers.get("if-range", tag) == tag:
        part = find_part(request.headers.get("range", ""), len(content))
        if part is not None:
            return _partial(document, content, part, headers)
    return Response(HTTPStatus.OK, document.media_type, content, {**headers, **_AS_IT_IS})


def find_part(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a Range header; last < first: none that exists. None: the whole is to be sent, also for
    several ranges at once and for what is no range (both may be ignored)."""
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if not found or not (found["first"] or found["last"]):
        return None
    if not found["first"]:
        length = int(found["last"])
        return (max(0, size - length), size - 1) if length else (0, -1)
    first, last = int(found["first"]), min(int(found["last"] or size), size - 1)
    if found["last"] and int(found["last"]) < first:
        return None
    return (first, last) if first < size else (0, -1)


def _partial(document: Document, content: bytes, part: tuple[int, int], headers: Mapping[str, str]) -> Response:
    first, last = part
    if last < first:
        told = {"Content-Range": f"bytes */{len(content)}"}
        sentence = f"The file has {len(content)} bytes; none of them are in that range.\n"
        return Response(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "text/plain; charset=utf-8", sentence.encode(), told
        )
    told = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
    body = content[first : last + 1]
    return Response(HTTPStatus.PARTIAL_CONTENT, document.media_type, body, {**headers, **told, **_AS_IT_IS})


def _headers(document: Document, tag: str, *, pinned: bool, viewable: bool) -> dict[str, str]:
    sealed = document.version is not None
    headers = {
        "ETag": tag,
        "Cache-Control": f"private, max-age={_YEAR_S}, immutable" if sealed and pinned else "private, no-cache",
        "Content-Disposition": f"{'inline' if viewable else 'attachment'}; {_file_name(document.name)}",
        "Accept-Ranges": "bytes" if sealed else "none",
        "X-Wattledger-Status": document.status.value,
    }
    if document.version is not None:
        headers["X-Wattledger-Version"] = str(document.version)
    if viewable:
        headers["Content-Security-Policy"] = _POLICY
    return headers


def _file_name(name: str) -> str:
    """RFC 6266: quoted, and percent-encoded where letters need it."""
    plain = name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    return f'filename="{plain}"' if plain == name else f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _listed(header: str, tag: str) -> bool:
    """Whether If-None-Match names the tag; compared weakly, as it is for that header."""
    return header.strip() == "*" or tag in _TAG.findall(header)
