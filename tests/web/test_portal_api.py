"""The portal's API: which file a request gets, what says that it is unchanged, parts of it, and what is refused."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal

import pytest

from tests.web.portals import EMPTY, HOSTILE, WAITING, Desk, portal
from tracker.core.errors import WattledgerError
from tracker.web.portal.files import find_part
from tracker.web.portal.interface import Busy, Unavailable

SEALED = bytes(range(256)) * 8
NEWER = b"the second version, " * 100
DRAFT = b"a,b\r\n1,2\r\n" * 200
FILES = {
    ("2026-10", "csv", 1): SEALED,
    ("2026-10", "csv", 2): NEWER,
    ("2026-11", "csv", None): DRAFT,
    ("2026-10", "html", 2): b"<p>",
}
OCTOBER = "/api/v1/statements/2026-10?format=csv"
NOVEMBER = "/api/v1/statements/2026-11?format=csv"


def desk() -> Desk:
    return Desk(files=dict(FILES))


def tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()}"'


def test_an_address_without_a_version_gives_the_latest_closed_one_else_the_draft() -> None:
    """So that it can stand in a spreadsheet for good; which one it was is in the headers."""
    with portal(desk()) as served:
        answer, body = served.get(OCTOBER)
        assert (answer.status, body) == (200, NEWER)
        assert answer.headers["X-Wattledger-Version"] == "2"
        assert answer.headers["X-Wattledger-Status"] == "closed"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="wattledger-2026-10-v2.csv"'
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        answer, body = served.get(NOVEMBER)
        assert (answer.status, body) == (200, DRAFT)
        assert answer.headers["X-Wattledger-Status"] == "draft"
        assert "X-Wattledger-Version" not in answer.headers
        assert answer.headers["Content-Disposition"] == 'attachment; filename="wattledger-2026-11-draft.csv"'


def test_a_version_that_is_named_may_be_kept_for_good() -> None:
    with portal(desk()) as served:
        answer, body = served.get(f"{OCTOBER}&version=1")
        assert (answer.status, body) == (200, SEALED)
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        answer, _ = served.get(f"{NOVEMBER}&version=draft")
        assert answer.headers["Cache-Control"] == "private, no-cache"


def test_an_unchanged_file_is_not_sent_again_nor_read() -> None:
    """The tag is the content's own hash; a 304 costs nobody a file."""
    office = desk()
    with portal(office) as served:
        answer, _ = served.get(OCTOBER)
        assert answer.headers["ETag"] == tag(NEWER)
        assert office.reads == 1
        for header in (tag(NEWER), f'"other", W/{tag(NEWER)}', "*"):
            answer, body = served.get(OCTOBER, {"If-None-Match": header})
            assert (answer.status, body, answer.headers["ETag"]) == (304, b"", tag(NEWER))
            assert answer.headers["Content-Length"] == str(len(NEWER))
        assert office.reads == 1
        for header in ('"other"', tag(SEALED), hashlib.sha256(NEWER).hexdigest()):
            assert served.get(OCTOBER, {"If-None-Match": header})[0].status == 200


@pytest.mark.parametrize(
    ("header", "status", "body", "said"),
    [
        ("bytes=0-3", 206, SEALED[:4], "bytes 0-3/2048"),
        ("bytes=2040-", 206, SEALED[2040:], "bytes 2040-2047/2048"),
        ("bytes=-5", 206, SEALED[-5:], "bytes 2043-2047/2048"),
        ("bytes=-9999", 206, SEALED, "bytes 0-2047/2048"),
        ("bytes=2047-99999999", 206, SEALED[2047:], "bytes 2047-2047/2048"),
        ("bytes=0-1,5-6", 200, SEALED, None),
        ("bytes=5-1", 200, SEALED, None),
        ("bytes=-", 200, SEALED, None),
        ("lines=1-2", 200, SEALED, None),
        (f"bytes={'9' * 40}-", 200, SEALED, None),
    ],
)
def test_a_part_of_a_closed_file(header: str, status: int, body: bytes, said: str | None) -> None:
    """A broken download goes on where it stopped, also for a client that would take gzip."""
    with portal(desk()) as served:
        answer, got = served.get(f"{OCTOBER}&version=1", {"Range": header, "Accept-Encoding": "gzip"})
        assert (answer.status, got, answer.headers["Content-Range"]) == (status, body, said)
        assert answer.headers["ETag"] == tag(SEALED)
        assert answer.headers["Accept-Ranges"] == "bytes"


def test_a_part_beyond_the_end_or_of_another_content() -> None:
    with portal(desk()) as served:
        for header in ("bytes=2048-", "bytes=-0"):
            answer, body = served.get(f"{OCTOBER}&version=1", {"Range": header})
            assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */2048")
            assert b"2048 bytes" in body
        part = {"Range": "bytes=0-3", "If-Range": tag(SEALED)}
        assert served.get(f"{OCTOBER}&version=1", part)[0].status == 206
        assert served.get(f"{OCTOBER}&version=2", part)[1] == NEWER  # it is another file now: all of it
        answer, body = served.get(NOVEMBER, {"Range": "bytes=0-3"})  # a draft may change between two parts
        assert (answer.status, body, answer.headers["Accept-Ranges"]) == (200, DRAFT, "none")


def test_no_range_is_found_in_an_empty_file() -> None:
    assert find_part("bytes=0-", 0) == (0, -1)
    assert find_part("bytes=-3", 0) == (0, -1)


def test_head_says_what_get_would_bring() -> None:
    with portal(desk()) as served:
        answer, body = served.get(OCTOBER, method="HEAD")
        assert (answer.status, body, answer.headers["Content-Length"]) == (200, b"", str(len(NEWER)))


def test_a_viewable_statement_may_run_and_load_nothing() -> None:
    with portal(desk()) as served:
        answer, _ = served.get("/api/v1/statements/2026-10?format=html")
        assert answer.headers["Content-Disposition"].startswith("inline;")
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/statements/2026-10?format=../../etc/passwd",
        "/api/v1/statements/2026-10?format=csv&version=1/../2",
        "/api/v1/statements/2026-10?format=csv&version=0",
        "/api/v1/statements/2026-10?format=csv&version=01",
        "/api/v1/statements/2026-10?format=csv&version=-1",
        "/api/v1/statements/2026-10?format=csv&version=%D9%A1",
        "/api/v1/statements/2026-10?format=csv&version=99999",
        "/api/v1/statements/2026-10?format=csv&format=xlsx",
        "/api/v1/statements/2026-10?where=team",
        "/api/v1/statements/2026-10?format",
        "/api/v1/statements/2026-10?format=%ff",
        "/api/v1/statements?month=2026-10",
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(path: str) -> None:
    with portal(desk()) as served:
        answer, body = served.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")
        sentence = json.loads(body)["error"]
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert served.log.lines == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/statements/2026-13",
        "/api/v1/statements/2026-1",
        "/api/v1/statements/../2026-10",
        "/api/v1/statements/%2e%2e/2026-10",
        "/api/v1/statements/2026-10/v1/manifest.json",
        "/api/v1/statements/2026-10/",
        "/api/v1/statements//etc/passwd",
        "/api/v1/statements/2026-10%00",
        "/statements/2026-10/v1/statement.csv",
        "/api/v1/statements/2026-09?format=csv",
        "/api/v1/statements/2026-10?format=csv&version=7",
    ],
)
def test_what_is_not_there_is_a_sentence(path: str) -> None:
    with portal(desk()) as served:
        answer, body = served.get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
        assert json.loads(body)["error"].startswith("There is n")


def test_months_are_listed_with_exact_figures() -> None:
    with portal() as served:
        answer, body = served.get("/api/v1/statements")
        assert answer.status == 200
        listed = json.loads(body, parse_float=Decimal)
        assert listed["schema"] == "wattledger/statements/v1"
        assert listed["formats"] == ["html", "csv", "xlsx", "json", "parquet", "focus", "codecarbon"]
        november, october = listed["months"][:2]
        assert november == {
            "month": "2026-11",
            "status": "draft",
            "as_of": "2026-11-02T16:00:00Z",
            "figures": {
                "energy_facility_kwh": Decimal("812345.678"),
                "location_kgco2e": Decimal("95678.901"),
                "market_kgco2e": None,
                "coverage_ratio": Decimal("0.402119"),
            },
            "note": "",
            "href": "/api/v1/statements/2026-11",
            "versions": [],
        }
        assert [each["version"] for each in october["versions"]] == [2, 1]
        assert october["versions"][0]["approver"] == "c.moreau"
        assert october["versions"][0]["href"] == "/api/v1/statements/2026-10?version=2"


def test_books_that_are_empty_or_being_read_are_a_list_too() -> None:
    with portal(Desk(EMPTY)) as served:
        assert json.loads(served.get("/api/v1/statements")[1])["months"] == []
    with portal(Desk(WAITING)) as served:
        listed = json.loads(served.get("/api/v1/statements")[1])
        assert listed["pending"] is True
        assert listed["months"][0]["figures"] is None
    with portal(Desk(HOSTILE)) as served:
        assert json.loads(served.get("/api/v1/statements")[1])["entity"].startswith("<script>")


LOST = Unavailable("The books at s3://b cannot be listed: the service cannot be reached.", "Check the network.")


@pytest.mark.parametrize(
    ("trouble", "status", "retry", "logged"),
    [
        (LOST, 503, "30", 1),
        (Busy("The draft is being put together.", retry_after_s=7), 503, "7", 0),
        (WattledgerError("statement.csv was altered since it was sealed.", "Restore it."), 500, None, 1),
    ],
)
def test_trouble_is_a_sentence_and_not_a_traceback(
    trouble: WattledgerError, status: int, retry: str | None, logged: int
) -> None:
    """The operator hears of it too, if it does not pass by itself."""
    with portal(Desk(trouble, trouble=trouble)) as served:
        answer, body = served.get(OCTOBER)
        assert (answer.status, answer.headers["Retry-After"]) == (status, retry)
        assert json.loads(body)["error"] == trouble.sentence
        assert len(served.log.lines) == logged
        assert served.get("/api/v1/statements")[0].status == status
        answer, body = served.get("/")
        assert (answer.status, answer.headers["Retry-After"]) == (status, retry)
        assert trouble.sentence in body.decode()
        assert not re.search("Traceback|Error:", body.decode())


def test_health_is_about_the_process_and_readiness_about_the_books() -> None:
    with portal(Desk(LOST)) as served:
        assert served.get("/-/healthy")[0].status == 200
        answer, body = served.get("/-/ready")
        assert (answer.status, body.decode()) == (503, f"{LOST.sentence}\n")
    with portal() as served:
        assert served.get("/-/ready")[0].status == 200
