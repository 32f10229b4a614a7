"""The volunteers contract: every call, with its function of the report and who may make it.

Roles stand in `transitions`, queries in `questions`, the rules in the modules beside this one.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from contracts.access import AccessLog, AccessReason
from contracts.points import PointsContract, PointsReason
from contracts.volunteers import activities, applications, asks, certificates, members, postings, rules
from contracts.volunteers.postings import Wanted
from contracts.volunteers.questions import ShownCode, VolunteerQueries
from contracts.volunteers.reasons import VolunteersReason
from contracts.volunteers.tables import MAILS
from contracts.volunteers.transitions import (
    ACTIVITY,
    ADMIN,
    APP,
    APPLICATION,
    ASK,
    CERTIFICATE,
    OFFICER,
    POSTING,
    VOLUNTEER,
)
from contracts.volunteers.types import (
    MAX_KINDS,
    MAX_SKILLS,
    Capacity,
    Code,
    Commitment,
    Day,
    Digest,
    Kind,
    Mail,
    MailKind,
    Minutes,
    OptionalCode,
    Outcome,
    Path,
    People,
    Place,
    Pseudonym,
    RequesterKind,
    Rule,
    Selection,
    Skill,
    VolunteerKind,
)
from ledger.contract import Context, Result, call
from ledger.refusal import Refused
from ledger.types import Hash, TimeMs, whole

Skills = Annotated[tuple[Skill, ...], msgspec.Meta(max_length=MAX_SKILLS)]
Kinds = Annotated[tuple[Kind, ...], msgspec.Meta(max_length=MAX_KINDS)]
Why = Annotated[str, whole(r"[a-z_]{0,32}")]
"""A code for the reason (`incomplete`, `lost`, `weather` …); words stay in the application."""
RulePoints = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
UnitMinutes = Annotated[int, msgspec.Meta(ge=0, le=1_440)]
Cap = Annotated[int, msgspec.Meta(ge=0, le=10**7)]
LotMonths = Annotated[int, msgspec.Meta(ge=1, le=60)]


class Volunteers(VolunteerQueries, PointsContract, AccessLog):
    name = "volunteers"
    version = 1
    reasons = (VolunteersReason, PointsReason, AccessReason)

    # -- volunteers and requesters (V2, V11) ---------------------------------------------------------------------------

    @call(roles=VOLUNTEER.roles("apply"))
    def apply_as_volunteer(
        self, ctx: Context, volunteer: Pseudonym, kind: VolunteerKind = "person", skills: Skills = (),
        listed: bool = True, application: Commitment = "",
    ) -> Result:  # fmt: skip
        """V2a: a resident or group applies, once more after the application was returned."""
        return members.apply(ctx, volunteer, kind, skills, listed, application)

    @call(roles=VOLUNTEER.roles("return"))
    def return_volunteer(self, ctx: Context, volunteer: Pseudonym, why: Why = "") -> Result:
        """V2b: an officer returns an application."""
        return members.give_back(ctx, volunteer, why)

    @call(roles=VOLUNTEER.roles("register"))
    def register_volunteer(self, ctx: Context, volunteer: Pseudonym, valid_until_ms: TimeMs) -> Result:
        """V2b, V2c, V2d: an officer registers who applied; with it come certificate and points account."""
        person = members.register(ctx, volunteer)
        made = certificates.issue(ctx, person, valid_until_ms)
        members.save(ctx, msgspec.structs.replace(person, certificate=made.certificate))
        return {"certificate": made.certificate, "status_index": made.status_index}

    @call(roles=[OFFICER])
    def change_skills(self, ctx: Context, volunteer: Pseudonym, skills: Skills) -> Result:
        """V2b: other skills, as an officer has checked them; the certificate names them once it is reissued."""
        return members.change_skills(ctx, volunteer, skills)

    @call(roles=[APP, OFFICER])
    def set_listed(self, ctx: Context, volunteer: Pseudonym, listed: bool) -> Result:
        """V1b: the volunteer is shown, pseudonymous, on the public page of contributions, or not."""
        return members.set_listed(ctx, volunteer, listed)

    @call(roles=VOLUNTEER.roles("leave"))
    def leave_volunteers(self, ctx: Context, volunteer: Pseudonym) -> Result:
        """V2, V11: a volunteer leaves: places and certificate end, points expire; what was done stays."""
        person = members.known(ctx, volunteer)
        applications.withdraw_all(ctx, person)
        asks.end_all(ctx, person)
        certificates.end(ctx, person)
        members.set_left(ctx, members.there(ctx.state, volunteer))
        return None

    @call(roles=[APP, OFFICER])
    def register_requester(self, ctx: Context, requester: Pseudonym, kind: RequesterKind) -> Result:
        """V3b, V11: a facility, or a resident who wants a small hand, may ask for help."""
        return members.register_requester(ctx, requester, kind)

    @call(roles=[APP, OFFICER])
    def leave_requesters(self, ctx: Context, requester: Pseudonym) -> Result:
        """V11: a requester asks for no more help."""
        return members.requester_leaves(ctx, requester)

    # -- certificates (V2f, V5) ----------------------------------------------------------------------------------------

    @call(roles=[APP])
    def record_credential(self, ctx: Context, certificate: Code, digest: Digest) -> Result:
        """V5d: the SHA-256 of the signed credential without the name; again if it was signed again."""
        return certificates.record_digest(ctx, certificate, digest)

    @call(roles=CERTIFICATE.roles("suspend"))
    def suspend_certificate(self, ctx: Context, certificate: Code, why: Why = "") -> Result:
        """V2f: it does not count until it is resumed."""
        certificates.change(ctx, certificates.known(ctx, certificate), "suspend", why)
        return None

    @call(roles=CERTIFICATE.roles("resume"))
    def resume_certificate(self, ctx: Context, certificate: Code, why: Why = "") -> Result:
        """V2f: a suspended one counts again."""
        certificates.change(ctx, certificates.known(ctx, certificate), "resume", why)
        return None

    @call(roles=CERTIFICATE.roles("revoke"))
    def revoke_certificate(self, ctx: Context, certificate: Code, why: Why = "") -> Result:
        """V2f: it never counts again."""
        certificates.change(ctx, certificates.known(ctx, certificate), "revoke", why)
        return None

    @call(roles=CERTIFICATE.roles("expire"))
    def expire_certificate(self, ctx: Context, certificate: Code) -> Result:
        """V2f: its time is over; that is entered in its history. It did not count before that either."""
        certificates.change(ctx, certificates.known(ctx, certificate), "expire", "")
        return None

    @call(roles=[OFFICER])
    def reissue_certificate(self, ctx: Context, volunteer: Pseudonym, valid_until_ms: TimeMs) -> Result:
        """V2f: a certificate with a new number; the one before is revoked."""
        person = members.registered(ctx, volunteer)
        made = certificates.reissue(ctx, person, valid_until_ms)
        members.save(ctx, msgspec.structs.replace(person, certificate=made.certificate))
        return {"certificate": made.certificate, "status_index": made.status_index}

    @call(roles=[APP])
    def show_certificate(self, ctx: Context, certificate: Code, commitment: Digest) -> Result:
        """V5d: a one-time code for two minutes and one check-in; only its commitment comes here before it is used."""
        return certificates.show(ctx, certificate, commitment)

    # -- postings (V3, V13) --------------------------------------------------------------------------------------------

    @call(roles=[APP])
    def ask_for_posting(
        self, ctx: Context, requester: Pseudonym, kind: Kind, place: Place, starts_ms: TimeMs, ends_ms: TimeMs,
        withdraw_until_ms: TimeMs, capacity: Capacity = 1, skills: Skills = (), detail: Commitment = "",
    ) -> Result:  # fmt: skip
        """V3b: a facility or resident asks for volunteers; an officer publishes it."""
        wanted = Wanted(
            kind, place, starts_ms, ends_ms, withdraw_until_ms, capacity, skills, selection="first_come", detail=detail
        )
        return postings.ask(ctx, requester, wanted)

    @call(roles=[OFFICER])
    def post(
        self, ctx: Context, kind: Kind, place: Place, starts_ms: TimeMs, ends_ms: TimeMs, withdraw_until_ms: TimeMs,
        capacity: Capacity = 1, skills: Skills = (), selection: Selection = "first_come", detail: Commitment = "",
        requester: OptionalCode = "", shelter: OptionalCode = "",
    ) -> Result:  # fmt: skip
        """V3b, V13: an officer publishes the municipality's own, a requester's, or one for a shelter."""
        wanted = Wanted(
            kind, place, starts_ms, ends_ms, withdraw_until_ms, capacity, skills, selection, detail, shelter
        )
        return postings.post(ctx, requester, wanted)

    @call(roles=POSTING.roles("publish"))
    def publish_posting(self, ctx: Context, posting: Code, selection: Selection = "first_come") -> Result:
        """V3b: an officer publishes what was asked for."""
        return postings.publish(ctx, posting, selection)

    @call(roles=POSTING.roles("decline"))
    def decline_posting(self, ctx: Context, posting: Code, why: Why = "") -> Result:
        """V3b: an officer does not publish it."""
        return postings.decline(ctx, posting, why)

    @call(roles=POSTING.roles("cancel"))
    def cancel_posting(self, ctx: Context, posting: Code, requester: OptionalCode = "", why: Why = "") -> Result:
        """V3b: it does not take place. `requester`: who is signed in; an officer leaves it empty, here and below."""
        return applications.cancel_posting(ctx, posting, requester, why)

    @call(roles=[OFFICER])
    def change_capacity(self, ctx: Context, posting: Code, capacity: Capacity) -> Result:
        """V3e: more or fewer places."""
        return applications.change_capacity(ctx, posting, capacity)

    # -- applications (V3c to V3e) -------------------------------------------------------------------------------------

    @call(roles=APPLICATION.roles("apply"))
    def apply(self, ctx: Context, posting: Code, volunteer: Pseudonym, people: People = 1) -> Result:
        """V3c, V3e: a volunteer applies; a group says how many come. `status` in the result says what became of it."""
        return applications.apply(ctx, posting, volunteer, people)

    @call(roles=APPLICATION.roles("accept"))
    def accept_application(self, ctx: Context, posting: Code, volunteer: Pseudonym) -> Result:
        """V3d: an officer accepts an application that is reviewed; without a place left the volunteer waits."""
        return applications.accept(ctx, posting, volunteer)

    @call(roles=APPLICATION.roles("decline"))
    def decline_application(self, ctx: Context, posting: Code, volunteer: Pseudonym, why: Why = "") -> Result:
        """V3d: an officer does not accept it, or takes the place back."""
        return applications.decline(ctx, posting, volunteer, why)

    @call(roles=APPLICATION.roles("withdraw"))
    def withdraw_application(self, ctx: Context, posting: Code, volunteer: Pseudonym) -> Result:
        """V3e: until the deadline; after it an officer does it. The next who waits has the place."""
        return applications.withdraw(ctx, posting, volunteer)

    @call(roles=[APP, OFFICER])
    def promote(self, ctx: Context, posting: Code) -> Result:
        """V3e: free places to those who wait, where one call did not fill them all."""
        return applications.go_on_promoting(ctx, posting)

    @call(roles=APPLICATION.roles("miss"))
    def mark_no_show(self, ctx: Context, posting: Code, volunteer: Pseudonym, requester: OptionalCode = "") -> Result:
        """V3e: somebody who was accepted did not come."""
        return applications.miss(ctx, posting, volunteer, requester)

    # -- direct requests (V4) ------------------------------------------------------------------------------------------

    @call(roles=[APP])
    def ask_volunteer(
        self, ctx: Context, requester: Pseudonym, volunteer: Pseudonym, kind: Kind, place: Place, starts_ms: TimeMs,
        ends_ms: TimeMs, detail: Commitment = "",
    ) -> Result:  # fmt: skip
        """V4b: a facility or resident asks one volunteer."""
        return asks.ask(
            ctx, requester_id=requester, volunteer_id=volunteer, kind=kind, place=place, starts_ms=starts_ms,
            ends_ms=ends_ms, detail=detail,
        )  # fmt: skip

    @call(roles=ASK.roles("forward"))
    def forward_ask(self, ctx: Context, ask: Code) -> Result:
        """V4c: an officer has checked it and passes it on to the volunteer."""
        return asks.forward(ctx, ask)

    @call(roles=ASK.roles("refuse"))
    def refuse_ask(self, ctx: Context, ask: Code) -> Result:
        """V4c: an officer finds that it does not fit."""
        return asks.refuse(ctx, ask)

    @call(roles=ASK.roles("consent"))
    def consent_to_ask(self, ctx: Context, ask: Code, volunteer: Pseudonym) -> Result:
        """V4d: the volunteer consents, and has the place."""
        return asks.consent(ctx, ask, volunteer)

    @call(roles=ASK.roles("decline"))
    def decline_ask(self, ctx: Context, ask: Code, volunteer: Pseudonym) -> Result:
        """V4e: the volunteer says no, without a reason."""
        return asks.decline(ctx, ask, volunteer)

    @call(roles=ASK.roles("cancel"))
    def cancel_ask(self, ctx: Context, ask: Code, requester: OptionalCode = "") -> Result:
        """V4b: taken back before it is confirmed."""
        return asks.cancel(ctx, ask, requester)

    # -- activities (V5) -----------------------------------------------------------------------------------------------

    @call(roles=APPLICATION.roles("begin"))
    def check_in(
        self, ctx: Context, posting: Code, code: ShownCode, requester: OptionalCode = "",
        occurred_ms: TimeMs | None = None,
    ) -> Result:  # fmt: skip
        """V5a, V5b: the receiving side has read the code on the volunteer's phone; sent later with its own time."""
        at_ms = ctx.time_ms if occurred_ms is None else occurred_ms
        return activities.check_in_with_code(
            ctx, posting_id=posting, code=code, requester_id=requester, occurred_ms=at_ms
        )

    @call(roles=APPLICATION.roles("begin"))
    def check_in_with_pin(
        self, ctx: Context, posting: Code, volunteer: Pseudonym, occurred_ms: TimeMs | None = None
    ) -> Result:
        """V5b, V5d: confirmed with the PIN of the requester's household card."""
        at_ms = ctx.time_ms if occurred_ms is None else occurred_ms
        return activities.check_in_with_pin(ctx, posting_id=posting, volunteer_id=volunteer, occurred_ms=at_ms)

    @call(roles=[OFFICER])
    def enter_activity(
        self, ctx: Context, posting: Code, volunteer: Pseudonym, started_ms: TimeMs, ended_ms: TimeMs, path: Path
    ) -> Result:
        """V5d: an officer enters start and end afterwards, from paper or from what was kept without a network."""
        return activities.enter(
            ctx, posting_id=posting, volunteer_id=volunteer, started_ms=started_ms, ended_ms=ended_ms, path=path
        )

    @call(roles=ACTIVITY.roles("end"))
    def check_out(
        self, ctx: Context, activity: Code, requester: OptionalCode = "", occurred_ms: TimeMs | None = None
    ) -> Result:
        """V5c: over, with the requester's confirmation."""
        return activities.check_out(ctx, activity, requester, ctx.time_ms if occurred_ms is None else occurred_ms)

    @call(roles=[OFFICER])
    def correct_end(self, ctx: Context, activity: Code, ended_ms: TimeMs) -> Result:
        """V5c: an officer puts a wrong or forgotten end right, before approval."""
        return activities.correct_end(ctx, activity, ended_ms)

    @call(roles=ACTIVITY.roles("void"))
    def void_activity(self, ctx: Context, activity: Code, why: Why = "") -> Result:
        """V5b: the check-in was a mistake."""
        return activities.void(ctx, activity, why)

    # -- reports and points (V6) ---------------------------------------------------------------------------------------

    @call(roles=ACTIVITY.roles("report"))
    def report(
        self, ctx: Context, activity: Code, outcome: Outcome, requester: OptionalCode = "", text: Commitment = ""
    ) -> Result:
        """V6a: the facility or resident reports on the work."""
        return activities.report(ctx, activity, requester, outcome, text)

    @call(roles=ACTIVITY.roles("return"))
    def return_report(self, ctx: Context, activity: Code, why: Why = "") -> Result:
        """V6b: an officer asks for another report."""
        return activities.give_back(ctx, activity, why)

    @call(roles=ACTIVITY.roles("approve"))
    def approve_report(self, ctx: Context, activity: Code, minutes: Minutes | None = None) -> Result:
        """V6b, V7a, V7b: an officer approves, and points are paid: once, by the rule of that day, within its caps."""
        return rules.approve(ctx, activity, minutes)

    @call(roles=ACTIVITY.roles("reject"))
    def reject_report(self, ctx: Context, activity: Code, why: Why = "") -> Result:
        """V6b: an officer does not approve it; nothing is paid."""
        return activities.reject(ctx, activity, why)

    @call(roles=[OFFICER, ADMIN])
    def set_rule(
        self, ctx: Context, points: RulePoints, first_day: Day, last_day: Day, kinds: Kinds = (),
        unit_minutes: UnitMinutes = 60, daily_cap: Cap = 0, yearly_cap: Cap = 0, lot_months: LotMonths = 12,
    ) -> Result:  # fmt: skip
        """V6b: points for every full `unit_minutes` (0: for each activity), from one day to another, within caps."""
        rule = Rule(
            ctx.new_id("rule"), ctx.sender.organisation, kinds, points, unit_minutes, first_day, last_day, daily_cap,
            yearly_cap, lot_months, set_by=ctx.sender.account_id,
        )  # fmt: skip
        return rules.set_rule(ctx, rule)

    @call(roles=[OFFICER, ADMIN])
    def end_rule(self, ctx: Context, rule: Code, last_day: Day) -> Result:
        """V6b: a rule ends earlier than was set, today at the earliest."""
        return rules.end_rule(ctx, rule, last_day)

    # -- mail (V9) -----------------------------------------------------------------------------------------------------

    @call(roles=[APP])
    def record_mail(
        self, ctx: Context, mail: Code, kind: MailKind, recipient: Hash, volunteer: Pseudonym, about: OptionalCode = ""
    ) -> Result:
        """V9: the fact that a mail about a volunteer was accepted by the mail server, once; `recipient` is a salted
        hash, `about` the posting, request or activity that it tells of.
        """
        if MAILS.get(ctx.state, mail) is not None:
            raise Refused(VolunteersReason.MAIL_RECORDED)
        members.known(ctx, volunteer)
        MAILS.put(ctx.state, mail, Mail(kind, recipient, volunteer, about, ctx.time_ms))
        ctx.emit("mail_sent", [members.subject(volunteer)], kind=kind, about=about)
        return None
