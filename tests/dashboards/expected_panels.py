"""Which panel says which quantity of the world: the table that test_queries.py goes through."""

from __future__ import annotations

from collections.abc import Mapping

from tests.dashboards.expected import Expected
from tests.dashboards.expected_fleet import FINANCE, FLEET, NODE, OVERVIEW, QUALITY
from tests.dashboards.expected_work import INFERENCE, TEAM, TRAINING

OF: Mapping[str, tuple[Expected, ...]] = {
    "wattledger-overview": (*OVERVIEW, *QUALITY),
    "wattledger-node": (*NODE, *QUALITY),
    "wattledger-fleet-health": (*FLEET, *QUALITY),
    "wattledger-team": (*TEAM, *QUALITY),
    "wattledger-training": TRAINING,
    "wattledger-inference": (*INFERENCE, *QUALITY),
    "wattledger-finance-month": FINANCE,
}
_PROMTOOL = "compared by promtool, dashboards/rules/tests"
#: Panels with such a unit that are not compared here, and why.
ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "wattledger-team": {
        "GPUs held and not used, by project": _PROMTOOL,
        "Most energy held and not used": _PROMTOOL,
    },
    "wattledger-training": {
        "Coverage": "all nodes, whatever is chosen: compared on the other dashboards",
        "Unattributed": "all nodes, whatever is chosen: compared on the other dashboards",
    },
    "wattledger-inference": {
        "Power of the servers by what they do": _PROMTOOL,
        "Energy with no request": _PROMTOOL,
        "Energy by team of the proxy": _PROMTOOL,
    },
    "wattledger-finance-month": {
        "Energy budget left": "1 minus Budget used",
        "Energy missing here": "what recorded steps do not hold: that it is the difference is compared by promtool",
        "Coverage of the time range": _PROMTOOL,
        "Unattributed, month": "a series that begins with a full value counts from it on, and this one does",
    },
}
