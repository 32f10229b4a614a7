"""All kinds of liars, by name."""

from __future__ import annotations

from tests.simulator.byzantine import (
    Censor,
    DoubleVoter,
    Equivocator,
    Faithful,
    Flooder,
    Forger,
    Liar,
    Padder,
    PreparedLiar,
    Scrambler,
    SilentLeader,
)
from tests.simulator.byzantine_blocks import BadBlocks, Boaster, Hider, Withholder

ACTORS: dict[str, type[Liar]] = {
    "bad blocks": BadBlocks,
    "boaster": Boaster,
    "censor": Censor,
    "double voter": DoubleVoter,
    "equivocator": Equivocator,
    "faithful": Faithful,
    "flooder": Flooder,
    "forger": Forger,
    "hider": Hider,
    "padder": Padder,
    "prepared liar": PreparedLiar,
    "scrambler": Scrambler,
    "silent leader": SilentLeader,
    "withholder": Withholder,
}
