"""The node's server with one more way in: a bearer token, beside or instead of the users of a web.config.yml."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http import HTTPStatus

from tracker.web.http1 import Refused
from tracker.web.interface import OnError, Request, Route
from tracker.web.portal.tokens import TokenFile
from tracker.web.security import Gate, Security
from tracker.web.server import Options, WebServer


class TokenSecurity(Security):
    """The rules of ``Security``, in whose sentence a token is named."""

    def check(self, request: Request, now_s: float) -> None:
        try:
            super().check(request, now_s)
        except Refused as refused:
            if refused.response.status != HTTPStatus.UNAUTHORIZED:
                raise
            # The challenge stays Basic: a browser asks for a user and a password, and a token is a password too.
            sentence = "A token is needed (Authorization: Bearer …), or a user name and password."
            raise Refused(HTTPStatus.UNAUTHORIZED, sentence, refused.response.headers) from None


def with_tokens(gate: Gate, tokens: TokenFile) -> Gate:
    """The rules of ``gate``, where who brings a token is let in too."""

    def rules() -> Security:
        inner = gate()
        users = inner.authorise

        def authorise(header: str) -> bool:
            return tokens(header) or (users is not None and users(header))

        return TokenSecurity(inner.context, inner.allowed_sans, authorise, inner.limit, inner.headers)

    return rules


class PortalServer(WebServer):
    """``tokens`` None: as the web.config.yml says, and without one everybody may read."""

    def __init__(
        self, options: Options, routes: Mapping[str, Route], log: OnError, tokens: TokenFile | None = None
    ) -> None:
        super().__init__(options, routes, log)
        if tokens is not None:
            self._gate = with_tokens(self._gate, tokens)

    @property
    def is_open(self) -> bool:
        """Whether everybody who reaches the address may read."""
        rules = self._gate()
        asks = rules.context is not None and rules.context.verify_mode is ssl.CERT_REQUIRED
        return rules.authorise is None and not asks
