"""Proof files from running nodes: what is fetched is checked, as its reader will check it, before it is handed out."""

from __future__ import annotations

import re

from edge.client import DaichoClient, Unavailable
from ledger.light import Inclusion
from ledger.proof import BadProof, check_proof, row_proof, subject_proof, transaction_proof
from ledger.refusal import Reason, Refused, Text

TRANSACTION_ID = re.compile(r"[0-9a-f]{64}")
STATE_KEY = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*/.+")
HISTORY_PAGE = 200
MAX_STEPS = 5_000


class ProvingReason(Reason):
    NO_TRANSACTION = Text("取引 {id} は台帳にありません", "there is no transaction {id} in the chain")
    NO_SUBJECT = Text("{subject} の記録は台帳にありません", "nothing has happened to {subject}")
    TOO_MANY = Text(
        "{subject} の履歴は {limit} 件を超えます。期間の短い対象を指定してください",
        "the story of {subject} has more than {limit} steps: prove its transactions one by one",
    )


async def prove(client: DaichoClient, what: str) -> bytes:
    """The proof file of a transaction's id, a row's key (`contract/table/id`), or else a subject.

    A row that is not there gives the proof of its absence. `Refused(ProvingReason)` if there is nothing to prove.
    """
    if TRANSACTION_ID.fullmatch(what):
        return await prove_transaction(client, bytes.fromhex(what))
    if STATE_KEY.fullmatch(what):
        return await prove_row(client, what)
    return await prove_subject(client, what)


async def prove_transaction(client: DaichoClient, transaction_id: bytes) -> bytes:
    step = await client.inclusion(transaction_id)
    if step is None:
        raise Refused(ProvingReason.NO_TRANSACTION, id=transaction_id.hex())
    changes = await client.validator_changes()
    return _checked(client, transaction_proof(client.chain_id, changes, step, transaction_id))


async def prove_row(client: DaichoClient, key: str) -> bytes:
    row = await client.row(key.encode())
    return _checked(client, row_proof(client.chain_id, await client.validator_changes(), row))


async def prove_subject(client: DaichoClient, subject: str) -> bytes:
    steps: dict[bytes, Inclusion] = {}
    after = ""
    while True:
        page = await client.history(subject, after, HISTORY_PAGE)
        for entry in page.entries:
            if entry.transaction_id not in steps:
                step = await client.inclusion(entry.transaction_id)
                if step is None:
                    raise Unavailable(f"the node asked tells of {entry.transaction_id.hex()} and does not have it")
                steps[entry.transaction_id] = step
        if len(steps) > MAX_STEPS:
            raise Refused(ProvingReason.TOO_MANY, subject=subject, limit=MAX_STEPS)
        after = page.next or ""
        if not after:
            break
    if not steps:
        raise Refused(ProvingReason.NO_SUBJECT, subject=subject)
    changes = await client.validator_changes()
    return _checked(client, subject_proof(client.chain_id, changes, list(steps.values()), subject))


def _checked(client: DaichoClient, data: bytes) -> bytes:
    try:
        check_proof(data, client.genesis)
    except BadProof as bad:
        # Parts that come from nodes at different heights may not fit: asking again will do.
        raise Unavailable(f"the nodes' answers make no proof: {bad.what}") from None
    return data
