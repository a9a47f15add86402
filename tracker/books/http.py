"""One POST over urllib3, bounded in time and size. Nothing secret is in what it says."""

from __future__ import annotations

import base64
import time
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tracker.core.errors import UsageError

CONNECT_S = 10
DEADLINE_S = 120
MAX_BYTES = 128 << 20
_PIECE = 1 << 18
_GZIP = 16 + zlib.MAX_WBITS  # zlib's number for "with a gzip header"


class Broken(Exception):
    """No answer. ``hopeless``: the same again would end the same."""

    def __init__(self, reason: str, *, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.hopeless = hopeless


class TooMuch(Exception):
    """The question asks for more than the server or this side can take at once."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files, so that no secret is on a command line. ``auth_file`` has one line ``user:password``; ``tenant`` is whose
    series are asked for, of a server of many (Mimir, Thanos)."""

    token_file: Path | None = None
    auth_file: Path | None = None
    ca_file: Path | None = None
    tenant: str = ""

    def headers(self) -> dict[str, str]:
        """Raises UsageError."""
        if not self.tenant.isprintable() or not self.tenant.isascii():
            raise UsageError("The tenant holds characters that cannot be sent.", "Mend --prometheus-tenant.")
        tenant = {"X-Scope-OrgID": self.tenant, "THANOS-TENANT": self.tenant} if self.tenant else {}
        return tenant | self._authorization()

    def _authorization(self) -> dict[str, str]:
        if self.token_file is not None:
            return {"Authorization": f"Bearer {_secret(self.token_file)}"}
        if self.auth_file is not None:
            pair = _secret(self.auth_file)
            if ":" not in pair:
                raise UsageError(f"{self.auth_file} does not hold user:password.", "Write both in one line.")
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {}


def _secret(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read.", "Name a text file that this user may read.") from error
    if not text or not text.isprintable():
        raise UsageError(f"{path} does not hold one line of text.", "Write the secret into it, and nothing else.")
    return text


class Http:
    """Connections that are kept. No redirect is followed: credentials are for one place."""

    def __init__(self, credentials: Credentials, deadline_s: float = DEADLINE_S, max_bytes: int = MAX_BYTES) -> None:
        if credentials.ca_file is not None and not credentials.ca_file.is_file():
            raise UsageError(f"There is no {credentials.ca_file}.", "Name a PEM file that this user may read.")
        self._credentials = credentials
        self._headers = {
            "Accept-Encoding": "gzip",
            "Content-Type": "application/x-www-form-urlencoded",
            **credentials.headers(),
        }
        self._deadline_s, self._max_bytes = deadline_s, max_bytes

    def close(self) -> None:
        self._pool.clear()

    @cached_property
    def _pool(self) -> Any:
        import urllib3  # noqa: PLC0415 - only commands that ask a server need it

        ca_file = self._credentials.ca_file
        return urllib3.PoolManager(ca_certs=str(ca_file) if ca_file else None)

    def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Status and content. Raises Broken, TooMuch (also if the answer is too long or takes too long)."""
        import urllib3  # noqa: PLC0415 - as above

        until = time.monotonic() + self._deadline_s
        timeout = urllib3.Timeout(connect=CONNECT_S, read=self._deadline_s)
        try:
            response = self._pool.request(
                "POST",
                url,
                body=body,
                headers=self._headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                return response.status, self._content(response, until)
            finally:
                response.close()
        except urllib3.exceptions.ReadTimeoutError:
            raise TooMuch(f"no answer within {self._deadline_s:.0f} s") from None
        except (urllib3.exceptions.SSLError, urllib3.exceptions.LocationValueError):
            raise Broken("its certificate is not trusted here (--prometheus-ca names others)", hopeless=True) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Broken(_words(error)) from None
        except zlib.error:
            raise Broken("its answer cannot be unpacked") from None

    def _content(self, response: Any, until: float) -> bytes:
        """Piece by piece, unpacked here: the limits hold for what comes out."""
        unpack = zlib.decompressobj(_GZIP) if "gzip" in response.headers.get("Content-Encoding", "") else None
        content = bytearray()
        for piece in response.stream(_PIECE, decode_content=False):
            content += piece if unpack is None else unpack.decompress(piece, self._max_bytes + 1 - len(content))
            if len(content) > self._max_bytes:
                raise TooMuch(f"more than {self._max_bytes >> 20} MiB")
            if time.monotonic() > until:
                raise TooMuch(f"no whole answer within {self._deadline_s:.0f} s")
        if unpack is not None and content and not unpack.eof:
            raise Broken("the answer ended in its middle")
        return bytes(content)


def _words(error: Exception) -> str:
    """In our words: those of the library hold addresses with their secrets."""
    import urllib3  # noqa: PLC0415 - as above

    match error:
        case urllib3.exceptions.NameResolutionError():
            return "its name was not resolved"
        case urllib3.exceptions.NewConnectionError():
            return "the connection was refused or there is no way to it"
        case urllib3.exceptions.TimeoutError():
            return "there was no connection in time"
        case _:
            return "the connection broke off"
