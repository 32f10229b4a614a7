"""Volunteers, a facility and officers on a chain in memory, for the tests of the volunteers contract."""

from __future__ import annotations

from typing import Any

from contracts.ecopoints.methodology.calendar import month_start_ms
from contracts.volunteers.certificates import showing_commitment
from ledger.encoding import Value
from tests.contracts.world import HACHIOJI, TACHIKAWA, World, account

HOUR = 3_600_000
DAY = 24 * HOUR
MINUTE = 60_000
VOLUNTEERS = "volunteers"


def moment(day: str, hour: int = 0, minute: int = 0) -> int:
    """A time of Japan's clock on a day such as `2027-02-01`, in milliseconds since 1970 (UTC)."""
    return month_start_ms(day[:7]) + (int(day[8:]) - 1) * DAY + hour * HOUR + minute * MINUTE


class Town(World):
    """八王子市 with an administrator, two officers, its application, a facility and a resident who asks for help, and
    立川市. It is 2027-01-15, 17:00 in Japan.
    """

    def __init__(self) -> None:
        super().__init__(
            account("admin-h", HACHIOJI, "volunteers.admin"),
            account("officer-a", HACHIOJI, "volunteers.officer"),
            account("officer-b", HACHIOJI, "volunteers.officer"),
            account("app-h", HACHIOJI, "volunteers.app"),
            account("officer-t", TACHIKAWA, "volunteers.officer"),
            account("app-t", TACHIKAWA, "volunteers.app"),
            account("relief-admin", TACHIKAWA, "donations.admin", "donations.officer"),
        )
        self.d("app-h", "register_requester", requester="home", kind="facility")
        self.d("app-h", "register_requester", requester="neighbour", kind="resident")
        self._codes = 0

    def d(self, sender: str, method: str, /, **args: Value) -> dict[str, Any]:
        return self.done(sender, VOLUNTEERS, method, **args)

    def no(self, sender: str, method: str, /, **args: Value) -> str:
        return self.refused(sender, VOLUNTEERS, method, **args).removeprefix(f"{VOLUNTEERS}.")

    def ask(self, method: str, /, **args: object) -> Any:
        return self.query(VOLUNTEERS, method, **args)

    def events(self, sender: str, method: str, /, **args: Value) -> list[tuple[str, tuple[str, ...]]]:
        receipt = self.call(sender, VOLUNTEERS, method, **args)
        assert receipt.done, receipt.reason
        return [(event.name, event.subjects) for event in receipt.events]

    # -- people --------------------------------------------------------------------------------------------------------

    def valid_until(self, days: int = 365) -> int:
        return self.time_ms // 1_000 * 1_000 + days * DAY

    def join(self, volunteer: str, skills: tuple[str, ...] = (), days: int = 365, kind: str = "person") -> str:
        """Applies and is registered; the number of the certificate."""
        self.d("app-h", "apply_as_volunteer", volunteer=volunteer, skills=list(skills), kind=kind)
        made = self.d("officer-a", "register_volunteer", volunteer=volunteer, valid_until_ms=self.valid_until(days))
        return str(made["certificate"])

    # -- postings and work ---------------------------------------------------------------------------------------------

    def post(self, starts_ms: int | None = None, minutes: int = 120, /, **more: Value) -> str:
        """An activity of the facility, tomorrow if nothing else is said."""
        starts = self.time_ms + DAY if starts_ms is None else starts_ms
        asked: dict[str, Value] = {
            "kind": "garden",
            "place": "minami",
            "starts_ms": starts,
            "ends_ms": starts + minutes * MINUTE,
            "withdraw_until_ms": starts - HOUR,
            "requester": "home",
        }
        return str(self.d("officer-a", "post", **{**asked, **more})["posting"])

    def apply(self, posting: str, volunteer: str, people: int = 1) -> str:
        return str(self.d("app-h", "apply", posting=posting, volunteer=volunteer, people=people)["status"])

    def status(self, posting: str, volunteer: str) -> str:
        return str(self.ask("application", posting=posting, volunteer=volunteer)["status"])

    def show(self, volunteer: str) -> str:
        """The volunteer's phone shows the certificate; the code on it."""
        self._codes += 1
        code = f"shown-code-{self._codes:06d}"
        certificate = self.ask("volunteer", volunteer=volunteer)["volunteer"]["certificate"]
        self.d("app-h", "show_certificate", certificate=certificate, commitment=showing_commitment(code))
        return code

    def check_in(self, posting: str, volunteer: str) -> str:
        return str(
            self.d("app-h", "check_in", posting=posting, code=self.show(volunteer), requester="home")["activity"]
        )

    def work(self, volunteer: str, starts_ms: int, minutes: int, /, **more: Value) -> str:
        """The whole way from a posting to a report; the activity."""
        posting = self.post(starts_ms, max(minutes, 1), **more)
        assert self.apply(posting, volunteer) == "accepted"
        self.time_ms = starts_ms
        activity = self.check_in(posting, volunteer)
        started = self.ask("activity", activity=activity)["started_ms"]
        self.time_ms = started + minutes * MINUTE
        self.d("app-h", "check_out", activity=activity, requester="home", occurred_ms=started + minutes * MINUTE)
        self.d("app-h", "report", activity=activity, requester="home", outcome="well")
        return activity

    def balance(self, volunteer: str) -> int:
        return int(self.ask("points_account", account=volunteer)["points"])
