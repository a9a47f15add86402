"""Draws dashboards with Grafana's own front end in headless Chromium (``harness/main.tsx``), fed by a real Prometheus.

The packages come from npm once, into a folder beside the virtual environment, and are bundled once per run.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import threading
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.conftest import REPO
from tests.dashboards.fill import SCRAPE_S

HERE = Path(__file__).resolve().parent / "harness"
WIDTH, HEIGHT = 1600, 900
_BUNDLE = (
    "--bundle", "--format=iife", "--platform=browser", '--define:process.env.NODE_ENV="production"',
    "--define:global=window", "--loader:.svg=dataurl", "--loader:.ttf=dataurl", "--loader:.woff=dataurl",
    "--loader:.woff2=dataurl", "--jsx=automatic", "--alias:react-router-dom-v5-compat=react-router-dom",
    "--alias:@grafana/ui=./node_modules/@grafana/ui/dist/cjs/index.cjs",  # or tables die with React error 130
    "--alias:@grafana/assistant=./source/assistant-stub.js", "--log-level=error",
)  # fmt: skip
_SETTLED = """() => window.__failed || (window.__ready && window.__panels().length > 0 &&
    window.__panels().every((p) => p.state === 'Done' || p.state === 'Error'))"""


@dataclass(frozen=True)
class Drawn:
    """What came of a dashboard. ``panels``: title, type, state, frames, rows, errors, pluginError. ``text``: all that
    can be read on it."""

    failed: str
    panels: tuple[Mapping[str, Any], ...]
    problems: tuple[str, ...]
    picture: bytes
    text: str


def node_modules() -> Path:
    """Grafana's packages, installed if they are not. Skips, or fails where nothing may be skipped, without npm."""
    if shutil.which("npm") is None:
        text = "needs npm: apt-get install nodejs npm"
        if os.environ.get("WATTLEDGER_NO_SKIP") == "1":
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
    wanted = (HERE / "package.json").read_bytes()
    home = REPO / ".venv" / f"dashboard-harness-{hashlib.sha256(wanted).hexdigest()[:12]}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            (home / "package.json").write_bytes(wanted)
            command = ["npm", "install", "--no-audit", "--no-fund", "--legacy-peer-deps", "--no-package-lock"]
            done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=280, check=False)
            assert done.returncode == 0, done.stderr[-2000:]
            (home / "complete").touch()
    return home


def bundle(dist: Path) -> None:
    """The page that draws, in ``dist``."""
    home = node_modules()
    source = home / "source"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copytree(HERE, source, dirs_exist_ok=True)
        dist.mkdir(parents=True)
        command = [
            str(home / "node_modules/.bin/esbuild"),
            "source/main.tsx",
            f"--outfile={dist / 'main.js'}",
            *_BUNDLE,
        ]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    shutil.copy(HERE / "index.html", dist)
    shutil.copytree(home / "node_modules/@grafana/ui/dist/public/img", dist / "public/build/img")  # icons


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """The browser closes connections that it no longer wants."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def chromium() -> Iterator[Browser]:
    quiet = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(quiet))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Draw:
    """Draws dashboards as they are at ``now_s``, from the Prometheus at ``prometheus``."""

    browser: Browser
    dist: Path
    prometheus: str
    now_s: int

    def __call__(self, dashboard: Mapping[str, Any], chosen: Mapping[str, str]) -> Drawn:
        """``chosen``: values of variables; All for the others."""
        name = f"{dashboard['uid']}-{uuid.uuid4().hex}.json"
        (self.dist / name).write_text(json.dumps(dashboard), encoding="utf-8")
        choices = {f"var-{variable}": value for variable, value in chosen.items()}
        query = {"prom": self.prometheus, "dash": name, "interval": SCRAPE_S, **choices}
        with served(self.dist) as url:
            page = self.browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="UTC", locale="en-GB")
            try:
                page.clock.set_fixed_time(datetime.fromtimestamp(self.now_s, UTC))
                return _drawn(page, f"{url}/index.html?{urllib.parse.urlencode(query)}")
            finally:
                page.close()


def _drawn(page: Page, url: str) -> Drawn:
    problems: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Minified React error" in message.text:
            problems.append(message.text[:200])

    page.on("pageerror", lambda error: problems.append(f"{error}"[:300]))
    page.on("console", listen)
    page.goto(url)
    page.wait_for_function(_SETTLED, timeout=40_000)
    _grow(page)
    page.wait_for_function(_SETTLED, timeout=40_000)
    page.wait_for_timeout(800)  # charts draw after their data has come: for the picture, nothing is asserted on it
    if page.get_by_text("An unexpected error happened").count():
        problems.append("a panel crashed while drawing")
    return Drawn(
        page.evaluate("window.__failed || ''"),
        tuple(page.evaluate("window.__panels()")),
        tuple(problems),
        page.screenshot(full_page=True),
        " ".join(page.inner_text("body").split()),
    )


def _grow(page: Page) -> None:
    """Make the window as high as the dashboard: panels outside of it are not drawn."""
    height = page.evaluate("Math.max(document.documentElement.scrollHeight, document.body.scrollHeight)")
    page.set_viewport_size({"width": WIDTH, "height": min(height + 40, 8000)})
