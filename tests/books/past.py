"""Series with a past, written by hand: what exporters of a node would have shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: 2025-09-22 00:00:00 UTC
DAY_S = 1_758_499_200
HOUR_S = 3_600


@dataclass
class Past:
    """Families in the order of their first sample; promtool wants each in one piece."""

    families: dict[str, list[str]] = field(default_factory=dict)

    def add(self, metric: str, labels: Mapping[str, str], at_s: float, value: object) -> None:
        inner = ",".join(f'{name}="{text}"' for name, text in labels.items())
        self.families.setdefault(metric, []).append(f"{metric}{{{inner}}} {value} {at_s:.3f}\n")

    def sample(
        self,
        metric: str,
        labels: Mapping[str, str],
        span_s: tuple[float, float],
        value: Callable[[float], object],
        *,
        every_s: int = 60,
    ) -> None:
        """Scraped from the first of ``span_s`` on, before the second."""
        at_s, end_s = span_s
        while at_s < end_s:
            self.add(metric, labels, at_s, value(at_s))
            at_s += every_s

    def text(self) -> str:
        return "".join(f"# TYPE {metric} unknown\n{''.join(lines)}" for metric, lines in sorted(self.families.items()))
