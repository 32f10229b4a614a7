"""A few of the faults on real processes, as the ordinary tests run them; all of them: `make faults`."""

from __future__ import annotations

import pytest

from tests.faults.__main__ import chosen, plain
from tests.faults.catalogue import FAULTS, SHORT
from tests.faults.world import run


def test_each_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.process
@pytest.mark.function("X3")
@pytest.mark.timeout(300)
async def test_no_acknowledged_write_is_lost_or_doubled_and_the_network_is_whole_again_after_each_fault() -> None:
    suffered, verdict = await run(chosen(SHORT), seed=1)
    assert not verdict.problems, plain(suffered, verdict)
    assert len(suffered) == len(SHORT)
    parted = next(one for one in suffered if one.fault == "parted in halves")
    # Without this the proxies might have parted nobody: while neither half has a quorum, nothing is acknowledged.
    assert parted.longest_gap_ms >= 4_000
