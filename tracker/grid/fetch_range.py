"""A range that somebody names, from a service into the store: the newest part first, as far as the service gives it.

Where the service is asked too often, the reading waits and goes on: a long range is worth some minutes to whoever asked
for it, and a run that gave up would come no further the next time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tracker.core.rereads import begin_of_last_day
from tracker.grid.catalogue import Zone
from tracker.grid.fetching import Fetched, Outcome, chunks, read_chunk
from tracker.grid.interface import BadAnswer, LiveProvider, NoData, ProviderError, Throttled
from tracker.grid.store import FactorStore

#: Services that say no Retry-After count questions by the minute.
PAUSE_S = 60
#: So often in a row the same question is asked, and so long at most it is waited for.
_PATIENCE = 4
_LONGEST_PAUSE_S = 15 * 60

#: (seconds of the range that are done, seconds of the whole range)
Tell = Callable[[int, int], None]


def fetch(
    provider: LiveProvider,
    zone: Zone,
    start_s: int,
    end_s: int,
    store: FactorStore,
    now_s: int,
    *,
    tell: Tell = lambda _done_s, _whole_s: None,
    wait: Callable[[float], None] | None = None,
) -> Outcome:
    """Read the intervals that begin in [start_s, end_s) into the store, whatever the service's state is thought to be.

    What came is kept and counted, whatever happens after it. ``error``: the first one that kept a part from being read;
    of a bad answer the part is passed over, any other ends the reading. NoData: for none of the range. ``wait``: None
    ends it too where the service is asked too often.
    """
    total, done_s = Fetched(), 0
    failed: ProviderError | None = None
    nothing: NoData | None = None
    for from_s, to_s in _newest_first(start_s, end_s, now_s, provider.max_range_s):
        try:
            total += _patiently(partial(read_chunk, provider, zone, from_s, to_s, store, now_s), wait)
        except NoData as error:
            nothing = error
        except BadAnswer as error:
            failed = failed or error
        except ProviderError as error:
            failed = failed or error
            break
        done_s += to_s - from_s
        tell(done_s, end_s - start_s)
    if not total.rows:
        failed = failed or nothing
    return Outcome(provider.name, zone.code, total, error=failed)


def _newest_first(start_s: int, end_s: int, now_s: int, longest_s: int) -> list[tuple[int, int]]:
    """The range in pieces. None holds both the last day and what is older: services sell the two apart."""
    border_s = min(max(start_s, begin_of_last_day(now_s)), end_s)
    return [*chunks(start_s, border_s, longest_s), *chunks(border_s, end_s, longest_s)][::-1]


def _patiently(read: Callable[[], Fetched], wait: Callable[[float], None] | None) -> Fetched:
    """Raises ProviderError."""
    for attempt in range(1, _PATIENCE + 1):
        try:
            return read()
        except Throttled as error:
            if wait is None or attempt == _PATIENCE or error.retry_after_s > _LONGEST_PAUSE_S:
                raise
            wait(error.retry_after_s or PAUSE_S)
    raise AssertionError("the last attempt returns or raises")
