"""``python -m tracker.cli``: the command, where its script is not on the path."""

from __future__ import annotations

from tracker.cli.main import main

main()
