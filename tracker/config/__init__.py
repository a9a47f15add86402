"""The configuration: TOML, overlaid by the environment, overlaid by flags. Typed, strict, and each value knows where it
is from.

    layers.py   where settings come from: file, environment, flags      -> one tree and the origin of every key
    decode.py   the tree -> the structs of schema.py and of the sources; unknown keys and wrong types are errors
    checks.py   what types cannot say: sites, time zones, bounds
    load.py     the three in order

An error is one sentence with the place of the mistake and the nearest right name (exit code 2).
"""

from __future__ import annotations

from tracker.config.load import FLAGS, SYSTEM_PATH, load
from tracker.config.schema import Config, Duration, Site

__all__ = ["FLAGS", "SYSTEM_PATH", "Config", "Duration", "Site", "load"]
