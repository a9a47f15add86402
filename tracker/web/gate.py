"""The rules of a web.config.yml, taken up again when the file or a certificate changes.

Imported only when such a file is given (it needs yaml, and bcrypt where users are named).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tracker.core.errors import WattledgerError
from tracker.web.interface import OnError
from tracker.web.security import RateLimit, Security
from tracker.web.tls import files_of, make_context
from tracker.web.webconfig import WebConfig, read_web_config

_CHECK_EVERY_S = 1.0
#: (modified, size, inode) of a file; None: it cannot be seen. The inode catches secrets that are swapped by symlink.
_Stamp = tuple[int, int, int] | None


class ConfiguredGate:
    """Answers with the current rules. A file that became bad keeps the rules it had, and is reported once."""

    def __init__(self, path: str, log: OnError, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises UsageError when the file or what it names is bad at the start."""
        self._path = Path(path).absolute()
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._checked_s = clock()
        self._files: tuple[Path, ...] = (self._path,)
        self._stamps: tuple[_Stamp, ...] = ()
        self._security = self._load()

    def __call__(self) -> Security:
        now_s = self._clock()
        if now_s - self._checked_s >= _CHECK_EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._checked_s = now_s
                self._reload_if_changed()
            finally:
                self._lock.release()
        return self._security

    def _reload_if_changed(self) -> None:
        if self._look() == self._stamps:
            return
        try:
            self._security = self._load()
        except WattledgerError as error:
            self._log("web_config_file", error)

    def _load(self) -> Security:
        """Read it all. Every stamp is taken before its file is read, so that a change meanwhile is seen next time."""
        self._stamps = self._look()
        config = read_web_config(self._path)
        tls = config.tls_server_config
        named = () if tls is None else files_of(tls, self._path.parent)
        self._files = (self._path, *named)
        self._stamps = (self._stamps[0], *self._look()[1:])
        return _security(config, self._path.parent)

    def _look(self) -> tuple[_Stamp, ...]:
        return tuple(_stamp(path) for path in self._files)


def _security(config: WebConfig, folder: Path) -> Security:
    tls = config.tls_server_config
    authorise = None
    if config.basic_auth_users:
        from tracker.web.auth import BasicAuth  # noqa: PLC0415 - bcrypt, only where users are named

        authorise = BasicAuth(config.basic_auth_users)
    return Security(
        context=None if tls is None else make_context(tls, folder),
        allowed_sans=frozenset() if tls is None else frozenset(tls.client_allowed_sans),
        authorise=authorise,
        limit=RateLimit(config.interval_s, config.rate_limit.burst) if config.interval_s > 0 else None,
        headers={name: value for name, value in config.http_server_config.headers.items() if value},
    )


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
