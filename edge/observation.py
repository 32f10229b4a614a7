"""How long a node whose votes journal is lost must only observe (rule 8 of the consensus). Pure."""

from __future__ import annotations

from ledger.types import ValidatorSet


class Observation:
    """Finds the greatest height at which this node may have signed a vote that it no longer knows.

    It can have voted at most one height above its own head, and its head was at most one above the greatest head of
    the others: a height is decided only with votes of all but n - q of the validators, each of which stood right below
    it. So of more than n - q + f of the others the greatest head, and two more, is enough. A head counts once its block
    is here; a peer that says more than it can show is lying, and stops nobody.
    """

    def __init__(self) -> None:
        self._heads: dict[str, int] = {}

    def heard(self, peer: str, height: int) -> None:
        """Where a peer stood when it was first heard after the start."""
        self._heads.setdefault(peer, height)

    def unproved(self, peer: str) -> None:
        """The peer was asked for the blocks that it says it has, and did not have them."""
        if peer in self._heads:
            self._heads[peer] = 0

    def through_height(self, validators: ValidatorSet, me: str, head_height: int) -> int | None:
        """The height through which to observe; None while too little is known or the blocks are still to come."""
        others = [v for v in validators.ids if v != me]
        if not others:
            # Alone: no other validator has ever counted a vote of this node, and what it decided is on its disk.
            return 0
        heads = [self._heads[v] for v in others if v in self._heads]
        needed = min(len(validators) - validators.quorum + validators.faults + 1, len(others))
        if len(heads) < needed or max(heads) > head_height:
            return None
        return max(heads) + 2
