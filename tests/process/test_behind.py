"""A node that is far behind catches up while writes go on, and votes again by itself.

DAICHO_BEHIND=20000 makes it as far behind as a long week-end would; by default it is a tenth of that or less.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from tests.process.test_stopped import Network, network

pytestmark = pytest.mark.process
BEHIND = int(os.environ.get("DAICHO_BEHIND", "1000"))
AT_A_TIME = 100


async def pour(n: Network, count: int) -> None:
    """Many writes, each committed."""
    gate = asyncio.Semaphore(AT_A_TIME)

    async def write(number: int) -> None:
        async with gate:
            await n.load.write(f"bulk-{number}")

    await asyncio.gather(*(write(i) for i in range(count)))


@pytest.mark.timeout(900)
async def test_a_node_far_behind_catches_up_under_load_and_votes_again(tmp_path: Path) -> None:
    async with network(tmp_path / "net") as n:
        behind = n.net.file.nodes[-1].node_id
        n.net.kill(behind)
        began_s = time.monotonic()
        await pour(n, BEHIND)
        poured_s = time.monotonic() - began_s
        height = max(s.height for s in (await n.states()).values())
        n.net.start(behind, with_parent=True)
        started_s = time.monotonic()
        while True:
            state = (await n.states()).get(behind)
            if state is not None and state.height >= height and state.in_sync and state.votes:
                break
            assert time.monotonic() - started_s < 300, state
            await asyncio.sleep(0.1)
        caught_up_s = time.monotonic() - started_s
        print(f"{BEHIND} writes in {poured_s:.1f} s; caught up, and votes, {caught_up_s:.1f} s after its start")
        n.load.on = False
        await asyncio.gather(*n.load.under_way)
        await n.level(30.0)
