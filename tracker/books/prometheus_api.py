"""Questions to a Prometheus-compatible server: Prometheus, Thanos, Mimir, VictoriaMetrics.

Raw samples come from an instant query with a range selector, ``metric[3600s]`` (Prometheus's "HTTP API", Expression
queries): values as they are stored, where ``query_range`` would interpolate between steps. The text of a value is
decoded exactly; it never becomes a float. An answer that is not whole (a store of Thanos or a shard of VictoriaMetrics
that did not answer) is refused: counted as whole, it would be energy that silently is not there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from tracker.books.http import Broken, Credentials, Http, TooMuch
from tracker.core.errors import UsageError, WattledgerError
from tracker.core.telescoping import Sample
from tracker.core.units import MS_PER_S

ATTEMPTS = 3
_PAUSE_S = 1.0
#: So much is asked for at a time, until the server says that it is too much.
CHUNK_S = 6 * 3600
_SMALLEST_S = 60
#: What servers say when a question costs more than they allow: Prometheus's --query.max-samples and --query.timeout,
#: VictoriaMetrics's -search.max* flags, Mimir's and Thanos's limits.
_TOO_MUCH = re.compile(
    r"too many|exceed|maximum|limit|timed? ?out|timeout|deadline|-search\.max|out of memory|too long|too large",
    re.IGNORECASE,
)
_MATCHERS = re.compile(r"\s*\{(.*)\}\s*", re.DOTALL)
_EXACT_DIGITS = 6
_START = "Start it, or mend the address. "
_TOO_OFTEN = 429  # RFC 6585


class HistoryUnavailable(WattledgerError):
    """The server gives no whole answer now. What is shipped already stays, and the next run goes on from there."""


class HistoryRefused(UsageError):
    """The address, the credentials or the question are wrong, or what is there cannot be told apart."""


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None


class _Result(msgspec.Struct):
    result: list[_Series] = []


class _Answer(msgspec.Struct, rename="camel"):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    warnings: list[str] = []
    is_partial: bool = False


@dataclass(slots=True)
class Series:
    """A series as it is stored: (at_ms, value) in the order of time, values as integers of a small unit."""

    labels: Mapping[str, str]
    samples: list[Sample] = field(default_factory=list)


class PrometheusApi:
    """``url``: up to but without ``/api/v1``. ``remedy``: what to do where it gives no whole answer. Every method
    raises HistoryUnavailable, HistoryRefused."""

    def __init__(
        self,
        url: str,
        credentials: Credentials = Credentials(),  # noqa: B008 - frozen
        *,
        remedy: str = "Run it again: it goes on from what is shipped.",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        address = urlsplit(url)
        if address.scheme not in {"http", "https"} or not address.hostname or "@" in address.netloc:
            raise HistoryRefused(
                f"{address.hostname or url!r} is no address of a Prometheus server that can be used here.",
                "Write it as https://HOST:PORT[/prefix]; a user and password go into files: --prometheus-auth.",
            )
        self._base = url.rstrip("/").removesuffix("/api/v1")
        self.name = address.hostname
        self._shown = f"{address.scheme}://{address.netloc}{address.path}".rstrip("/")
        self._remedy = remedy
        self._http = Http(credentials)
        self._sleep = sleep
        self._chunk_s = CHUNK_S

    def close(self) -> None:
        self._http.close()

    def greet(self, at_s: int) -> None:
        """Ask what every server knows, before anything is made for its answers."""
        self._query("vector(1)", at_s * MS_PER_S)

    def label_sets(self, selector: str, start_s: int, end_s: int) -> list[dict[str, str]]:
        """Of the series that had a sample in this time, or around it: stores answer by block or by day."""
        form = {"match[]": selector, "start": str(start_s), "end": str(end_s)}
        try:
            return msgspec.json.decode(self._ask("series", form), type=list[dict[str, str]])
        except TooMuch as error:
            raise self._unavailable(f"the list of series is too long ({error})") from None
        except msgspec.MsgspecError:
            raise self._foreign() from None

    def samples(self, selector: str, start_ms: int, end_ms: int, per_unit: int) -> list[Series]:
        """Raw samples in (start, end] of the series that have any. ``per_unit``: small units in one of the series."""
        found: dict[tuple[tuple[str, str], ...], Series] = {}
        at_ms = start_ms
        while at_ms < end_ms:
            until_ms = min(at_ms + self._chunk_s * MS_PER_S, end_ms)
            length_s = -(-(until_ms - at_ms) // MS_PER_S)
            try:
                data = self._query(f"{selector}[{length_s}s]", until_ms)
            except TooMuch as error:
                self._smaller(error)
                continue
            for series in data:
                mine = found.setdefault(tuple(sorted(series.metric.items())), Series(series.metric))
                mine.samples += _decoded(series.values, at_ms, per_unit)
            at_ms = until_ms
        return [found[key] for key in sorted(found) if found[key].samples]

    def last_before(self, selector: str, at_ms: int, back_s: int, per_unit: int) -> list[Series]:
        """The last value in the time before ``at_ms``, of each series, as if it were of then."""
        while True:
            try:
                data = self._query(f"last_over_time({selector}[{back_s}s])", at_ms)
            except TooMuch as error:
                back_s //= 2
                if back_s < _SMALLEST_S:
                    raise self._unavailable(f"the least question is too much for it ({error})") from None
                continue
            values = [(each, each.value) for each in data if each.value is not None]
            found = [
                Series(each.metric, [*_decoded([(at_ms / MS_PER_S, said[1])], 0, per_unit)]) for each, said in values
            ]
            return [each for each in found if each.samples]

    def _smaller(self, error: TooMuch) -> None:
        if self._chunk_s // 2 < _SMALLEST_S:
            raise self._unavailable(f"the least question is too much for it ({error})")
        self._chunk_s //= 2

    def _query(self, query: str, at_ms: int) -> list[_Series]:
        form = {"query": query, "time": f"{at_ms // MS_PER_S}.{at_ms % MS_PER_S:03}"}
        try:
            return msgspec.json.decode(self._ask("query", form), type=_Result).result
        except msgspec.MsgspecError:
            raise self._foreign() from None

    def _ask(self, what: str, form: Mapping[str, str]) -> msgspec.Raw:
        """Raises TooMuch too."""
        # Thanos and VictoriaMetrics would answer with what they have; Prometheus ignores what it does not know.
        whole = {"partial_response": "false", "deny_partial_response": "1", "nocache": "1"}
        body = urlencode({**form, **whole}).encode()
        url = f"{self._base}/api/v1/{quote(what)}"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status, content = self._http.post(url, body)
            except Broken as broken:
                if attempt == ATTEMPTS or broken.hopeless:
                    raise self._unavailable(str(broken), "" if broken.hopeless else _START) from None
            else:
                failed = status // 100 == 5 and not _TOO_MUCH.search(_error_of(content))  # noqa: PLR2004 - server's fault
                if attempt == ATTEMPTS or not (failed or status == _TOO_OFTEN):
                    return self._data(status, content)
            self._sleep(_PAUSE_S * attempt)
        raise AssertionError("the last attempt returns or raises")

    def _data(self, status: int, content: bytes) -> msgspec.Raw:
        said = _error_of(content)
        match status:
            case 200:
                pass
            case 401 | 403:
                raise HistoryRefused(
                    f"{self.name} lets nobody in with these credentials ({status}).",
                    "Name them with --prometheus-token or --prometheus-auth.",
                )
            case 404 | 405:
                raise HistoryRefused(
                    f"{self.name} has no Prometheus API at {self._base}/api/v1 ({status}).",
                    "Add its prefix: /prometheus for Mimir, /select/0/prometheus for a VictoriaMetrics cluster.",
                )
            case _ if status != _TOO_OFTEN and (_TOO_MUCH.search(said) or status in {413, 503, 504}):
                raise TooMuch(said or f"it answered {status}")
            case 400 | 422:
                raise HistoryRefused(f"{self.name} does not take the question: {said or status}.", "Mend --match.")
            case _:
                raise self._unavailable(f"it answered {status}{': ' if said else ''}{said}")
        try:
            answer = msgspec.json.decode(content, type=_Answer)
        except msgspec.MsgspecError:
            raise self._foreign() from None
        if answer.status != "success":
            raise self._unavailable(said or "it answered without success")
        if answer.is_partial or answer.warnings:
            why = answer.warnings[0].splitlines()[0][:200] if answer.warnings else "it says so"
            raise self._unavailable(f"its answer is not whole: {why}")
        return answer.data

    def _unavailable(self, why: str, first: str = "") -> HistoryUnavailable:
        sentence = f"{self._shown} gave no whole answer: {why.rstrip('.')}."
        return HistoryUnavailable(sentence, first + self._remedy)

    def _foreign(self) -> HistoryRefused:
        return HistoryRefused(
            f"What {self.name} answers is not the API of Prometheus.", "Check the address given to --from-prometheus."
        )


def matchers_of(text: str) -> str:
    """What is between the braces of ``--match``. Raises HistoryRefused."""
    found = _MATCHERS.fullmatch(text)
    if found is None:
        raise HistoryRefused(f"{text!r} is no matcher.", """Write it as in PromQL: --match '{cluster="x"}'.""")
    return found[1].strip().rstrip(",")


def selector(metric: str, *matchers: str) -> str:
    return f"{metric}{{{','.join(each for each in matchers if each)}}}"


def one_of(label: str, values: list[str]) -> str:
    """A matcher for exactly these values."""
    pattern = "|".join(re.sub(r"([^A-Za-z0-9_ -])", r"\\\1", value) for value in sorted(values))
    return f"{label}=~{msgspec.json.encode(pattern).decode()}"


def exact(text: str, per_unit: int) -> int | None:
    """A value in small units. None: not a number. Half-even where the text has more digits than the small unit."""
    whole, _, fraction = text.partition(".")
    digits = whole + fraction.ljust(_EXACT_DIGITS, "0")
    if (
        text
        and per_unit == 10**_EXACT_DIGITS
        and len(fraction) <= _EXACT_DIGITS
        and digits.isdecimal()
        and digits.isascii()
    ):
        return int(digits)
    try:
        return int((Decimal(text) * per_unit).to_integral_value(ROUND_HALF_EVEN))
    except (InvalidOperation, ValueError, OverflowError):
        return None


def _decoded(values: list[tuple[float, str]], after_ms: int, per_unit: int) -> list[Sample]:
    """Later than ``after_ms``: a range has its left edge in Prometheus 2 and not in Prometheus 3."""
    pairs = [(round(at_s * MS_PER_S), exact(text, per_unit)) for at_s, text in values]
    return [(at_ms, value) for at_ms, value in pairs if at_ms > after_ms and value is not None]


def _error_of(content: bytes) -> str:
    """What an answer says is wrong with it; what is no JSON says nothing that is repeated."""
    try:
        said: Any = msgspec.json.decode(content)
    except msgspec.MsgspecError:
        return ""
    text = said.get("error", "") if isinstance(said, dict) else ""
    return " ".join(str(text).split())[:200]
