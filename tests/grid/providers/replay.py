"""An ``Ask`` without a network: bodies by path, and the questions that were asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from tracker.grid.interface import Answer, Question

FETCHED_S = 1_791_000_000  # 2026-10-03T04:00:00Z


@dataclass
class Replay:
    """``pages``: several answers of one path, one after the other; the last one stays."""

    bodies: Mapping[str, bytes] = field(default_factory=dict)
    pages: Mapping[str, list[bytes]] = field(default_factory=dict)
    status: int = 200
    asked: list[Question] = field(default_factory=list)

    def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        path = urlsplit(question.url).path
        pages = self.pages.get(path, [])
        number = sum(urlsplit(one.url).path == path for one in self.asked) - 1
        body = pages[min(number, len(pages) - 1)] if pages else self.bodies[path]
        endpoint = f"{question.url}?{urlencode(question.query)}" if question.query else question.url
        return Answer(self.status, body, hashlib.sha256(body).hexdigest(), FETCHED_S, endpoint)

    @property
    def paths(self) -> list[str]:
        return [urlsplit(question.url).path for question in self.asked]


def body(content: object) -> bytes:
    return json.dumps(content).encode()
