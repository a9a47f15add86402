"""moto's server, which answers one request at a time. Its conditional writes look whether an object is there and write
it then; of two at once both could win, which no S3 does."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple


class OneAtATime:
    """Any number of connections; each request is worked on alone."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return list(self._app(environ, start_response))


if __name__ == "__main__":
    run_simple("127.0.0.1", 0, OneAtATime(), threaded=True, request_handler=MotoRequestHandler)
