"""How an application takes the pages of points: who is who in it, and who signs what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from apps.common.copying import Copy
from apps.common.outbox import Call
from apps.common.tables import User
from apps.points.copy import CURSOR, Changed
from ledger.encoding import Value

AppCall = Callable[[str, str, Mapping[str, Value]], Call]
"""Municipality, method, arguments: signed by the municipality's application, for residents and shops."""
UserCall = Callable[[User, str, Mapping[str, Value]], Call]
"""The same signed for an officer or an administrator."""


def _no_story(source: str) -> str:
    return ""


@dataclass(frozen=True)
class Use:
    """One application's points. A resident's or shop's account in the ledger is the user's pseudonym."""

    contract: str
    """That inherits `PointsContract`."""
    app_call: AppCall
    officer_call: UserCall
    """Each officer signs with an account of their own: approving and paying a statement take two."""
    admin_call: UserCall
    residents: frozenset[str]
    """Roles, here and below."""
    shops: frozenset[str]
    officers: frozenset[str]
    admins: frozenset[str]
    source_story: Callable[[str], str] = _no_story
    """The subject of the story behind the source of points that were issued or reversed; empty: there is none."""

    @property
    def municipal(self) -> frozenset[str]:
        return self.officers | self.admins

    @cached_property
    def copy(self) -> Copy:
        """The rows of `apps.points.tables`, kept from the chain."""
        return Copy(CURSOR, self.contract, Changed)

    def story_of(self, kind: str, about: str) -> str:
        """The subject of the story behind a line of a book."""
        match kind:
            case "paid" | "received" | "refunded" | "given_back":
                return f"payment:{about}"
            case "redeemed" | "returned":
                return f"redemption:{about}"
            case "settled" | "unsettled":
                return f"statement:{about}"
            case "issued" | "reversed":
                return self.source_story(about)
            case _:
                return ""

    def municipal_call(self, user: User, method: str, arguments: Mapping[str, Value]) -> Call:
        """What officers and administrators may do alike."""
        is_officer = not self.officers.isdisjoint(user.roles)
        return (self.officer_call if is_officer else self.admin_call)(user, method, arguments)
