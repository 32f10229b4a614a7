"""What the tests of the members' pages begin with."""

from __future__ import annotations

import pytest

from tests.apps.ecopoints.people.folk import Folk
from tests.apps.ecopoints.town import Town


@pytest.fixture
def folk(town: Town) -> Folk:
    return Folk(town)
