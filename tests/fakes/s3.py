"""An S3 server on a loopback port: moto's, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

_WHERE = re.compile(r"http://127\.0\.0\.1:(\d+)")
_ACCOUNT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class S3:
    """A running server."""

    endpoint: str

    @property
    def environ(self) -> dict[str, str]:
        """What a client needs to find it and to be let in."""
        return {"AWS_ENDPOINT_URL": self.endpoint, **_ACCOUNT}

    def bucket(self, name: str) -> str:
        """Make a bucket. Its address."""
        self._send("PUT", f"/{escape(name)}")
        return f"s3://{name}"

    def forget(self) -> None:
        """Drop every bucket and object."""
        self._send("POST", "/moto-api/reset")

    @contextmanager
    def strict(self) -> Iterator[None]:
        """Meanwhile no credentials are known to it."""
        self._send("POST", "/moto-api/reset-auth", b"0")
        try:
            yield
        finally:
            self._send("POST", "/moto-api/reset-auth", b"inf")

    def _send(self, method: str, path: str, body: bytes = b"") -> None:
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(self.endpoint + path, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server on a free port, which ends with the block. It takes any credentials."""
    command = [sys.executable, str(Path(__file__).with_name("s3_server.py"))]
    env = {**os.environ, "MOTO_PORT": "0", "PYTHONUNBUFFERED": "1", "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(64 << 20)}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = next(filter(None, map(_WHERE.search, process.stderr)), None)
            assert found is not None, "the server did not say where it listens"
            with _drained(process):
                yield S3(f"http://127.0.0.1:{found[1]}")
        finally:
            process.kill()


@contextmanager
def _drained(process: subprocess.Popen[str]) -> Iterator[None]:
    """Its log must not fill the pipe and stop it."""
    from threading import Thread

    assert process.stderr is not None
    thread = Thread(target=lambda log=process.stderr: [None for _ in log], daemon=True)
    thread.start()
    try:
        yield
    finally:
        process.kill()
        thread.join(10)
