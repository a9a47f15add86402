"""``wattledger serve``: the finance portal over the books."""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import click

from tracker import clock
from tracker.cli.options import config_of, config_options
from tracker.cli.ship_node import books_of
from tracker.cli.waiting import ends
from tracker.config import Config
from tracker.core.units import NS_PER_S
from tracker.finance.portal import BooksOffice
from tracker.finance.portal_child import Job
from tracker.finance.portal_composer import Composer
from tracker.finance.portal_drafts import Drafts
from tracker.finance.portal_months import key_of
from tracker.log import Log, Severity
from tracker.registry import EXPORTS
from tracker.reporter import Reporter
from tracker.secrecy import without_userinfo
from tracker.web.address import parse_address
from tracker.web.interface import OnError
from tracker.web.portal.routes import Portal
from tracker.web.portal.server import PortalServer
from tracker.web.portal.tokens import TokenFile
from tracker.web.server import Options


@click.command()
@config_options
@click.option("--books", metavar="URL", help="A folder, s3://…, gs://… or az://… [books.url].")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:9838", show_default=True, help="Address of the page.")
@click.option("--web-config", metavar="FILE", help="TLS and passwords, exporter-toolkit format [web.web_config_file].")
@click.option("--token-file", metavar="FILE", type=click.Path(path_type=Path), help="Bearer tokens, one a line.")
@click.option("--log.level", "log__level", metavar="LEVEL", help="debug, info, warning or error.")
@click.option("--log.format", "log__format", metavar="FORMAT", help="auto, logfmt, json or human.")
def serve(
    config_path: Path | None,
    books: str | None,
    listen: str,
    web_config: str | None,
    token_file: Path | None,
    **flags: object,
) -> None:
    """Serve the months and their statements over HTTP until SIGTERM or Ctrl-C. Nothing is ever written to the books.

    The page is at /, files are at /api/v1/statements/2026-10?format=csv: the latest closed version, else the draft.
    Who may read is said by --web-config (users, client certificates) and --token-file ("Authorization: Bearer …", or
    the password of the user "token" in a browser); one of them is enough. Without both everybody may.
    """
    config = config_of(config_path, flags, fleet=True)
    log = Log(sys.stderr, level=Severity[config.log.level.upper()], style=config.log.format, environ=os.environ)
    told = Reporter(log)

    def failed(place: str, error: Exception) -> None:
        told.failed(f"web/{place}", clock.now(), "web_failed", str(error), place)

    stop = threading.Event()
    for number in ends():
        signal.signal(number, lambda *_: stop.set())
    given = {name.replace("__", "."): str(value) for name, value in flags.items() if value is not None}
    with tempfile.TemporaryDirectory(prefix="wattledger-portal-", ignore_cleanup_errors=True) as folder:
        composer = Composer()
        office = _office(config, books, Path(folder), composer, config_path, given)
        options = Options(listen=listen, web_config_file=web_config or config.web.web_config_file)
        server = _server(options, office, failed, token_file)
        try:
            server.start()
            if server.is_open and not _is_loopback(listen):
                message = "Everybody who reaches this address may read the statements; see --token-file, --web-config."
                log.event(Severity.WARNING, "open_to_all", message, listen=listen)
            click.echo(f"wattledger serves the books at {server.url}")
            log.event(Severity.INFO, "started", "The portal runs.", url=server.url, books=office.place)
            stop.wait()
        finally:
            server.close()
            composer.close()
    log.event(Severity.INFO, "stopped", "The portal is closed.")


def _office(
    config: Config, books: str | None, folder: Path, composer: Composer, config_path: Path | None, flags: dict[str, str]
) -> BooksOffice:
    store = books_of(config, books)
    path = None if config_path is None else str(config_path.absolute())

    def now_s() -> int:
        return clock.now().wall_ns // NS_PER_S

    def compose(month: str, into: Path) -> None:
        composer(Job(config=path, flags=flags, books=store.url, month=month, as_of_s=now_s(), folder=str(into)))

    drafts = Drafts(folder, compose, lambda month: key_of(store, month), time.monotonic)
    return BooksOffice(
        store,
        drafts,
        EXPORTS,
        entity=config.books.entity,
        timezone=config.books.timezone,
        place=without_userinfo(store.url),
        now_s=now_s,
        mono_s=time.monotonic,
    )


def _server(options: Options, office: BooksOffice, failed: OnError, token_file: Path | None) -> PortalServer:
    tokens = None if token_file is None else TokenFile(token_file, failed)
    return PortalServer(options, Portal(office, failed), failed, tokens)


def _is_loopback(listen: str) -> bool:
    host = parse_address(listen).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, or every interface
        return host == "localhost"
