"""What the portal serves.

/                                                  the page
/api/v1/statements                                 the months as JSON
/api/v1/statements/2026-10?format=csv[&version=1]  a statement's file; without a version the latest closed one, else the
                                                   draft, so that the address can stand in a spreadsheet for good;
                                                   ``version=draft``: what the month would say now
/-/healthy, /-/ready                               200 while the process runs; while the books can be read

Errors of the API are JSON: ``{"error": one sentence, "remedy": what to do}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

import msgspec

from tracker.core.errors import WattledgerError
from tracker.web.http1 import TEXT
from tracker.web.interface import OnError, Request, Response, Route
from tracker.web.portal import files, listing, page
from tracker.web.portal.interface import Busy, Missing, Office, Unavailable, Wanted

JSON = "application/json"
HTML = "text/html; charset=utf-8"
STATEMENTS = "/api/v1/statements"
_STATEMENT = re.compile(rf"{STATEMENTS}/(?P<month>20[0-9]{{2}}-(?:0[1-9]|1[0-2]))")
_VERSION = re.compile(r"[1-9][0-9]{0,3}")
_RETRY_S = 30  # when the books cannot be reached


class _Refused(Exception):
    """A request that cannot be meant: 400."""


class Portal(Mapping[str, Route]):
    """The routes by path. Every path has one, so that an unknown one is answered like the rest of the API."""

    def __init__(self, office: Office, log: OnError) -> None:
        self._office, self._log = office, log
        self._viewable = {form.name: form.viewable for form in office.formats}
        self._fixed: dict[str, Route] = {
            "/": self._page,
            STATEMENTS: self._guarded(self._list),
            "/-/healthy": lambda _: Response(HTTPStatus.OK, TEXT, b"healthy\n"),
            "/-/ready": self._ready,
        }

    def __getitem__(self, path: str) -> Route:
        route = self._fixed.get(path)
        if route is not None:
            return route
        if found := _STATEMENT.fullmatch(path):
            month = found["month"]
            return self._guarded(lambda request: self._statement(month, request))
        return _nothing

    def __iter__(self) -> Iterator[str]:
        return iter(self._fixed)

    def __len__(self) -> int:
        return len(self._fixed)

    def _page(self, _: Request) -> Response:
        try:
            body = page.render(self._office.overview(), self._office.formats)
        except WattledgerError as error:
            self._tell("/", error)
            status, headers = _status_of(error)
            return Response(status, HTML, page.render_trouble(error), {**page.HEADERS, **headers})
        return Response(HTTPStatus.OK, HTML, body, page.HEADERS)

    def _ready(self, _: Request) -> Response:
        try:
            self._office.overview()
        except WattledgerError as error:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, f"{error.sentence}\n".encode("utf-8", "replace"))
        return Response(HTTPStatus.OK, TEXT, b"ready\n")

    def _list(self, request: Request) -> Response:
        _parameters(request.query, ())
        body = listing.render(self._office.overview(), self._office.formats)
        return Response(HTTPStatus.OK, JSON, body, {"Cache-Control": "no-cache"})

    def _statement(self, month: str, request: Request) -> Response:
        given = _parameters(request.query, ("format", "version"))
        form = given.get("format", "json")
        if form not in self._viewable:
            raise _Refused(f"There is no format {form[:40]!r}; known: {', '.join(self._viewable)}.")
        document = self._office.document(month, form, _version(given.get("version", "")))
        pinned = _VERSION.fullmatch(given.get("version", "")) is not None
        return files.answer(request, document, pinned=pinned, viewable=self._viewable[form])

    def _guarded(self, route: Route) -> Route:
        def answer(request: Request) -> Response:
            try:
                return route(request)
            except _Refused as error:
                return _error(HTTPStatus.BAD_REQUEST, str(error))
            except WattledgerError as error:
                self._tell(request.path, error)
                status, headers = _status_of(error)
                return _error(status, error.sentence, error.remedy, headers)

        return answer

    def _tell(self, place: str, error: WattledgerError) -> None:
        """The operator hears of what is no mistake of a client and does not pass by itself."""
        if not isinstance(error, Missing | Busy):
            self._log(place, error)


def _nothing(request: Request) -> Response:
    return _error(HTTPStatus.NOT_FOUND, f"There is nothing at {request.path[:200]}.", f"See {STATEMENTS}.")


def _parameters(query: str, known: tuple[str, ...]) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise _Refused("The part of the address behind the question mark cannot be read.") from None
    for name, _ in pairs:
        if name not in known:
            expected = f"known: {', '.join(known)}" if known else "there are none here"
            raise _Refused(f"There is no parameter {name[:40]!r}; {expected}.")
    if len(dict(pairs)) != len(pairs):
        raise _Refused("A parameter is given twice.")
    return dict(pairs)


def _version(text: str) -> int | Wanted:
    if not text:
        return Wanted.LATEST
    if text == Wanted.DRAFT.value:
        return Wanted.DRAFT
    if not _VERSION.fullmatch(text):
        raise _Refused(f"{text[:40]!r} is no version: write a number such as 1, or draft.")
    return int(text)


def _status_of(error: WattledgerError) -> tuple[HTTPStatus, dict[str, str]]:
    match error:
        case Missing():
            return HTTPStatus.NOT_FOUND, {}
        case Busy():
            return HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(error.retry_after_s)}
        case Unavailable():
            return HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(_RETRY_S)}
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR, {}


def _error(status: HTTPStatus, sentence: str, remedy: str = "", headers: Mapping[str, str] | None = None) -> Response:
    told = {"error": sentence, "remedy": remedy} if remedy else {"error": sentence}
    try:
        body = msgspec.json.encode(told)
    except UnicodeEncodeError:  # half a surrogate pair, in the name of a file or host
        body = msgspec.json.encode({name: text.encode("utf-8", "replace").decode() for name, text in told.items()})
    return Response(status, JSON, body + b"\n", headers or {})
