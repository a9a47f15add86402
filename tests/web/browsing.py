"""A served node whose snapshot can be changed, and a window that looks at it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Page
from playwright.sync_api import Request as Fetched

from tests.web.rows import today
from tests.web.serving import Log, Running, serving
from tracker.core.snapshot import Snapshot
from tracker.web.routes import build_routes
from tracker.web.server import Options

PHONE = {"width": 360, "height": 720}
DESK = {"width": 1280, "height": 900}


@dataclass
class Node:
    """A served node whose snapshot a test changes."""

    snapshot: Snapshot
    mono_s: float = 0.0

    @contextlib.contextmanager
    def served(self, listen: str = "127.0.0.1:0") -> Iterator[Running]:
        routes = build_routes(
            snapshot=lambda: self.snapshot,
            metrics=lambda _: (b"", "text/plain"),
            today=lambda: today(self.snapshot),
            tick_age_s=lambda: 1.0,
            wall_s=lambda: self.snapshot.tick_wall_s + 1,
            mono_s=self._mono_s,
            log=Log(),
        )
        with serving(routes, options=Options(listen=listen)) as running:
            yield running

    def _mono_s(self) -> float:
        self.mono_s += 60  # so that every page asks for today anew
        return self.mono_s


@dataclass
class Seen:
    """What a page did besides being drawn."""

    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


@contextlib.contextmanager
def opened(
    browser: Browser, url: str, size: dict[str, int] | None = None, *, dark: bool = False, script: bool = True
) -> Iterator[tuple[Page, Seen]]:
    """The page in a fresh window with a clock that stands still until a test turns it."""
    context = browser.new_context(
        viewport={"width": (size or DESK)["width"], "height": (size or DESK)["height"]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    context.set_default_timeout(10_000)
    page, seen = context.new_page(), Seen()

    def complain(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            seen.complaints.append(message.text)

    def fetched(request: Fetched) -> None:
        seen.addresses.append(request.url)

    page.on("console", complain)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", fetched)
    if script:
        page.clock.install()
    page.goto(url)
    try:
        yield page, seen
    finally:
        context.close()
