"""A drop-in for codecarbon: the same names, the same file, and the daemon of the node instead of one more meter.

    from tracker.codecarbon_compat import EmissionsTracker          # was: from codecarbon import EmissionsTracker

    with EmissionsTracker(project_name="nlp") as tracker:
        train()
    print(tracker.final_emissions)                                  # kg, or None where nothing is known

Several trackers on one node never count a joule twice; ``kill -9`` loses nothing that was booked; nothing is asked of
the network. ``CODECARBON_*`` and ``.codecarbon.config`` are read as codecarbon reads them. Standard library only; see
``EmissionsTracker`` for what is different.
"""

from __future__ import annotations

from enum import StrEnum

from tracker.codecarbon_compat.decorators import TaskEmissionsTracker, track_emissions, track_task_emissions
from tracker.codecarbon_compat.record import EmissionsData
from tracker.codecarbon_compat.tracker import EmissionsTracker, OfflineEmissionsTracker

__all__ = [
    "EmissionsData",
    "EmissionsTracker",
    "OfflineEmissionsTracker",
    "OutputMethod",
    "TaskEmissionsTracker",
    "track_emissions",
    "track_task_emissions",
]


class OutputMethod(StrEnum):
    """codecarbon's. CSV is written; for the others there are ``/metrics`` and the ledger."""

    CSV = "csv"
    API = "api"
    LOGGER = "logger"
    PROMETHEUS = "prometheus"
    LOGFIRE = "logfire"
    BOAMPS = "boamps"
