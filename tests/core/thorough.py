"""How hard the properties of the core are tried. No deadline: a slow machine is no bug."""

from __future__ import annotations

from hypothesis import settings

thorough = settings(deadline=None, max_examples=200)
