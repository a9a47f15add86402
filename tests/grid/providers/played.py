"""An ``Ask`` without a network that answers each path with a status and a body of its own, one after the other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from tracker.grid.interface import Answer, Question

FETCHED_S = 1_791_043_800  # 2026-10-03T16:10:00Z


@dataclass
class Played:
    """``answers``: path -> what it answers in turn; the last one stays."""

    answers: dict[str, list[tuple[int, bytes]]]
    asked: list[Question] = field(default_factory=list)

    def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        path = urlsplit(question.url).path
        turn = sum(one == path for one in self.paths) - 1
        answers = self.answers[path]
        status, body = answers[min(turn, len(answers) - 1)]
        endpoint = f"{question.url}?{urlencode(question.query)}"
        return Answer(status, body, hashlib.sha256(body).hexdigest(), FETCHED_S, endpoint)

    @property
    def paths(self) -> list[str]:
        return [urlsplit(question.url).path for question in self.asked]
