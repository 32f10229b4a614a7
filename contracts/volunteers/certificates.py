"""証明書: issued, suspended, resumed, revoked, expired, reissued under a new number; and the codes that show one."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.points.types import newest_first
from contracts.volunteers import members, tables
from contracts.volunteers.reasons import VolunteersReason
from contracts.volunteers.tables import (
    CERTIFICATES,
    CERTIFICATES_IN,
    CERTIFICATES_OF,
    PRESENTATIONS,
    REGISTERS,
    STATUS_BITS,
)
from contracts.volunteers.transitions import CERTIFICATE
from contracts.volunteers.types import (
    MAX_CHANGES,
    MAX_VALID_MS,
    Certificate,
    CertificateStatus,
    Change,
    Presentation,
    Purpose,
    Register,
    Standing,
    Volunteer,
)
from ledger.contract import Context, Result
from ledger.crypto import tagged_hash
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused
from ledger.table import Mark

SECOND_MS = 1_000
SHOWN_MS = 2 * 60 * 1_000
"""A shown code is good for two minutes."""
SHOWING_TAG = b"daicho/volunteers/showing/1"
MAX_LOOKED_AT = 20
"""Certificates of one volunteer, from the newest on, that work entered later is compared with."""
BITS: Mapping[CertificateStatus, Purpose] = {"revoked": "revocation", "suspended": "suspension"}
PURPOSES: tuple[Purpose, ...] = ("revocation", "suspension")


def showing_commitment(code: str) -> str:
    """64 hexadecimal digits. No salt: the code is 80 random bits that live for two minutes."""
    return tagged_hash(SHOWING_TAG, code.encode()).hex()


def subjects(made: Certificate) -> list[str]:
    return [f"certificate:{made.certificate}", members.subject(made.volunteer)]


def known(ctx: Context, certificate_id: str) -> Certificate:
    found = CERTIFICATES.get(ctx.state, certificate_id)
    if found is None:
        raise Refused(VolunteersReason.NO_CERTIFICATE, certificate=certificate_id)
    members.own(ctx, found.municipality)
    return found


def there(state: Reader, certificate_id: str) -> Certificate:
    """A certificate to which one of our own rows leads."""
    found = CERTIFICATES.get(state, certificate_id)
    if found is None:
        raise BrokenInvariant(f"a row leads to the certificate {certificate_id}, which is not there")
    return found


def is_over(made: Certificate, at_ms: int) -> bool:
    """Whether its time is over: the last second still counts, whole."""
    return at_ms >= made.valid_until_ms + SECOND_MS


def standing(made: Certificate, at_ms: int) -> Standing:
    """What it is worth at a moment, also one that has passed. A revoked one stays revoked after its time."""
    status = "issued"
    for change in made.changes:
        if change.at_ms <= at_ms:
            status = change.status
    if status == "revoked":
        return "revoked"
    if is_over(made, at_ms):
        return "expired"
    if at_ms < made.valid_from_ms:
        return "not_yet_valid"
    return "suspended" if status == "suspended" else "valid"


def valid_at(ctx: Context, person: Volunteer, at_ms: int) -> Certificate:
    """V5a: the volunteer's certificate that was valid then; refused with what the newest one was."""
    page = CERTIFICATES_OF.page(ctx.state, prefix=f"{person.volunteer}/", limit=MAX_LOOKED_AT)
    made = [there(ctx.state, row.id) for _, row in page]
    if not made:
        raise Refused(VolunteersReason.NEVER_ISSUED, volunteer=person.volunteer)
    for one in made:
        if standing(one, at_ms) == "valid":
            return one
    raise not_valid(made[0], at_ms)


def not_valid(made: Certificate, at_ms: int) -> Refused:
    return Refused(VolunteersReason.CERTIFICATE_NOT_VALID, certificate=made.certificate, standing=standing(made, at_ms))


# -- the one place where certificates are written ----------------------------------------------------------------------


def _save(ctx: Context, made: Certificate) -> None:
    """With the bits of the status lists: what is revoked, and what is suspended, now."""
    CERTIFICATES.put(ctx.state, made.certificate, made)
    for purpose in PURPOSES:
        row_id = f"{made.municipality}/{purpose}/{made.status_index:09d}"
        if BITS.get(made.status) == purpose:
            STATUS_BITS.put(ctx.state, row_id, Mark())
        elif STATUS_BITS.get(ctx.state, row_id) is not None:
            STATUS_BITS.delete(ctx.state, row_id)


def issue(ctx: Context, person: Volunteer, valid_until_ms: int) -> Certificate:
    """V2c: a certificate under a number of its own, valid from this second on. The caller saves the volunteer."""
    if valid_until_ms % SECOND_MS or not 0 < valid_until_ms - ctx.time_ms <= MAX_VALID_MS:
        raise Refused(VolunteersReason.BAD_VALIDITY)
    municipality = person.municipality
    register = REGISTERS.get(ctx.state, municipality) or Register(0)
    made = Certificate(
        certificate=ctx.new_id("cert"),
        volunteer=person.volunteer,
        municipality=municipality,
        status="issued",
        status_index=register.certificates,
        digest="",
        valid_from_ms=ctx.time_ms - ctx.time_ms % SECOND_MS,
        valid_until_ms=valid_until_ms,
        issued_ms=ctx.time_ms,
        issued_by=ctx.sender.account_id,
        changes=(Change("issued", ctx.time_ms),),
        why="",
        replaced_by="",
    )
    REGISTERS.put(ctx.state, municipality, Register(register.certificates + 1))
    _save(ctx, made)
    row_id = f"{person.volunteer}/{newest_first(ctx.time_ms)}/{made.certificate}"
    tables.index(ctx.state, CERTIFICATES_OF, row_id, made.certificate, listed=True)
    place = f"{municipality}/{made.status_index:09d}"
    tables.index(ctx.state, CERTIFICATES_IN, place, made.certificate, listed=True)
    ctx.emit("certificate_issued", subjects(made), status_index=made.status_index, valid_until_ms=valid_until_ms)
    return made


def record_digest(ctx: Context, certificate_id: str, digest: str) -> Result:
    """V5d: the application has made and signed the credential; again when it was signed with another key."""
    made = known(ctx, certificate_id)
    _save(ctx, msgspec.structs.replace(made, digest=digest))
    ctx.emit("credential_recorded", subjects(made), digest=digest)
    return None


def change(ctx: Context, made: Certificate, name: str, why: str) -> Certificate:
    """V2f: one of the transitions of the table. What has expired takes none but `expire`."""
    over = is_over(made, ctx.time_ms) and made.status in ("issued", "suspended")
    if name == "expire" and not over:
        CERTIFICATE.after(name, made.status, made.certificate)
        raise Refused(VolunteersReason.NOT_EXPIRED, certificate=made.certificate)
    status = CERTIFICATE.after(name, "expired" if over and name != "expire" else made.status, made.certificate)
    if len(made.changes) >= MAX_CHANGES and status in ("issued", "suspended"):
        raise Refused(VolunteersReason.TOO_MANY_CHANGES, certificate=made.certificate)
    changes = (*made.changes, Change(status, ctx.time_ms))
    made = msgspec.structs.replace(made, status=status, changes=changes, why=why)
    _save(ctx, made)
    ctx.emit(f"certificate_{EVENTS[name]}", subjects(made), why=why)
    return made


EVENTS: Mapping[str, str] = {"suspend": "suspended", "resume": "resumed", "revoke": "revoked", "expire": "expired"}


def reissue(ctx: Context, person: Volunteer, valid_until_ms: int) -> Certificate:
    """V2f: a new number and place in the status lists; the one before is revoked unless it has ended."""
    before = there(ctx.state, person.certificate) if person.certificate else None
    if before is not None and before.status in ("issued", "suspended") and not is_over(before, ctx.time_ms):
        before = change(ctx, before, "revoke", "reissued")
    made = issue(ctx, person, valid_until_ms)
    if before is not None:
        _save(ctx, msgspec.structs.replace(before, replaced_by=made.certificate))
    return made


# -- showing it --------------------------------------------------------------------------------------------------------


def show(ctx: Context, certificate_id: str, commitment: str) -> Result:
    """V5d: the volunteer's phone is about to show a one-time code, good for two minutes."""
    made = known(ctx, certificate_id)
    if standing(made, ctx.time_ms) != "valid":
        raise not_valid(made, ctx.time_ms)
    if PRESENTATIONS.get(ctx.state, commitment) is not None:
        raise Refused(VolunteersReason.CODE_SHOWN)
    expires_ms = ctx.time_ms + SHOWN_MS
    shown = Presentation(certificate_id, made.volunteer, ctx.time_ms, expires_ms, None, "")
    PRESENTATIONS.put(ctx.state, commitment, shown)
    ctx.emit("certificate_shown", subjects(made), expires_ms=expires_ms)
    return {"expires_ms": expires_ms}


def presented(ctx: Context, code: str, at_ms: int) -> Presentation:
    """The presentation of a code that can be used for a check-in at `at_ms`. Used comes before too late."""
    shown = PRESENTATIONS.get(ctx.state, showing_commitment(code))
    if shown is None:
        raise Refused(VolunteersReason.CODE_UNKNOWN)
    if shown.used_ms is not None:
        raise Refused(VolunteersReason.CODE_SPENT)
    if not shown.shown_ms <= at_ms < shown.expires_ms:
        raise Refused(VolunteersReason.CODE_STALE)
    return shown


def spend(ctx: Context, code: str, shown: Presentation, activity_id: str) -> None:
    used = msgspec.structs.replace(shown, used_ms=ctx.time_ms, activity=activity_id)
    PRESENTATIONS.put(ctx.state, showing_commitment(code), used)


def end(ctx: Context, person: Volunteer) -> None:
    """Of somebody who leaves."""
    if not person.certificate:
        return
    newest = there(ctx.state, person.certificate)
    if newest.status in ("issued", "suspended") and not is_over(newest, ctx.time_ms):
        change(ctx, newest, "revoke", "left")
