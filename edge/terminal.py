"""What people see in a terminal: progress, the demo's report, the state of a network as lines of text."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Any

from edge.demo import Report
from edge.localnet import Localnet
from edge.watch import Reading, quorum_line, states
from ledger.audit import AuditReport, Fault
from ledger.refusal import Language

BAR_WIDTH = 30
REDRAW_EVERY_S = 0.1
JST = timezone(timedelta(hours=9))


class TerminalProgress:
    """Stages as lines, counts as a bar that is redrawn in place. On standard error: the result alone goes to output."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar = False
        self._drawn_at = 0.0
        self._started = time.monotonic()
        self._counting_since = 0.0
        self._counting_from = 0
        self._counting_to = 0

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_bar()

    def stage(self, text: str) -> None:
        if not self._quiet:
            self._end_bar()
            self._write(f"{time.monotonic() - self._started:6.1f} s  {text}\n")

    def done(self, count: int, total: int) -> None:
        now = time.monotonic()
        if self._counting_since == 0.0 or total != self._counting_to:
            self._counting_since, self._counting_from, self._counting_to = now, count, total
        if self._quiet or not sys.stderr.isatty() or (now - self._drawn_at < REDRAW_EVERY_S and count < total):
            return
        self._drawn_at, self._bar = now, True
        filled = BAR_WIDTH * min(count, total) // max(total, 1)
        done = count - self._counting_from
        left = "" if count >= total else f", {_remaining(done, total - count, now - self._counting_since)}"
        self._write(f"\r\x1b[K          [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {count} of {total}{left}")

    def _end_bar(self) -> None:
        if self._bar:
            self._write("\n")
            self._bar = False

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _remaining(done: int, to_do: int, seconds: float) -> str:
    """How long the rest takes at the rate so far: `done` in `seconds`."""
    if done <= 0 or seconds < 0.5:
        return "…"
    left = int(seconds * to_do / done) + 1
    return f"about {left} s left" if left < 120 else f"about {left // 60} min left"


@contextlib.contextmanager
def counting(quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar with the time that is left: how many blocks are done, of how many where that is known."""
    with TerminalProgress(quiet=quiet) as progress:
        yield lambda count, last: progress.done(count, last or count + 1)


def status_lines(readings: Sequence[Reading], language: Language) -> list[str]:
    """One line a node, what is wrong and what to do, and at last whether there is a quorum."""
    lines = [f"{'node':<14} {'height':>8} {'round':>5}  {'head':<16} {'leader':<14} state"]
    for reading in readings:
        state = reading.state
        if state is None:
            lines.append(f"{reading.url}: no answer ({reading.failure})")
            continue
        if state.halted is not None:
            standing = f"halted: {state.halted}"
        elif not state.in_sync:
            standing = f"behind (the best is at {state.best_height})"
        elif state.observe_through_height > state.height:
            standing = f"observes until height {state.observe_through_height}"
        else:
            standing = "votes" if state.votes else "observes"
        lines.append(
            f"{state.node_id:<14} {state.height:>8} {state.round:>5}  {state.head_hash[:16]} {state.leader:<14} "
            f"{standing}"
        )
    advice = dict.fromkeys(
        (a.text_ja if language == "ja" else a.text) for state in states(readings) for a in state.advice
    )
    lines.extend(f"! {text}" for text in advice)
    lines.append(quorum_line(readings))
    return lines


def report_lines(report: Report) -> list[str]:
    """The demo's short report."""
    once = "each in the chain exactly once on every node" if report.ok else "NOT all as they should be"
    lines = [
        f"nodes        {report.nodes}",
        f"writes       {report.writes} sent, {report.acknowledged} acknowledged, {once}",
        f"longest gap  {report.longest_gap_ms} ms without an acknowledgement ({report.killed}, the leader, was killed)",
        f"recovery     {report.killed} was level with the others {report.back_after_ms} ms after its restart",
        f"height       {report.height}, heads {'equal' if report.heads_equal else 'NOT EQUAL'}",
    ]
    for one in report.checked:
        result = "no fault" if not one.problems else "FAULT"
        lines.append(
            f"audit        {one.node_id:<12} {result}: {one.transactions} transactions, {one.values} stored values, "
            f"{one.blocks_per_s} blocks/s"
        )
    lines.extend(f"PROBLEM      {problem}" for problem in report.problems)
    lines.append(f"{'ok' if report.ok else 'FAILED'}           in {report.seconds} s")
    return lines


def when(time_ms: int) -> str:
    """Japan Standard Time, as municipal papers have it."""
    return datetime.fromtimestamp(time_ms / 1000, JST).strftime("%Y-%m-%d %H:%M:%S")


def story_lines(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Two lines a step: when, which block, what; who did it, in which role, by which transaction."""
    lines = []
    for step in steps:
        event = step["event"]
        data = ", ".join(f"{name}={value}" for name, value in event["data"].items())
        lines.append(f"{when(step['time_ms'])}  block {step['height']:<6} {event['name']:<20} {data}")
        roles = ", ".join(step["roles"]) or "no role now"
        lines.append(f"{'':21}by {step['sender']} ({roles}), transaction {step['transaction']}")
    return lines or ["nothing has happened to it"]


def block_lines(block: Mapping[str, Any]) -> list[str]:
    header = block["header"]
    lines = [
        f"block {header['height']}  {when(header['time_ms'])}  proposed by {header['proposer'] or 'the genesis'}",
        f"  hash   {block['hash']}",
        f"  parent {header['parent_hash']}",
        f"  state  {header['state_root']}",
        f"  {header['transaction_count']} transactions",
    ]
    for transaction in block["transactions"]:
        reason = transaction["receipt"]["reason"]
        lines.append(
            f"    {transaction['id'][:16]}…  {transaction['sender']:<24} "
            f"{transaction['contract']}.{transaction['method']}  {f'REFUSED {reason}' if reason else 'done'}"
        )
    return lines


def audit_lines(report: AuditReport, seconds: float) -> list[str]:
    """What an audit that found nothing has checked."""
    since = f", from the checkpoint at {report.from_height} on" if report.from_height else ""
    transaction_signatures = report.signatures - report.seals
    return [
        f"No fault. Head {report.height} ({report.head_hash[:16]}…){since}",
        f"  chain              {report.chain_id}",
        f"  blocks             {report.blocks}, the last of {when(report.head_time_ms)}",
        f"  transactions       {report.transactions}, executed again; refused by contracts {report.refused_receipts}",
        f"  signatures         {transaction_signatures} of transactions, {report.seals} of validators",
        f"  certificates       {report.certificates}, each of a quorum; by the recovery keys {report.recoveries}",
        f"  roots              {report.roots} of transactions, receipts and state; {report.receipts} receipts",
        f"  validator changes  {report.validator_changes}; they are now {', '.join(report.validators)}",
        f"  recoveries         {report.recoveries}",
        f"  evidence           {report.evidence} recorded of validators that signed twice",
        *([f"  stored values      {report.stored_values} compared"] if report.stored_values else []),
        f"  {seconds:.1f} s, {report.transactions / seconds:.0f} transactions/s",
    ]


def where_to_look(net: Localnet, applications: Sequence[tuple[str, str, str, Sequence[tuple[str, str]]]]) -> list[str]:
    """What to do with a demo that is up. Applications: title, address, password, and accounts by role."""
    first = net.file.nodes[0]
    return [
        "",
        "Up. Look here:",
        *(line for application in applications for line in _application_lines(*application)),
        *(f"  {n.http_url}/   status page of {n.node_id}" for n in net.file.nodes),
        "Or, in another terminal:",
        f"  daicho status --data {net.data}",
        f"  daicho query --data {net.data} donations needs municipality={first.organisation}",
        f"  daicho localnet kill --data {net.data} {first.node_id}",
        "Ctrl-C ends it; the data stays.",
    ]


def _application_lines(title: str, url: str, password: str, accounts: Sequence[tuple[str, str]]) -> list[str]:
    return [
        f"  {url}/   {title}; mails: {url}/mailbox",
        *(f"    {role:<10} {email}" for role, email in accounts),
        f"    password   {password}",
    ]


def fault_lines(fault: Fault) -> list[str]:
    """A fault, and where two nodes part, what each of them shows."""
    lines = [f"FAULT: {fault}"]
    sides = (fault.evidence or {}).get("sides")
    for side in sides if isinstance(sides, list) else []:
        by = ", ".join(side["certified_by"]) or f"nobody: {side['not_certified_because']}"
        lines.append(f"  {side['url']}: block {str(side['block_hash'])[:16]}…, certified by {by}")
    signed_both = (fault.evidence or {}).get("signed_both")
    if isinstance(signed_both, list) and signed_both:
        lines.append(f"  both were signed by {', '.join(signed_both)}. Keep the output of --json: it is the evidence")
    return lines
