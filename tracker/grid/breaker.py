"""When a service is asked again after it failed. Pure: from one status to the next, times in UTC seconds.

Closed: asked at every poll. After ``OPEN_AFTER`` failures in a row, open: left alone for 5 minutes, doubling up to 6
hours. When that is over, half open: the first failure opens it for longer, a success closes it. A key that is wrong or
a plan that is too small does not mend itself within minutes, so those open it for 6 hours at once.
"""

from __future__ import annotations

from dataclasses import replace

from tracker.grid.interface import Denied, NotInPlan, ProviderError, Throttled
from tracker.grid.store_reader import ProviderStatus

OPEN_AFTER = 3
FIRST_REST_S = 300
LONGEST_REST_S = 6 * 3600
#: Nobody rests for longer; a later instant was written under a wrong clock.
_LATEST_S = 24 * 3600


def rests(status: ProviderStatus, now_s: int) -> bool:
    """Whether the service is to be left alone now."""
    return now_s < status.retry_at_s <= now_s + _LATEST_S


def after_failure(status: ProviderStatus, error: ProviderError, now_s: int) -> ProviderStatus:
    """Keeps the reason. ``error`` is none that says "nothing for this time": that is no failure."""
    failures = status.failures + 1
    match error:
        case Throttled(retry_after_s=wait_s) if wait_s:
            rest_s = min(wait_s, _LATEST_S)
        case Denied() | NotInPlan():
            rest_s = LONGEST_REST_S
        case Throttled():
            rest_s = _rest_s(max(failures, OPEN_AFTER))
        case _:
            rest_s = _rest_s(failures)
    retry_at_s = now_s + rest_s if rest_s else 0
    return ProviderStatus(status.provider, failures, retry_at_s, status.last_ok_s, str(error), type(error).__name__)


def after_success(
    status: ProviderStatus, now_s: int, restriction: ProviderError | None = None, *, keep: bool = False
) -> ProviderStatus:
    """Closed. ``restriction``: why part of what was asked for was refused all the same; ``keep``: the one of an earlier
    success still holds."""
    if restriction is not None:
        return ProviderStatus(status.provider, 0, 0, now_s, str(restriction), type(restriction).__name__)
    if keep and not status.failures:
        return replace(status, retry_at_s=0, last_ok_s=now_s)
    return ProviderStatus(status.provider, last_ok_s=now_s)


def _rest_s(failures: int) -> int:
    if failures < OPEN_AFTER:
        return 0
    return min(FIRST_REST_S << min(failures - OPEN_AFTER, 10), LONGEST_REST_S)
