"""What nobody measured and nobody stated, told in the same words wherever a node's numbers are shown."""

from __future__ import annotations

from tracker.config import Config
from tracker.config.pue import statements
from tracker.core.accounting import ASSUMED_PUE

SIMULATED = "Simulated by run --demo: this energy is invented."
ZONE_ASSUMED = "Nobody set this site's zone: the mean of the world is assumed. Set it with: [site.<name>] zone"
PUE_ASSUMED = "Nobody stated the PUE: the industry's average is assumed. Set it with: [site.<name>] pue"


def is_pue_assumed(config: Config, permille: int) -> bool:
    """Whether a PUE that a ledger weighed with is the one that stands in where nobody states any."""
    stated = {each.permille for each in statements(config.here) if not each.assumed}
    return permille == ASSUMED_PUE.permille and permille not in stated
