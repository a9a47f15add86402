"""Closes October in the books at URL like the command does, and kills itself with SIGKILL right after so many files.

python -m tests.e2e.close_child URL KILL_AFTER
"""

from __future__ import annotations

import sys

from tests.books.closing_child import Deadly
from tests.finance.months import close, review
from tracker.books.store import open_store

if __name__ == "__main__":
    store = Deadly(open_store(sys.argv[1]), int(sys.argv[2]))
    review(store)
    close(store)
