"""Running nodes audited over HTTP: the first is executed again, the others must show the same, with their own proofs.

Two nodes that show different blocks at one height are the oldest fraud there is: another book for the auditor. What
each of them showed there, with its certificate, is the evidence.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from edge.verify import Terms, auditing, run
from ledger import rules
from ledger.audit import Audit, AuditReason, AuditReport, Fault, StoredBlock, fault_at
from ledger.chain import header_of
from ledger.encoding import unpack
from ledger.refusal import Reason, Refused, Text
from ledger.types import Certificate

HTTP_TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
PAGE_BLOCKS = 200
MAX_ERROR_BYTES = 4_096


class UrlReason(Reason):
    NO_ANSWER = Text(
        "{url} から応答がありません: {detail}",
        "{url} does not answer as a node does: {detail}. Is it running, and may you read it (daicho status)?",
    )
    BEHIND = Text(
        "{url} は高さ {height} で、前回の検証({expected})より前です。追いつくまで待ってください",
        "{url} stands at {height}, before the checkpoint at {expected}: wait, or ask another node",
    )
    SPLIT_VIEW = Text(
        "{first} と {second} は高さ {height} で異なるブロックを示しています",
        "{first} and {second} show different blocks at height {height}",
    )
    NOT_SHOWN = Text(
        "{url} は高さ {last} にあると言いながらブロック {height} を示しません",
        "{url} says that it stands at {last}, and does not show block {height}",
    )
    WRONG_ANSWER = Text("{url} の {what} は正しくありません", "{url} shows a wrong {what}")


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    block: bytes
    certificate: bytes | None
    receipts: tuple[bytes, ...]
    validators: bytes = b""


_entries = msgspec.msgpack.Decoder(_Entry)


@dataclass(slots=True)
class Asked:
    """A node that was asked, and the last height that it has shown; -1 if it showed nothing."""

    url: str
    height: int = -1


def verify_urls(urls: Sequence[str], terms: Terms, *, token: str | None = None) -> tuple[AuditReport, list[Asked]]:
    """Audit running nodes: the report, and how far each node was compared, the one that was executed first.

    That is the one which says that it has the most blocks: whoever holds blocks back is only behind, and seen to be.
    Fault `split_view` names the height where two nodes part, with what both show there as evidence.
    """
    says = {url: _fetch(url, terms.first, 1, token)[0] for url in urls}
    asked = [Asked(url) for url in sorted(says, key=lambda url: -says[url])]
    height = says[asked[0].url]
    if height < terms.first:
        raise Refused(UrlReason.BEHIND, url=asked[0].url, height=height, expected=terms.first)
    streams = [blocks_over_http(node.url, height, token, first=terms.first) for node in asked]
    with auditing(terms) as (audit, checks):
        # Blocks are read ahead before they are compared: the comparison goes with the audit, whose validators it needs.
        streams[0] = checks.ahead(streams[0])
        run(audit, terms, _same_everywhere(audit, asked, streams, height), height)
        return audit.report, asked


def blocks_over_http(url: str, last: int, token: str | None, *, first: int = 0) -> Iterator[StoredBlock]:
    """The blocks of a running node from `first` to `last`, a page at a time; fewer if it shows no more."""
    height = first
    while height <= last:
        _, page = _fetch(url, height, min(PAGE_BLOCKS, last - height + 1), token)
        if not page:
            return
        for entry in page:
            if height <= last:
                certificate, validators = entry.certificate or None, entry.validators or None
                yield StoredBlock(height, entry.block, certificate, entry.receipts, validators)
            height += 1


def _same_everywhere(
    audit: Audit, asked: Sequence[Asked], streams: Sequence[Iterator[StoredBlock]], last: int
) -> Iterator[StoredBlock]:
    """The first node's blocks up to `last`, each compared with the others' before it is executed."""
    height = audit.chain.height
    for stored in streams[0]:
        asked[0].height = height = stored.height
        for other, stream in zip(asked[1:], streams[1:], strict=True):
            theirs = next(stream, None)
            if theirs is None:
                continue
            if theirs.raw != stored.raw:
                raise _split(audit, (asked[0].url, stored), (other.url, theirs))
            _check_other(audit, other.url, theirs, stored)
            other.height = theirs.height
        yield stored
    if height < last:
        raise fault_at(height + 1, UrlReason.NOT_SHOWN, url=asked[0].url, last=last, height=height + 1)


def _check_other(audit: Audit, url: str, theirs: StoredBlock, stored: StoredBlock) -> None:
    """What another node shows beside the same block: receipts, set, and a certificate that need not be the same."""
    for what, is_same in (
        ("receipt", theirs.receipts == stored.receipts),
        ("validator set", theirs.validators == stored.validators),
    ):
        if not is_same:
            raise fault_at(theirs.height, UrlReason.WRONG_ANSWER, url=url, what=what)
    if theirs.certificate != stored.certificate and theirs.height > audit.chain.height:
        try:
            _check_certificate(audit, theirs)
        except Refused as refused:
            what = f"certificate ({refused})"
            raise fault_at(theirs.height, UrlReason.WRONG_ANSWER, url=url, what=what) from None


def _check_certificate(audit: Audit, stored: StoredBlock) -> Certificate:
    """The certificate, if it proves the block by the validators of the next height."""
    if stored.certificate is None:
        raise Refused(AuditReason.NO_CERTIFICATE)
    certificate = unpack(Certificate, stored.certificate)
    recovery = audit.chain.genesis.recovery
    rules.check_certificate(header_of(stored.raw), certificate, audit.chain.validators, recovery)
    return certificate


def _split(audit: Audit, first: tuple[str, StoredBlock], second: tuple[str, StoredBlock]) -> Fault:
    height = first[1].height
    text = UrlReason.SPLIT_VIEW.text("en", {"first": first[0], "second": second[0], "height": height})
    sides, signers = [], []
    for url, stored in (first, second):
        digest = rules.block_digest(stored.raw)
        certificate: Certificate | None = None
        reason = "" if height else "the genesis block has no certificate"
        if height:
            try:
                certificate = _check_certificate(audit, stored)
            except Refused as refused:
                reason = str(refused)
        ids = [] if certificate is None else [seal.node_id for seal in certificate.seals]
        signers.append(set(ids))
        sides.append(
            {
                "url": url,
                "block_hash": None if digest is None else digest.hex(),
                "certified_by": ids,
                "not_certified_because": reason or None,
                "block": stored.raw.hex(),
                "certificate": None if stored.certificate is None else stored.certificate.hex(),
            }
        )
    evidence = {"sides": sides, "signed_both": sorted(signers[0] & signers[1])}
    return Fault(UrlReason.SPLIT_VIEW, text, height=height, evidence=evidence)


def request_to(url: str, path: str, token: str | None) -> urllib.request.Request:
    """A request to a node; ValueError if `url` is no address."""
    request = urllib.request.Request(url.rstrip("/") + path)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    return request


def _fetch(url: str, height: int, count: int, token: str | None) -> tuple[int, list[_Entry]]:
    """A page of blocks from a node, and the node's height. `Refused` if it does not answer as it should."""
    try:
        request = request_to(url, f"/v1/archive?from={height}&limit={count}", token)
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as answer:
            data = answer.read(MAX_ANSWER_BYTES)
            return int(cast("str", answer.headers["X-Daicho-Height"])), list(_entries_of(data))
    except urllib.error.HTTPError as error:
        raise Refused(UrlReason.NO_ANSWER, url=url, detail=f"{error.code} {_message(error)}") from None
    except (OSError, http.client.HTTPException, ValueError, TypeError, msgspec.DecodeError) as error:
        raise Refused(UrlReason.NO_ANSWER, url=url, detail=str(error)[:200]) from None


def _message(error: urllib.error.HTTPError) -> str:
    """What the node says, in the one JSON form of its errors."""
    try:
        told = json.loads(error.read(MAX_ERROR_BYTES))["error"]["message"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return error.reason
    return str(told)[:200]


def _entries_of(data: bytes) -> Iterator[_Entry]:
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield _entries.decode(data[at + 4 : at + 4 + size])
        at += 4 + size
