"""What the tests of the books begin with."""

from __future__ import annotations

import pytest

from tests.apps.ecopoints.books.year import Books
from tests.apps.ecopoints.town import Town


@pytest.fixture
def books(town: Town) -> Books:
    return Books(town.chain)
