"""A certificate authority for the fake API server: made once, it takes a tenth of a second."""

from __future__ import annotations

import pytest
import trustme


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()
