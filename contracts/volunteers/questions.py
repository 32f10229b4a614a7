"""The queries of the volunteers contract."""

from __future__ import annotations

from typing import Annotated

import msgspec

from contracts.paging import After, Limit
from contracts.volunteers import certificates, queries
from contracts.volunteers.tables import ACTIVITIES, APPLICATIONS, ASKS, POSTINGS, REQUESTERS, RULES
from contracts.volunteers.types import (
    Activity,
    ActivityStatus,
    Application,
    Ask,
    AskStatus,
    Code,
    Digest,
    Minutes,
    OptionalCode,
    Posting,
    PostingStatus,
    Pseudonym,
    Purpose,
    Requester,
    Rule,
    VolunteerStatus,
)
from ledger.contract import Contract, QueryContext, query
from ledger.types import MunicipalCode, TimeMs

ShownCode = Annotated[str, msgspec.Meta(min_length=12, max_length=64)]
"""The one-time code in the QR code on a volunteer's phone: unguessable."""


class VolunteerQueries(Contract):
    """Base of the contract: what can be asked. Standings are as of the head's time."""

    @query
    def volunteer(self, ctx: QueryContext, volunteer: Pseudonym) -> queries.VolunteerView | None:
        """V8: one volunteer."""
        return queries.volunteer(ctx.state, volunteer, ctx.time_ms)

    @query
    def volunteers(
        self, ctx: QueryContext, municipality: MunicipalCode, status: VolunteerStatus = "registered",
        after: After = "", limit: Limit = 100,
    ) -> queries.VolunteerPage:  # fmt: skip
        """V2b: a municipality's volunteers in one status, in the order of applying."""
        return queries.volunteers(ctx.state, municipality, status, ctx.time_ms, after, limit)

    @query
    def candidates(
        self, ctx: QueryContext, municipality: MunicipalCode, skill: OptionalCode = "", after: After = "",
        limit: Limit = 100,
    ) -> queries.VolunteerPage:  # fmt: skip
        """V4a, V4e: registered volunteers with a skill; who was asked least lately comes first."""
        return queries.candidates(ctx.state, municipality, skill, ctx.time_ms, after, limit)

    @query
    def requester(self, ctx: QueryContext, requester: Pseudonym) -> Requester | None:
        """V11: one facility or resident who asks for help."""
        return REQUESTERS.get(ctx.state, requester)

    @query
    def requesters(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.RequesterPage:
        """V11: a municipality's requesters by id."""
        return queries.requesters(ctx.state, municipality, after, limit)

    @query
    def certificate(self, ctx: QueryContext, certificate: Code) -> queries.CertificateView | None:
        """V5a: one certificate by its number, and what it is worth now."""
        return queries.certificate(ctx.state, certificate, ctx.time_ms)

    @query
    def certificates(
        self, ctx: QueryContext, volunteer: Pseudonym, after: After = "", limit: Limit = 100
    ) -> queries.CertificatePage:
        """V2f: a volunteer's certificates, newest first."""
        return queries.certificates_of(ctx.state, volunteer, ctx.time_ms, after, limit)

    @query
    def certificates_in(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.CertificatePage:
        """V2f: a municipality's certificates in the order of their places in the status lists."""
        return queries.certificates_in(ctx.state, municipality, ctx.time_ms, after, limit)

    @query
    def status_bits(
        self, ctx: QueryContext, municipality: MunicipalCode, purpose: Purpose, after: After = "", limit: Limit = 100
    ) -> queries.BitPage:
        """V5d: the places that are set in the list of revoked or of suspended certificates."""
        return queries.status_bits(ctx.state, municipality, purpose, after, limit)

    @query
    def presentation(self, ctx: QueryContext, code: ShownCode) -> queries.PresentationView | None:
        """V5a: what a shown code leads to, without using it."""
        return queries.presentation(ctx.state, certificates.showing_commitment(code), ctx.time_ms)

    @query
    def presentation_of(self, ctx: QueryContext, commitment: Digest) -> queries.PresentationView | None:
        """V5d: the same by its commitment, for the phone that shows it."""
        return queries.presentation(ctx.state, commitment, ctx.time_ms)

    @query
    def posting(self, ctx: QueryContext, posting: Code) -> Posting | None:
        """V3a: one posting."""
        return POSTINGS.get(ctx.state, posting)

    @query
    def postings(
        self, ctx: QueryContext, municipality: MunicipalCode, status: PostingStatus = "published", after: After = "",
        limit: Limit = 100,
    ) -> queries.PostingPage:  # fmt: skip
        """V3a, V3b: a municipality's postings in one status, by start; those of direct requests are not among them."""
        return queries.postings(ctx.state, municipality, status, after, limit)

    @query
    def calendar(
        self, ctx: QueryContext, from_ms: TimeMs = 0, after: After = "", limit: Limit = 100
    ) -> queries.PostingPage:
        """V3a, X6: what is published in all municipalities and starts from then on, by start."""
        return queries.calendar(ctx.state, from_ms, after, limit)

    @query
    def requester_postings(
        self, ctx: QueryContext, requester: Pseudonym, after: After = "", limit: Limit = 100
    ) -> queries.PostingPage:
        """V3b: what a requester has asked for, latest start first."""
        return queries.postings_of(ctx.state, requester, after, limit)

    @query
    def application(self, ctx: QueryContext, posting: Code, volunteer: Pseudonym) -> Application | None:
        """V3c: a volunteer's application to one posting."""
        return APPLICATIONS.get(ctx.state, f"{posting}/{volunteer}")

    @query
    def applications(
        self, ctx: QueryContext, posting: Code, after: After = "", limit: Limit = 100
    ) -> queries.ApplicationPage:
        """V3c: all applications to a posting; their numbers are their order."""
        return queries.applications_to(ctx.state, posting, after, limit)

    @query
    def volunteer_applications(
        self, ctx: QueryContext, volunteer: Pseudonym, after: After = "", limit: Limit = 100
    ) -> queries.ApplicationPage:
        """V8: a volunteer's applications, latest start first."""
        return queries.applications_of(ctx.state, volunteer, after, limit)

    @query
    def ask(self, ctx: QueryContext, ask: Code) -> Ask | None:
        """V4b: one direct request."""
        return ASKS.get(ctx.state, ask)

    @query
    def asks(
        self, ctx: QueryContext, municipality: MunicipalCode, status: AskStatus = "asked", after: After = "",
        limit: Limit = 100,
    ) -> queries.AskPage:  # fmt: skip
        """V4c: a municipality's direct requests in one status, oldest first."""
        return queries.asks_in(ctx.state, municipality, status, after, limit)

    @query
    def asks_of(self, ctx: QueryContext, who: Pseudonym, after: After = "", limit: Limit = 100) -> queries.AskPage:
        """V4b, V4d: the direct requests to a volunteer or of a requester, newest first."""
        return queries.asks_of(ctx.state, who, after, limit)

    @query
    def activity(self, ctx: QueryContext, activity: Code) -> Activity | None:
        """V5b: one activity."""
        return ACTIVITIES.get(ctx.state, activity)

    @query
    def activities(
        self, ctx: QueryContext, municipality: MunicipalCode, status: ActivityStatus, after: After = "",
        limit: Limit = 100,
    ) -> queries.ActivityPage:  # fmt: skip
        """V6b: a municipality's activities in one status, latest first."""
        return queries.activities_in(ctx.state, municipality, status, after, limit)

    @query
    def activities_of(
        self, ctx: QueryContext, who: Pseudonym, after: After = "", limit: Limit = 100
    ) -> queries.ActivityPage:
        """V1a, V8: what a volunteer has done, or what was done for a requester, latest first."""
        return queries.activities_of(ctx.state, who, after, limit)

    @query
    def due(self, ctx: QueryContext, activity: Code, minutes: Minutes | None = None) -> queries.DueView | None:
        """V6b: what approving an activity would pay, and what the caps leave before."""
        return queries.due(ctx.state, activity, minutes)

    @query
    def public_activities(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.PublicPage:
        """V1a, V1b: approved activities, latest first, without those volunteers who do not want to be shown."""
        return queries.public_activities(ctx.state, municipality, after, limit)

    @query
    def contributions(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.ContributionPage:
        """V13: approved activities by month, kind and area."""
        return queries.contributions(ctx.state, municipality, after, limit)

    @query
    def rule(self, ctx: QueryContext, rule: Code) -> Rule | None:
        """V6b: one rule."""
        return RULES.get(ctx.state, rule)

    @query
    def rules(
        self, ctx: QueryContext, municipality: MunicipalCode, after: After = "", limit: Limit = 100
    ) -> queries.RulePage:
        """V6b: a municipality's rules by their first day."""
        return queries.rules_in(ctx.state, municipality, after, limit)
