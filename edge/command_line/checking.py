"""Checking a chain: `daicho verify`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click

from edge.console import (
    REFUSED,
    Failure,
    existing_file,
    existing_folder,
    json_option,
    show,
    token_option,
    with_runtime,
)
from edge.stopped import store_of
from edge.terminal import audit_lines, counting, fault_lines
from edge.verify import Terms, read_checkpoint, verify_archive, verify_store
from edge.verify_urls import Asked, verify_urls
from ledger.audit import AuditReport, Fault
from ledger.contract import MissingContractVersion, Runtime
from ledger.genesis import load_genesis
from ledger.refusal import BrokenInvariant, Reason, Refused

NOT_CHECKED = 2


class Unchecked(Failure):
    """Neither right nor wrong: it could not be checked."""

    exit_code = NOT_CHECKED


@contextlib.contextmanager
def told_if_unchecked(as_json: bool, refusals: type[Reason] | None = None) -> Iterator[None]:
    """Whatever keeps an audit from its end, but a fault, becomes a sentence with its remedy and exit code 2.

    `refusals`: what the command itself refuses, with exit code 1 as everywhere.
    """
    try:
        yield
    except Refused as refused:
        reason, params = refused.reason, refused.params
        if refusals is not None and isinstance(reason, refusals):
            raise
        texts = reason.text("ja", params), reason.text("en", params)
        raise Unchecked(reason.code, *texts, params, as_json=as_json) from None
    except MissingContractVersion as missing:
        ja = f"契約 {missing.contract} の版 {missing.version} がありません。その版を含む Daicho で検証してください"
        en = f"{missing}. Remedy: verify with a version of Daicho that has it"
        raise Unchecked("missing_contract_version", ja, en, {}, as_json=as_json) from None
    except OSError as error:
        ja = f"読み書きできません: {error}"
        en = f"{error}. Remedy: see that the file or folder is there, readable, and that TMPDIR has room"
        raise Unchecked("input_output", ja, en, {}, as_json=as_json) from None
    except (BrokenInvariant, MemoryError) as error:
        ja = f"検証を続けられません: {error}"
        en = f"the audit could not go on: {error!r}. Remedy: repeat it on a copy, and report it"
        raise Unchecked("broken_invariant", ja, en, {}, as_json=as_json) from None


@click.command()
@click.option("--genesis", type=existing_file, required=True, help="The auditor's own copy, not one from the data.")
@click.option(
    "--home", type=existing_folder, help="The folder of a stopped node, or a copy of its data; it is only read."
)
@click.option("--archive", type=existing_file, help="A file that `daicho export` made.")
@click.option("--url", "urls", multiple=True, help="A running node; with several, they must show the same blocks.")
@token_option
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="Processes: one executes, the others check signatures.",
)
@click.option("--from-checkpoint", type=existing_file, help="Go on from where an earlier audit of yours ended.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="If there is no fault, or Ctrl-C ends it, write here what the next audit needs to go on.",
)
@json_option
@with_runtime
def verify(
    runtime: Runtime,
    genesis: Path,
    home: Path | None,
    archive: Path | None,
    urls: tuple[str, ...],
    token: str | None,
    parallel: int,
    from_checkpoint: Path | None,
    checkpoint: Path | None,
    as_json: bool,
) -> None:
    """Execute a chain again from the genesis and check every signature, certificate, root, receipt and time.

    Exit codes: 0 no fault; 1 a fault, named with block and rule; 2 it could not be checked.

    \b
    Examples:
      daicho verify --genesis genesis.json --home tama/nodes/hachioji
      daicho verify --genesis genesis.json --archive tama.daicho --checkpoint june.checkpoint
      daicho verify --genesis genesis.json --archive july.daicho --from-checkpoint june.checkpoint
      daicho verify --genesis genesis.json --url http://127.0.0.1:27701 --url http://127.0.0.1:27703
    """
    if sum((home is not None, archive is not None, bool(urls))) != 1:
        raise click.UsageError("name exactly one of --home, --archive and --url")
    started = time.monotonic()
    asked: list[Asked] = []
    with told_if_unchecked(as_json):
        try:
            with counting(as_json) as progress:
                start = None if from_checkpoint is None else read_checkpoint(from_checkpoint)
                known = load_genesis(genesis.read_bytes())
                terms = Terms(known, runtime, progress, parallel, start, checkpoint)
                report: AuditReport
                if home is not None:
                    report = verify_store(store_of(home), terms)
                elif archive is not None:
                    report = verify_archive(archive, terms)
                else:
                    report, asked = verify_urls(urls, terms, token=token)
        except Fault as fault:
            tell_fault(fault, as_json)
    seconds = time.monotonic() - started
    nodes = [asdict(node) for node in asked]
    show(
        as_json,
        {"ok": True, "seconds": round(seconds, 3), **asdict(report), "nodes": nodes},
        *audit_lines(report, seconds),
        *(f"  {_compared(node)}" for node in asked),
        *([] if checkpoint is None else [f"  go on from here: --from-checkpoint {checkpoint}"]),
    )


def _compared(node: Asked) -> str:
    return f"{node.url}: {'shows none of these blocks yet' if node.height < 0 else f'the same to block {node.height}'}"


def tell_fault(fault: Fault, as_json: bool) -> NoReturn:
    """The fault, and exit code 1."""
    found = {
        "ok": False,
        "rule": fault.rule,
        "detail": fault.detail,
        "height": fault.height,
        "index": fault.index,
        "transaction": fault.transaction or None,
        "evidence": fault.evidence,
    }
    show(as_json, found, *fault_lines(fault))
    raise click.exceptions.Exit(REFUSED) from None
