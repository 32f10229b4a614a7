"""What all tests share: how hypothesis searches (a slow machine is not a failure), ports, and our own options."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from edge import ports

settings.register_profile("daicho", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("daicho")


def pytest_configure() -> None:
    """Each of several workers has ports of its own: a killed node's are not taken by another's network meanwhile."""
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = (ports.HIGHEST - ports.LOWEST) // count
    ports.LOWEST += share * int(worker.removeprefix("gw"))
    ports.HIGHEST = ports.LOWEST + share


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rewrite-traces`: write what the core does now into the traces, to be read in the diff."""
    parser.addoption("--rewrite-traces", action="store_true", help="write the effects of the consensus traces anew")
