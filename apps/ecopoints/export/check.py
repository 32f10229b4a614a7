"""What an auditor checks of an export with the genesis alone, without a node: hashes, proofs, and every total anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import InvalidOperation

from apps.ecopoints.export import recount
from apps.ecopoints.export.archive import PERIOD_PROOF
from apps.ecopoints.export.reading import Export, Fault, Line, Unreadable, hash_faults, lines_of, read_export
from apps.ecopoints.export.recount import Told
from apps.ecopoints.export.tables import TABLES, proof_name
from apps.ecopoints.export.workbook import workbook_faults
from apps.ecopoints.verifying.sampling import draw
from contracts.ecopoints.types import ECOPOINTS, PERIODS, Period
from ledger.encoding import unpack
from ledger.genesis import Genesis
from ledger.proof import BadProof, Proved, check_proof
from ledger.refusal import BrokenInvariant, Refused
from ledger.types import Event

MAX_FAULTS = 200
UNREADABLE = (KeyError, ValueError, ArithmeticError, InvalidOperation, TypeError, Refused, BrokenInvariant)
"""What comes of a cell in which something else stands than was written there."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. No fault: every figure is the chain's."""

    period: str
    methodology: str
    tonnes: int
    devices: int
    proofs: int
    files: int
    members: int
    sample: tuple[str, ...]
    """The members that a verifier looks at, drawn as the application draws them."""
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        return not self.faults


def check_export(data: bytes, genesis: Genesis) -> Checked:
    """`Unreadable` if it is no export at all."""
    export = read_export(data)
    faults = hash_faults(export)
    tables: dict[str, Sequence[Line]] = {}
    for name in TABLES:
        try:
            tables[name] = lines_of(export, name)
        except Unreadable as error:
            faults.append(Fault(f"{name}.csv", str(error)))
    told = _told(export, genesis, faults)
    if told is not None and len(tables) == len(TABLES):
        for find in recount.CHECKS:
            try:
                faults += find(export, tables, told)
            except UNREADABLE as error:
                faults.append(Fault("*.csv", f"a figure cannot be read: {type(error).__name__}: {error}"))
        faults += workbook_faults(export, tables)
    return Checked(
        export.said("period"), export.said("methodology"), _tonnes(tables), len(tables.get("devices", ())),
        told.proofs if told is not None else 0, len(export.files), len(tables.get("members", ())),
        _sample(tables, told), tuple(faults[:MAX_FAULTS]),
    )  # fmt: skip


def _sample(tables: Mapping[str, Sequence[Line]], told: Told | None) -> tuple[str, ...]:
    if told is None or not told.closing_block:
        return ()
    return draw(told.closing_block, [line["member"] for line in tables.get("members", ())]).members


def _tonnes(tables: Mapping[str, Sequence[Line]]) -> int:
    found = next((line["value"] for line in tables.get("plan", ()) if line["key"] == "tonnes"), "")
    return int(found) if found.isascii() and found.isdecimal() else 0


# -- proofs ------------------------------------------------------------------------------------------------------------


def _told(export: Export, genesis: Genesis, faults: list[Fault]) -> Told | None:
    """What the proofs show; None if the period's row is not proved."""
    proved: dict[str, Proved] = {}
    for name, data in sorted(export.files.items()):
        if not name.startswith("proofs/") or not name.endswith(".json"):
            continue
        try:
            proved[name] = check_proof(data, genesis)
        except BadProof as bad:
            faults.append(Fault(name, f"it proves nothing: {bad}"))
    row = proved.pop(PERIOD_PROOF, None)
    if row is None:
        if PERIOD_PROOF not in export.files:
            faults.append(Fault(PERIOD_PROOF, "it is missing"))
        return None
    if row.row is None or row.row.value is None or row.about.encode() != PERIODS.key(export.said("period")):
        faults.append(Fault(PERIOD_PROOF, f"it is about {row.about}, and not about the period of the manifest"))
        return None
    period = unpack(Period, row.row.value)
    events: list[Event] = []
    closing = b""
    for name, one in sorted(proved.items(), key=_place):
        told = list(_events(name, one, period, faults))
        if any(event.name == "period_closed" for event in told):
            closing = one.steps[0].header.hash
        events += told
    return Told(period, events, len(proved) + 1, closing)


def _place(item: tuple[str, Proved]) -> tuple[int, int]:
    """Where a transaction stands in the chain; what is no transaction is found out by `_events`."""
    return min(((step.header.height, step.index) for step in item[1].steps), default=(0, 0))


def _events(name: str, proved: Proved, period: Period, faults: list[Fault]) -> Iterator[Event]:
    if len(proved.steps) != 1 or proof_name(proved.steps[0].transaction.id) != name:
        faults.append(Fault(name, "it is not the proof of the transaction that it is named by"))
        return
    (step,) = proved.steps
    if step.transaction.body.contract != ECOPOINTS or not step.receipt.done:
        faults.append(Fault(name, "its transaction is none of the eco-points, or was refused"))
        return
    yield from (event for event in step.receipt.events if f"period:{period.period}" in event.subjects)
