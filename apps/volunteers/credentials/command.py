"""`daicho credential verify` and `show`: a volunteer's certificate checked or read from its file, without a network."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from apps.volunteers.credentials import findings
from apps.volunteers.credentials.certificate import Certificate, Publisher, read_certificate
from apps.volunteers.credentials.checking import Terms, Valid, check_certificate, issuer_of
from apps.volunteers.credentials.did import BadDid, DidDocument, read_document, web_did_url
from apps.volunteers.credentials.findings import Fault, Unreadable
from apps.volunteers.credentials.jcs import BadJson, JsonObject, read_object
from apps.volunteers.credentials.presentation import Asked, certificate_in, check_presentation, is_presentation
from apps.volunteers.credentials.times import read_stamp, write_stamp
from edge.command_line.checking import NOT_CHECKED, Unchecked
from edge.console import REFUSED, Failure, existing_file, json_option, language, show
from ledger.refusal import Reason, Refused, Text


class CredentialFileReason(Reason):
    UNREADABLE_FILE = Text("{path} を読めません: {detail}", "{path} cannot be used: {detail}")
    NO_ISSUER_DOCUMENT = Text(
        "発行者 {issuer} の鍵が必要です。{url} を保存し、--did で指定してください",
        "whether {issuer} signed it cannot be told without its keys. Remedy: save {url} and name it with --did",
    )


def _point_in_time(context: click.Context, parameter: click.Parameter, value: str | None) -> int:
    if value is None:
        return int(time.time() * 1000)
    try:
        return read_stamp(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@click.group()
def credential() -> None:
    """Volunteers' certificates (W3C Verifiable Credentials), from their files alone."""


@credential.command()
@click.argument("file", type=existing_file)
@click.option("--did", "did_files", type=existing_file, multiple=True, help="DID document (did.json) of who to trust.")
@click.option(
    "--status", "status_files", type=existing_file, multiple=True, help="A status list: of revocation, of suspension."
)
@click.option("--at", "now_ms", callback=_point_in_time, help="Check as of then (2026-07-15T10:00:00+09:00); else now.")
@click.option("--challenge", default="", help="For a presentation: what its holder was asked to sign.")
@click.option("--domain", default="", help="For a presentation: who asked.")
@json_option
def verify(
    file: Path,
    did_files: tuple[Path, ...],
    status_files: tuple[Path, ...],
    now_ms: int,
    challenge: str,
    domain: str,
    as_json: bool,
) -> None:
    """Check a certificate, or a presentation of one: who signed it, its time, whether it is revoked or suspended.

    Exit codes: 0 valid; 1 not, with the reason; 2 it cannot be told with the files given.

    \b
    Examples:
      daicho credential verify certificate.json --did did.json --status revocation.json --status suspension.json
      daicho credential verify shown.json --did did.json --status revocation.json --status suspension.json \\
        --challenge b3JhbmdlIGJsb3Nzb20 --domain https://facility.example.lg.jp
    """
    issuers = [_issuer(path, as_json) for path in did_files]
    terms = Terms(issuers, [_read(path, as_json) for path in status_files], now_ms)
    found: Valid | Fault
    try:
        secured = read_object(file.read_bytes())
    except (OSError, BadJson) as error:
        found = Unreadable(str(error))
    else:
        if not issuers:
            raise _no_issuer(issuer_of(certificate_in(secured) or secured), as_json)
        if not is_presentation(secured):
            found = check_certificate(secured, terms)
        elif challenge:
            found = check_presentation(secured, Asked(challenge, domain), terms)
        else:
            raise click.UsageError("this is a presentation: name what its holder was asked to sign with --challenge")
    _tell(found, now_ms, as_json)


@credential.command("show")
@click.argument("file", type=existing_file)
@json_option
def show_file(file: Path, as_json: bool) -> None:
    """What a certificate says, unchecked.

    \b
    Example:
      daicho credential show certificate.json
    """
    secured = _read(file, as_json)
    secured = certificate_in(secured) or secured
    document = {name: value for name, value in secured.items() if name != "proof"}
    try:
        certificate, publisher = read_certificate(document)
    except (ValueError, Refused) as error:
        raise _unreadable(file, error, as_json) from None
    says = _says(certificate, publisher)
    show(as_json, {"checked": False, "certificate": says}, "NOT CHECKED, it says:", *_lines(says))


# -- files -------------------------------------------------------------------------------------------------------------


def _read(path: Path, as_json: bool) -> JsonObject:
    try:
        return read_object(path.read_bytes())
    except (OSError, BadJson) as error:
        raise _unreadable(path, error, as_json) from None


def _issuer(path: Path, as_json: bool) -> DidDocument:
    try:
        return read_document(_read(path, as_json))
    except BadDid as error:
        raise _unreadable(path, error, as_json) from None


def _unreadable(path: Path, error: Exception, as_json: bool) -> Failure:
    return _failure(CredentialFileReason.UNREADABLE_FILE, {"path": str(path), "detail": str(error)[:300]}, as_json)


def _no_issuer(issuer: str, as_json: bool) -> Failure:
    try:
        url = web_did_url(issuer)
    except BadDid:
        url = "did.json"
    return _failure(CredentialFileReason.NO_ISSUER_DOCUMENT, {"issuer": issuer[:200] or "?", "url": url}, as_json)


def _failure(reason: CredentialFileReason, params: Mapping[str, str], as_json: bool) -> Failure:
    return Unchecked(reason.code, reason.text("ja", params), reason.text("en", params), params, as_json=as_json)


# -- what is told ------------------------------------------------------------------------------------------------------


def _tell(found: Valid | Fault, now_ms: int, as_json: bool) -> None:
    """The result, and the exit code that goes with it."""
    if isinstance(found, Valid):
        says = _says(found.certificate, found.publisher)
        as_of = write_stamp(found.as_of_ms)
        show(
            as_json,
            {"ok": True, "code": "valid", "at": write_stamp(now_ms), "status_as_of": as_of, "certificate": says},
            f"VALID on {write_stamp(now_ms)}, neither revoked nor suspended as of {as_of}:",
            *_lines(says),
        )
        return
    reason, params = findings.reason_of(found)
    undecided = isinstance(found, findings.Undecided)
    show(
        as_json,
        {
            "ok": None if undecided else False,
            "code": reason.code,
            "at": write_stamp(now_ms),
            "message": reason.text("en", params),
            "message_ja": reason.text("ja", params),
            "params": params,
        },
        f"{'CANNOT BE TOLD' if undecided else 'NOT VALID'}: {reason.text(language(), params)}",
    )
    raise click.exceptions.Exit(NOT_CHECKED if undecided else REFUSED)


def _says(certificate: Certificate, publisher: Publisher) -> dict[str, object]:
    return {
        **asdict(certificate),
        "valid_from": write_stamp(certificate.valid_from_ms),
        "valid_until": write_stamp(certificate.valid_until_ms),
        "municipality": publisher.municipality,
        "issuer": publisher.did,
        "issuer_name": publisher.name,
    }


def _lines(says: Mapping[str, object]) -> Sequence[str]:
    skills = says["skills"]
    return [
        f"  number        {says['number']}",
        *([f"  name          {says['name']}"] if says["name"] else []),
        f"  pseudonym     {says['pseudonym']}",
        f"  municipality  {says['municipality']} {says['issuer_name']}",
        f"  issuer        {says['issuer']}",
        f"  holder        {says['holder']}",
        f"  skills        {', '.join(skills) if isinstance(skills, tuple) else ''}",
        f"  valid         {says['valid_from']} – {says['valid_until']}",
    ]
