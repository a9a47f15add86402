"""``python -m tracker.metrics`` prints the table of metrics for the README."""

from __future__ import annotations

import sys

from tracker.metrics.table import metrics_table

sys.stdout.write(metrics_table())
