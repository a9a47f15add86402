"""What books promise wherever they lie: a folder and a bucket keep the same promises."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from threading import Thread

import pytest

from tests.books.shipments import Node, spans, sums
from tests.fakes.s3 import S3, s3_server
from tracker.books.interface import BooksRefused, BookStore, BooksUnavailable
from tracker.books.store import open_store, require_create_only

Open = Callable[[], BookStore]
_numbers = count()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def account(s3: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """Credentials as S3's own tools take them."""
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture(params=["folder", "bucket", "prefix"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same empty books each time."""
    if request.param == "folder":
        return lambda: open_store(str(tmp_path / "books"), create=True)
    server: S3 = request.getfixturevalue("account")
    url = server.bucket(f"books-{os.getpid()}-{next(_numbers)}")
    return lambda: open_store(url if request.param == "bucket" else f"{url}/prod/eu", tmp_path / "cache")


def test_files_are_created_once_and_read_back(reopen: Open) -> None:
    store = reopen()
    assert store.create("entries/a b=1/x.parquet", b"one")
    assert not store.create("entries/a b=1/x.parquet", b"two"), "the name is taken"
    assert reopen().read("entries/a b=1/x.parquet") == b"one"
    assert store.read("entries/none.parquet") is None


def test_names_are_listed_in_order_with_their_sizes(reopen: Open) -> None:
    store = reopen()
    for name in ("entries/b/2", "entries/a/1", "coverage/c", "entries/b/1"):
        store.create(name, b"x" * 3)
    assert list(store.names()) == [("coverage/c", 3), ("entries/a/1", 3), ("entries/b/1", 3), ("entries/b/2", 3)]
    assert [name for name, _ in store.names("entries/b/")] == ["entries/b/1", "entries/b/2"]
    assert list(store.names("emissions/")) == []


def test_more_names_than_one_answer_holds(account: S3, tmp_path: Path) -> None:
    store = open_store(account.bucket("many-names"), tmp_path)
    names = [f"entries/{number:05}" for number in range(1_003)]
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda name: store.create(name, b""), names))
    assert [name for name, _ in store.names("entries/")] == names


def test_a_large_file_is_created_once_too(reopen: Open) -> None:
    """Larger than what object stores take in one part by default."""
    store, content = reopen(), bytes(range(256)) * 40_000
    assert store.create("statements/large", content)
    assert not store.create("statements/large", content[::-1])
    assert store.read("statements/large") == content


def test_removing_what_is_gone_is_no_error(reopen: Open) -> None:
    store = reopen()
    store.create("entries/x", b"")
    store.remove("entries/x")
    store.remove("entries/x")
    assert list(store.names()) == []


def test_what_is_replaced_is_there_at_every_moment(reopen: Open) -> None:
    """Whoever reads a draft while a newer one comes gets the one or the other."""
    store, reader = reopen(), reopen()
    store.replace("2026-10/draft.csv", b"new")

    def write() -> None:
        for number in range(30):
            store.replace("2026-10/draft.csv", b"%d" % number)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen = {reader.read("2026-10/draft.csv")}
        while not writing.done():
            seen.add(reader.read("2026-10/draft.csv"))
        writing.result()
    assert None not in seen
    assert reader.read("2026-10/draft.csv") == b"29"
    assert [name for name, _ in store.names()] == ["2026-10/draft.csv"]


def test_of_many_writers_one_wins(reopen: Open) -> None:
    """Each with a connection of its own, all at once."""
    for number in range(5):
        name = f"statements/2026-10/v{number}/manifest.json"
        writers = [reopen() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda each, name=name: each[1].create(name, b"%d" % each[0]), enumerate(writers)))
        assert sum(won) == 1
        assert writers[0].read(name) == b"%d" % won.index(True)


def test_an_engine_reads_files_by_path(reopen: Open) -> None:
    store = reopen()
    store.create("entries/a/x", b"one")
    store.create("entries/b/x", b"two")
    paths = store.local(["entries/b/x", "entries/a/x"])
    assert [path.read_bytes() for path in paths] == [b"two", b"one"]
    assert store.local(["entries/b/x"]) == paths[:1], "a copy is good for ever"
    assert store.local([]) == []


def test_a_node_ships_into_it(reopen: Open) -> None:
    node = Node(reopen())
    node.run(5)
    node.ship()
    node.run(22)
    assert node.ship().ok
    assert node.ship().created == []
    assert spans(reopen())["entries"] == ["03 day", "04 h00_03"]
    assert sums(reopen())["energy_uj"] == node.total_uj


def test_a_file_that_vanishes_is_not_read_as_nothing(account: S3, tmp_path: Path) -> None:
    store = open_store(account.bucket("vanishing"), tmp_path)
    with pytest.raises(BooksUnavailable, match="entries/x vanished from s3://vanishing while it was read"):
        store.local(["entries/x"])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


QUESTIONS: dict[str, Callable[[BookStore], object]] = {
    "listed": lambda store: list(store.names("entries/")),
    "read": lambda store: store.read("entries/x"),
    "written": lambda store: store.create("entries/x", b""),
}


@pytest.mark.parametrize("what", QUESTIONS)
def test_a_bucket_that_is_not_there_is_no_empty_one(account: S3, what: str) -> None:
    with pytest.raises(BooksUnavailable, match=f"cannot be {what} at s3://nowhere/prod: there is no such bucket"):
        QUESTIONS[what](open_store("s3://nowhere/prod"))


@pytest.mark.parametrize("what", QUESTIONS)
def test_credentials_that_are_wrong(account: S3, what: str) -> None:
    store = open_store(account.bucket("closed"))
    with (
        account.strict(),
        pytest.raises(BooksUnavailable, match=f"cannot be {what} at s3://closed: the credentials are"),
    ):
        QUESTIONS[what](store)


def test_no_credentials_at_all(account: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    store_url = account.bucket("no-credentials")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(
        BooksUnavailable, match=r"no credentials are set, and this machine has none of its own\. Set AWS_"
    ):
        list(open_store(store_url).names())


@contextmanager
def always(status: int, body: str) -> Iterator[str]:
    """A service that has one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"1"')
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, "<Error><Code>AccessDenied</Code></Error>", "access is denied. Allow listing, reading and creating"),
        (403, "", "access is denied"),
        (403, "<Error><Code>QuotaExceeded</Code></Error>", "the store is full. Free space there"),
        (507, "", "the store is full"),
        (400, "<Error><Code>ExpiredToken</Code></Error>", "the credentials are not accepted"),
        (418, "teapot", "418 I'm a teapot"),
    ],
)
def test_what_a_service_answers_in_a_sentence(
    status: int, body: str, said: str, account: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    with always(status, body) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(BooksUnavailable, match=f"entries/x cannot be written at s3://books: .*{re.escape(said)}"):
            open_store("s3://books").create("entries/x", b"content")


def test_a_store_that_refuses_taken_names_may_be_sealed_in(reopen: Open) -> None:
    require_create_only(reopen())
    assert list(reopen().names()) == [], "nothing is left of the trial"


def test_a_store_that_writes_over_files_is_no_place_to_seal_in(account: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that passes over If-None-Match."""
    with always(200, "") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(BooksRefused, match="writes over files that are there: nothing can be sealed in it"):
            require_create_only(open_store("s3://books"))


@pytest.mark.parametrize("what", QUESTIONS)
def test_a_service_that_does_not_answer(what: str, account: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(BooksUnavailable, match=r"s3://books: the service cannot be reached\. Check the network"):
        QUESTIONS[what](open_store("s3://books"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "'' is no address of books"),
        (" ", "' ' is no address of books"),
        ("ftp://host/books", "'ftp://host/books' is no address of books"),
        ("s3://", "cannot be opened"),
    ],
)
def test_an_address_that_is_none(url: str, said: str) -> None:
    with pytest.raises(BooksRefused, match=said):
        open_store(url)


def test_addresses_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "die Bücher %41"
    open_store(str(folder), create=True).create("x", b"1")
    assert open_store(folder.as_uri()).read("x") == b"1"
    monkeypatch.chdir(tmp_path)
    assert open_store(folder.name).url == str(folder)
