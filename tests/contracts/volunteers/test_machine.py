"""Random sequences of every call of the volunteers contract by every role, right and wrong, against plain bookkeeping.

After every call: a refused one has changed nothing; no posting has more people than places and the counts are what the
applications say; who waits stands in order and nobody holds two places at one time; no report is paid twice and no cap
is passed; a certificate that was revoked or has expired stays so; points are where the approvals have put them.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.ecopoints.methodology.calendar import day_of, fiscal_year_of
from contracts.points import commitment
from contracts.points.types import tables_of
from contracts.volunteers import tables
from contracts.volunteers.applications import HOLDING, PENDING
from contracts.volunteers.asks import OPEN
from contracts.volunteers.certificates import showing_commitment, standing
from contracts.volunteers.transitions import ADMIN, APP, OFFICER
from contracts.volunteers.types import Activity, Application, Ask, Certificate, Posting, Volunteer
from ledger.encoding import Value
from ledger.registry import Account
from ledger.types import Receipt
from tests.contracts.bench import Bench
from tests.contracts.volunteers.town import DAY, HOUR, MINUTE
from tests.contracts.world import HACHIOJI, TACHIKAWA

EVERYTHING = 100_000
POINTS = tables_of("volunteers")
CODES = {"h": HACHIOJI, "t": TACHIKAWA}
PEOPLE = {"h1": HACHIOJI, "h2": HACHIOJI, "h3": HACHIOJI, "h4": HACHIOJI, "club": HACHIOJI, "t1": TACHIKAWA}
REQUESTERS = {"home": HACHIOJI, "neighbour": HACHIOJI, "office": TACHIKAWA}
APPS = {HACHIOJI: "app-h", TACHIKAWA: "app-t"}
OFFICERS = {HACHIOJI: "officer-h", TACHIKAWA: "officer-t"}
ORGANISATIONS = {**{a: c for c, a in APPS.items()}, **{o: c for c, o in OFFICERS.items()}, "admin-h": HACHIOJI}
SENDERS = sorted(ORGANISATIONS)
KINDS = ("garden", "cafe")
DAILY_CAP, YEARLY_CAP = 250, 300
LIVE = (*PENDING, "accepted")
FINAL = {"revoked", "expired"}

volunteers = st.sampled_from([*PEOPLE, "h1", "h2", "h3", "club"])
requesters = st.sampled_from([*REQUESTERS, "home", "home"])
orders = st.permutations(["h1", "h2", "h3", "club"])
hours = st.integers(1, 30)


def steps(names: str) -> st.SearchStrategy[str]:
    """One of these names; one that stands there twice is twice as likely."""
    return st.sampled_from(names.split())


class Volunteers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        roles = {"app": APP, "officer": OFFICER, "admin": ADMIN}
        accounts = [Account(a, code, (roles[a.split("-")[0]],), (), False) for a, code in ORGANISATIONS.items()]
        self.bench = Bench({HACHIOJI: "八王子市", TACHIKAWA: "立川市"}, accounts)
        self.codes: list[str] = []
        self.paid: dict[str, int] = {}
        """Activity -> the points that its one approval has paid."""
        self.ended: dict[str, str] = {}
        """Certificate -> the status in which it has ended."""
        self.spent: set[str] = set()
        self.received = 0

    @initialize()
    def people(self) -> None:
        for requester, code in REQUESTERS.items():
            kind = "resident" if requester == "neighbour" else "facility"
            assert self.run(APPS[code], "register_requester", requester=requester, kind=kind).done
        for volunteer, code in PEOPLE.items():
            kind = "group" if volunteer == "club" else "person"
            assert self.run(APPS[code], "apply_as_volunteer", volunteer=volunteer, kind=kind, skills=["garden"]).done
            if volunteer != "h4":
                assert self.run(OFFICERS[code], "register_volunteer", **self.registration(volunteer)).done
        caps: dict[str, Value] = {"daily_cap": DAILY_CAP, "yearly_cap": YEARLY_CAP}
        for days in (("2027-01-01", "2027-03-31"), ("2027-04-01", "2099-12-31")):
            assert self.run("admin-h", "set_rule", points=100, first_day=days[0], last_day=days[1], **caps).done

    # -- the state as it stands ----------------------------------------------------------------------------------------

    def run(self, sender: str, method: str, **args: Value) -> Receipt:
        before = dict(self.bench.state.writes)
        receipt = self.bench.run(sender, "volunteers", method, args)
        if not receipt.done:
            assert dict(self.bench.state.writes) == before, f"{method} was refused and has changed something"
            assert receipt.reason in self.bench.runtime.reasons()
        return receipt

    @property
    def now(self) -> int:
        return self.bench.time_ms

    def rows(self, table: Any) -> dict[str, Any]:
        return dict(table.page(self.bench.state, limit=EVERYTHING))

    def postings(self) -> list[Posting]:
        return [*self.rows(tables.POSTINGS).values()]

    def applications(self) -> list[Application]:
        return [*self.rows(tables.APPLICATIONS).values()]

    def activities(self) -> list[Activity]:
        return [*self.rows(tables.ACTIVITIES).values()]

    def certificates(self) -> list[Certificate]:
        return [*self.rows(tables.CERTIFICATES).values()]

    def asks(self) -> list[Ask]:
        return [*self.rows(tables.ASKS).values()]

    def posting(self, posting_id: str) -> Posting:
        found = tables.POSTINGS.get(self.bench.state, posting_id)
        assert found is not None
        return found

    def registration(self, volunteer: str) -> dict[str, Value]:
        days = 3 if volunteer == "h2" else 400
        return {"volunteer": volunteer, "valid_until_ms": self.now // 1_000 * 1_000 + days * DAY}

    def mostly(self, data: st.DataObject, right: str) -> str:
        return data.draw(st.sampled_from([right] * 12 + SENDERS))

    def some(self, data: st.DataObject, rows: list[Any], **wanted: str) -> Any:
        """Mostly one in these statuses, and rather a new one."""
        fitting = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
        return data.draw(st.sampled_from(fitting * 6 + fitting[-3:] * 6 + rows))

    # -- time, people, certificates ------------------------------------------------------------------------------------

    @rule(jump=st.sampled_from([MINUTE, HOUR, 5 * HOUR, 20 * HOUR, 4 * DAY, 60 * DAY]))
    def time_goes_on(self, jump: int) -> None:
        self.bench.time_ms += jump

    @rule(data=st.data(), volunteer=volunteers, step=steps("apply return register listed skills"))
    def register(self, data: st.DataObject, volunteer: str, step: str) -> None:
        before, code = tables.PEOPLE.get(self.bench.state, volunteer), PEOPLE[volunteer]
        assert before is not None
        app, officer = self.mostly(data, APPS[code]), self.mostly(data, OFFICERS[code])
        match step:
            case "apply":
                if self.run(app, "apply_as_volunteer", volunteer=volunteer).done:
                    assert before.status == "returned"
            case "return":
                if self.run(officer, "return_volunteer", volunteer=volunteer).done:
                    assert before.status == "applied" and officer == OFFICERS[code]
            case "register":
                if self.run(officer, "register_volunteer", **self.registration(volunteer)).done:
                    assert before.status == "applied" and officer == OFFICERS[code]
            case "listed":
                self.run(app, "set_listed", volunteer=volunteer, listed=data.draw(st.booleans()))
            case _:
                skills: list[Value] = data.draw(st.sampled_from([[], ["garden"]]))
                self.run(officer, "change_skills", volunteer=volunteer, skills=skills)

    @rule(data=st.data(), volunteer=volunteers, seldom=st.integers(0, 19))
    def leave(self, data: st.DataObject, volunteer: str, seldom: int) -> None:
        if seldom != 13:
            return  # the town would be empty soon
        if self.run(self.mostly(data, APPS[PEOPLE[volunteer]]), "leave_volunteers", volunteer=volunteer).done:
            assert not [a for a in self.applications() if a.volunteer == volunteer and a.status in LIVE]
            assert not [a for a in self.asks() if a.volunteer == volunteer and a.status in OPEN]

    @precondition(lambda self: self.certificates())
    @rule(data=st.data(), step=steps("suspend resume resume revoke expire reissue digest"))
    def certificate(self, data: st.DataObject, step: str) -> None:
        made = self.some(data, self.certificates())
        officer = self.mostly(data, OFFICERS[made.municipality])
        before = standing(made, self.now + 1)
        match step:
            case "reissue":
                receipt = self.run(officer, "reissue_certificate", **self.registration(made.volunteer))
                if receipt.done:
                    assert receipt.result["status_index"] == len([
                        c for c in self.certificates() if c.municipality == made.municipality
                    ]) - 1  # fmt: skip
            case "digest":
                app = self.mostly(data, APPS[made.municipality])
                self.run(app, "record_credential", certificate=made.certificate, digest="ab" * 32)
            case "expire":
                if self.run(officer, "expire_certificate", certificate=made.certificate).done:
                    assert before == "expired"
            case _:
                if self.run(officer, f"{step}_certificate", certificate=made.certificate).done:
                    assert officer == OFFICERS[made.municipality] and before not in FINAL
                    assert (before == "suspended") == (step == "resume") or step == "revoke"

    # -- postings and applications -------------------------------------------------------------------------------------

    @rule(data=st.data(), requester=st.sampled_from(["", *REQUESTERS]), start=hours, capacity=st.integers(1, 3))
    def post(self, data: st.DataObject, requester: str, start: int, capacity: int) -> None:
        lasts = data.draw(st.integers(1, 5))
        code, starts = REQUESTERS.get(requester, HACHIOJI), self.now + start * HOUR
        wanted: dict[str, Value] = {
            "kind": data.draw(st.sampled_from(KINDS)), "place": "kita", "starts_ms": starts,
            "ends_ms": starts + lasts * HOUR, "withdraw_until_ms": starts - HOUR, "capacity": capacity,
            "requester": requester,
        }  # fmt: skip
        if requester and data.draw(st.booleans()):
            self.run(self.mostly(data, APPS[code]), "ask_for_posting", **wanted)
        else:
            selection = data.draw(st.sampled_from(["first_come", "first_come", "reviewed"]))
            self.run(self.mostly(data, OFFICERS[code]), "post", **wanted, selection=selection)

    @precondition(lambda self: self.postings())
    @rule(data=st.data(), step=steps("publish publish decline cancel capacity promote"))
    def handle_posting(self, data: st.DataObject, step: str) -> None:
        made = self.some(data, self.postings(), status="asked" if step in ("publish", "decline") else "published")
        officer = self.mostly(data, OFFICERS[made.municipality])
        match step:
            case "capacity":
                capacity = data.draw(st.integers(1, 4))
                if self.run(officer, "change_capacity", posting=made.posting, capacity=capacity).done:
                    assert capacity >= made.taken
            case "promote":
                self.run(officer, "promote", posting=made.posting)
            case "cancel":
                requester = data.draw(st.sampled_from([made.requester, *REQUESTERS]))
                app = self.mostly(data, APPS[made.municipality])
                if self.run(app, "cancel_posting", posting=made.posting, requester=requester).done:
                    assert (requester and requester == made.requester) or app.startswith("officer")
            case _:
                if self.run(officer, f"{step}_posting", posting=made.posting).done:
                    assert made.status == "asked" and officer == OFFICERS[made.municipality]

    @precondition(lambda self: self.postings())
    @rule(data=st.data(), volunteer=volunteers)
    def apply(self, data: st.DataObject, volunteer: str) -> None:
        made = self.some(data, self.postings(), status="published", municipality=PEOPLE[volunteer])
        people = data.draw(st.integers(1, 3)) if volunteer == "club" else 1
        named: dict[str, Value] = {"posting": made.posting, "volunteer": volunteer, "people": people}
        receipt = self.run(self.mostly(data, APPS[made.municipality]), "apply", **named)
        if receipt.done:
            after = self.posting(made.posting)
            if receipt.result["status"] == "waiting":
                assert after.taken + people > after.capacity
            assert made.starts_ms > self.now

    @precondition(lambda self: self.applications())
    @rule(data=st.data(), step=steps("accept accept decline withdraw withdraw miss"))
    def handle_application(self, data: st.DataObject, step: str) -> None:
        wanted = {"accept": "applied", "decline": "waiting", "withdraw": "accepted", "miss": "accepted"}[step]
        application = self.some(data, self.applications(), status=wanted)
        made = self.posting(application.posting)
        officer = self.mostly(data, OFFICERS[made.municipality])
        named: dict[str, Value] = {"posting": made.posting, "volunteer": application.volunteer}
        match step:
            case "withdraw":
                sender = self.mostly(data, data.draw(st.sampled_from([APPS[made.municipality], officer])))
                if self.run(sender, "withdraw_application", **named).done and application.status == "accepted":
                    assert sender.startswith("officer") or self.now <= made.withdraw_until_ms
            case "miss":
                if self.run(officer, "mark_no_show", **named).done:
                    assert application.status == "accepted" and self.now >= made.starts_ms
            case _:
                self.run(officer, f"{step}_application", **named)

    # -- direct requests -----------------------------------------------------------------------------------------------

    @rule(data=st.data(), volunteer=volunteers, requester=requesters, start=hours)
    def ask(self, data: st.DataObject, volunteer: str, requester: str, start: int) -> None:
        starts = self.now + start * HOUR
        app = self.mostly(data, APPS[REQUESTERS[requester]])
        made = self.run(app, "ask_volunteer", requester=requester, volunteer=volunteer, kind="garden", place="kita",
                        starts_ms=starts, ends_ms=starts + HOUR)  # fmt: skip
        if made.done and data.draw(st.booleans()):
            ask = str(made.result["ask"])
            if self.run(OFFICERS[REQUESTERS[requester]], "forward_ask", ask=ask).done and data.draw(st.booleans()):
                self.run(app, "consent_to_ask", ask=ask, volunteer=volunteer)

    @precondition(lambda self: self.asks())
    @rule(data=st.data(), step=steps("forward consent consent refuse decline cancel"))
    def handle_ask(self, data: st.DataObject, step: str) -> None:
        made = self.some(data, self.asks(), status="forwarded" if step in ("consent", "decline") else "asked")
        if step in ("consent", "decline"):
            method = "consent_to_ask" if step == "consent" else "decline_ask"
            volunteer = data.draw(st.sampled_from([made.volunteer] * 9 + [*PEOPLE]))
            if self.run(self.mostly(data, APPS[made.municipality]), method, ask=made.ask, volunteer=volunteer).done:
                assert made.status == "forwarded" and volunteer == made.volunteer
        elif self.run(self.mostly(data, OFFICERS[made.municipality]), f"{step}_ask", ask=made.ask).done:
            assert made.status == "asked" or step == "cancel"

    # -- work ----------------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(a.status == "accepted" for a in self.applications()))
    @rule(data=st.data(), path=st.sampled_from(["code", "code", "old code", "pin", "paper"]), jump=st.booleans())
    def check_in(self, data: st.DataObject, path: str, jump: bool) -> None:
        application = self.some(data, self.applications(), status="accepted")
        made = self.posting(application.posting)
        if jump:
            self.bench.time_ms = max(self.now, made.starts_ms)
        app, officer = self.mostly(data, APPS[made.municipality]), OFFICERS[made.municipality]
        named: dict[str, Value] = {"posting": made.posting, "volunteer": application.volunteer}
        match path:
            case "code":
                code = self.show(application.volunteer)
            case "old code":
                code = data.draw(st.sampled_from([*self.codes, "never-shown-00"]))
            case "pin":
                self.run(app, "check_in_with_pin", **named)
                return
            case _:
                started = made.starts_ms - HOUR
                times: dict[str, Value] = {"started_ms": started, "ended_ms": started + 90 * MINUTE}
                if self.run(officer, "enter_activity", **named, **times, path="paper").done:
                    assert started + 90 * MINUTE <= self.now
                return
        requester = data.draw(st.sampled_from([made.requester] * 9 + [*REQUESTERS]))
        if self.run(app, "check_in", posting=made.posting, code=code, requester=requester).done:
            assert (code not in self.spent and application.status == "accepted") or path == "old code"
            self.spent.add(code)

    def show(self, volunteer: str) -> str:
        person: Volunteer | None = tables.PEOPLE.get(self.bench.state, volunteer)
        assert person is not None
        code = f"shown-code-{self.bench.height:06d}"
        named: dict[str, Value] = {"certificate": person.certificate or "none", "commitment": showing_commitment(code)}
        if self.run(APPS[person.municipality], "show_certificate", **named).done:
            self.codes.append(code)
        return code

    @precondition(lambda self: self.activities())
    @rule(data=st.data(), step=steps("end end report report correct void"))
    def finish(self, data: st.DataObject, step: str) -> None:
        lasts = data.draw(st.sampled_from([10 * MINUTE, HOUR, 3 * HOUR]))
        made = self.some(data, self.activities(), status="ended" if step in ("report", "correct") else "started")
        requester = data.draw(st.sampled_from([made.requester] * 9 + [*REQUESTERS]))
        app, officer = self.mostly(data, APPS[made.municipality]), self.mostly(data, OFFICERS[made.municipality])
        match step:
            case "end":
                self.bench.time_ms = max(self.now, made.started_ms + lasts)
                args: dict[str, Value] = {"requester": requester, "occurred_ms": made.started_ms + lasts}
                done = self.run(app, "check_out", activity=made.activity, **args).done
            case "report":
                done = self.run(app, "report", activity=made.activity, requester=requester, outcome="well").done
            case "correct":
                self.run(officer, "correct_end", activity=made.activity, ended_ms=made.started_ms + lasts)
                return
            case _:
                self.run(officer, "void_activity", activity=made.activity)
                return
        if done:
            assert (requester and requester == made.requester) or app.startswith("officer")

    @precondition(lambda self: self.activities())
    @rule(data=st.data(), step=steps("approve approve return reject"), fewer=st.booleans())
    def evaluate(self, data: st.DataObject, step: str, fewer: bool) -> None:
        made = self.some(data, self.activities(), status="reported")
        officer = self.mostly(data, OFFICERS[made.municipality])
        more: dict[str, Value] = {"minutes": data.draw(st.integers(0, 200))} if fewer and step == "approve" else {}
        receipt = self.run(officer, f"{step}_report", activity=made.activity, **more)
        if receipt.done:
            assert made.status == "reported" and officer == OFFICERS[made.municipality]
        if receipt.done and step == "approve":
            assert made.activity not in self.paid, "a report was paid twice"
            self.paid[made.activity] = int(str(receipt.result["points"]))

    @rule(data=st.data(), start=st.integers(1, 6), lasts=st.integers(1, 3), volunteer=volunteers)
    def a_whole_activity(self, data: st.DataObject, start: int, lasts: int, volunteer: str) -> None:
        """From a posting to a report, so that sequences get to the points, as long as nothing stands in the way."""
        if PEOPLE[volunteer] != HACHIOJI:
            return
        starts = self.now + start * HOUR
        made = self.run("officer-h", "post", kind="garden", place="kita", starts_ms=starts, requester="home",
                        ends_ms=starts + lasts * HOUR, withdraw_until_ms=starts, capacity=3)  # fmt: skip
        posting = str(made.result["posting"])
        if not self.run("app-h", "apply", posting=posting, volunteer=volunteer).done:
            return
        self.bench.time_ms = starts
        shown = self.show(volunteer)
        if not (begun := self.run("app-h", "check_in", posting=posting, code=shown, requester="home")).done:
            return
        self.bench.time_ms += lasts * HOUR
        activity = str(begun.result["activity"])
        assert self.run("app-h", "check_out", activity=activity, requester="home").done
        assert self.run("app-h", "report", activity=activity, requester="home", outcome="well").done
        if data.draw(st.booleans()):
            receipt = self.run("officer-h", "approve_report", activity=activity)
            self.paid[activity] = int(str(receipt.result["points"]))

    @rule(data=st.data(), points=st.integers(1, 150), volunteer=volunteers)
    def pay_at_a_shop(self, data: st.DataObject, points: int, volunteer: str) -> None:
        if self.rows(POINTS.totals) == {}:
            return
        self.run("officer-h", "open_shop", shop="baker")
        code = f"pay-code-{self.bench.height:06d}"
        bill: dict[str, Value] = {"account": volunteer, "points": points, "commitment": commitment(code)}
        opened = self.run(APPS[PEOPLE[volunteer]], "open_payment", **bill)
        if opened.done and self.run("app-h", "confirm_payment", code=code, shop="baker").done:
            self.received += points

    @rule(data=st.data(), start=st.integers(1, 6), capacity=st.integers(1, 3), first=orders)
    def a_crowd(self, data: st.DataObject, start: int, capacity: int, first: list[str]) -> None:
        """Everybody wants the same few places; then perhaps one of them cannot come."""
        starts = self.now + start * HOUR
        selection = data.draw(st.sampled_from(["first_come", "first_come", "reviewed"]))
        posting = self.cafe(starts, capacity, selection)
        for volunteer in first:
            people = data.draw(st.integers(1, 3)) if volunteer == "club" else 1
            self.run("app-h", "apply", posting=posting, volunteer=volunteer, people=people)
            if data.draw(st.booleans()):
                self.run("officer-h", "accept_application", posting=posting, volunteer=volunteer)
        if data.draw(st.booleans()):
            elsewhere = self.cafe(starts, 1, "first_come")
            for late in self.waiting(posting):
                self.run("app-h", "apply", posting=elsewhere, volunteer=late.volunteer)
        holders = [a for a in self.applications() if a.posting == posting and a.status == "accepted"]
        if holders and data.draw(st.booleans()):
            before = self.waiting(posting)
            leaving = data.draw(st.sampled_from(holders))
            assert self.run("app-h", "withdraw_application", posting=posting, volunteer=leaving.volunteer).done
            self.only_who_cannot_come_is_passed_over(posting, before)

    def cafe(self, starts_ms: int, capacity: int, selection: str) -> str:
        made = self.run("officer-h", "post", kind="cafe", place="minami", starts_ms=starts_ms, requester="neighbour",
                        ends_ms=starts_ms + HOUR, withdraw_until_ms=starts_ms, capacity=capacity,
                        selection=selection)  # fmt: skip
        return str(made.result["posting"])

    def waiting(self, posting: str) -> list[Application]:
        rows = [a for a in self.applications() if a.posting == posting and a.status == "waiting"]
        return sorted(rows, key=lambda a: a.number)

    def only_who_cannot_come_is_passed_over(self, posting: str, before: list[Application]) -> None:
        """Nobody who could have come still waits: for the places that are free now they are too many, or busy."""
        made, still = self.posting(posting), {a.volunteer for a in self.waiting(posting)}
        for application in before:
            if application.volunteer in still and made.taken + application.people <= made.capacity:
                person = tables.PEOPLE.get(self.bench.state, application.volunteer)
                assert person is not None
                newest = tables.CERTIFICATES.get(self.bench.state, person.certificate)
                assert newest is not None
                assert standing(newest, self.now) != "valid" or self.is_busy(application.volunteer, made)

    def is_busy(self, volunteer: str, made: Posting) -> bool:
        at_work = ("accepted", "present")
        held = [a for a in self.applications() if a.volunteer == volunteer and a.status in at_work]
        places = [self.posting(a.posting) for a in held]
        return any(p.starts_ms < made.ends_ms and made.starts_ms < p.ends_ms for p in places)

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def capacity_holds_and_counts_are_what_the_applications_say(self) -> None:
        taken, pending, begun, live = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        for a in self.applications():
            taken[a.posting] += a.people if a.status in HOLDING else 0
            pending[a.posting] += a.status in PENDING
            begun[a.posting] += a.status == "present"
            live[a.volunteer] += a.status in LIVE
        for made in self.postings():
            assert made.taken == taken[made.posting] <= made.capacity
            assert (made.pending, made.begun) == (pending[made.posting], begun[made.posting])
            assert made.status == "published" or not (made.taken or made.pending)
        for person in self.rows(tables.PEOPLE).values():
            assert person.live == live[person.volunteer]

    @invariant()
    def nobody_holds_two_places_at_one_time(self) -> None:
        held: dict[str, list[tuple[int, int]]] = {}
        for a in self.applications():
            if a.status == "accepted":
                made = self.posting(a.posting)
                held.setdefault(a.volunteer, []).append((made.starts_ms, made.ends_ms))
        for spans in held.values():
            assert all(before[1] <= after[0] for before, after in pairwise(sorted(spans)))

    @invariant()
    def indexes_name_what_is_there_and_nothing_else(self) -> None:
        applications = self.applications()
        live = [a for a in applications if a.status in LIVE]
        waiting = {f"{a.posting}/{a.number:08d}" for a in applications if a.status == "waiting"}
        assert self.rows(tables.QUEUE).keys() == waiting
        assert self.rows(tables.LIVE).keys() == {f"{a.volunteer}/{a.posting}" for a in live}
        assert self.rows(tables.LIVE_AT).keys() == {f"{a.posting}/{a.volunteer}" for a in live}
        working = {(m.posting, m.volunteer) for m in self.activities() if m.status == "started"}
        working |= {(a.posting, a.volunteer) for a in live if a.status == "accepted"}
        assert {(row.id, key.split("/")[0]) for key, row in self.rows(tables.BUSY).items()} == working
        published = [p for p in self.postings() if p.status == "published" and not p.direct]
        assert {row.id for row in self.rows(tables.CALENDAR).values()} == {p.posting for p in published}
        open_asks = {f"{a.volunteer}/{a.ask}" for a in self.asks() if a.status in ("asked", "forwarded")}
        assert self.rows(tables.OPEN_ASKS).keys() == open_asks
        people = [p for p in self.rows(tables.PEOPLE).values() if p.status == "registered"]
        assert len(self.rows(tables.CANDIDATES)) == sum(1 + len(p.skills) for p in people)
        assert self.rows(tables.ACTIVITIES_IN).keys() == {
            f"{m.municipality}/{m.status}/{10**16 - m.started_ms:016d}/{m.activity}" for m in self.activities()
        }

    @invariant()
    def what_has_ended_stays_ended_and_the_status_lists_say_what_the_certificates_say(self) -> None:
        bits, places = set[str](), Counter[tuple[str, int]]()
        for made in self.certificates():
            assert self.ended.get(made.certificate, made.status) == made.status
            if made.status in FINAL:
                self.ended[made.certificate] = made.status
            places[made.municipality, made.status_index] += 1
            purpose = {"revoked": "revocation", "suspended": "suspension"}.get(made.status)
            if purpose:
                bits.add(f"{made.municipality}/{purpose}/{made.status_index:09d}")
            assert made.changes[-1].status == made.status
        assert all(count == 1 for count in places.values())
        assert self.rows(tables.STATUS_BITS).keys() == bits

    @invariant()
    def each_report_is_paid_once_within_the_caps_and_no_point_is_lost(self) -> None:
        by_day, by_year = Counter[tuple[str, str]](), Counter[tuple[str, int]]()
        issued = Counter[str]()
        for made in self.activities():
            assert (made.status == "approved") == (made.activity in self.paid)
            assert made.points == self.paid.get(made.activity, 0)
            issued[made.municipality] += made.points
            by_day[made.volunteer, day_of(made.started_ms)] += made.points
            by_year[made.volunteer, fiscal_year_of(made.started_ms)] += made.points
        assert all(points <= DAILY_CAP for points in by_day.values())
        assert all(points <= YEARLY_CAP for points in by_year.values())
        earned = {key: row.points for key, row in self.rows(tables.EARNED).items()}
        expected = {f"{who}/{when}": p for c in (by_day, by_year) for (who, when), p in c.items() if p}
        assert earned == expected
        for code in CODES.values():
            totals = POINTS.totals.get(self.bench.state, code)
            assert (totals.issued if totals else 0) == issued[code]
        hachioji = POINTS.totals.get(self.bench.state, HACHIOJI)
        assert (hachioji.shops if hachioji else 0) == self.received


TestVolunteers = pytest.mark.function("V10a")(Volunteers.TestCase)
TestVolunteers.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
