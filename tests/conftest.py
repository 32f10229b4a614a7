"""What all tests share: how hypothesis searches (a slow machine is not a failure), and our own options."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("daicho", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("daicho")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rewrite-traces`: write what the core does now into the traces, to be read in the diff."""
    parser.addoption("--rewrite-traces", action="store_true", help="write the effects of the consensus traces anew")
