"""Cut a story that fails down to what it needs: fewer faults, no needless liars, an earlier end."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tests.simulator.plan import Story, Strike
from tests.simulator.run import tell

Fails = Callable[[Story], bool]


def fails(story: Story) -> bool:
    return not tell(story).ok


def shrink(story: Story, fails: Fails = fails) -> Story:
    """A story that still fails and cannot do without any of its faults. At most a few hundred runs."""
    story = _end_earlier(story, fails)
    story = _without_needless(story, fails)
    plan = story.plan
    simpler = [
        msgspec.structs.replace(plan, liars=(), twin=False),
        msgspec.structs.replace(plan, twin=False),
        msgspec.structs.replace(plan, membership=False),
        msgspec.structs.replace(plan, observers=0),
    ]
    for other in simpler:
        shorter = msgspec.structs.replace(story, plan=other)
        if other != plan and fails(shorter):
            return shrink(shorter, fails)
    return story


def _end_earlier(story: Story, fails: Fails) -> Story:
    """Halve the time of faults for as long as that still fails."""
    while story.faults_ms > 1_000:
        until_ms = story.faults_ms // 2
        strikes = tuple(s for s in story.strikes if s.at_ms < until_ms)
        shorter = msgspec.structs.replace(story, strikes=strikes, faults_ms=until_ms)
        if not fails(shorter):
            break
        story = shorter
    return story


def _without_needless(story: Story, fails: Fails) -> Story:
    """Leave out half of the strikes, then quarters, then single ones, whatever is not needed."""
    strikes: list[Strike] = list(story.strikes)
    size = max(1, len(strikes) // 2)
    while strikes:
        at = 0
        while at < len(strikes):
            fewer = strikes[:at] + strikes[at + size :]
            if fails(msgspec.structs.replace(story, strikes=tuple(fewer))):
                strikes = fewer
            else:
                at += size
        if size == 1:
            break
        size //= 2
    return msgspec.structs.replace(story, strikes=tuple(strikes))
