"""`daicho import`: the data of a new node from an archive, every block checked before it is kept, resumable.

A node that comes back from an archive may have voted before, in a life whose journal is lost. So it gets no journal:
it observes until it is past everything that it may have signed (rule 8 of the consensus), and then votes by itself.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.archive import ArchiveReader
from edge.config import LoadedConfig, load_config
from edge.init import CONFIG_NAME
from edge.journal import read_journal
from edge.signatures import SignatureChecks
from edge.stopped import leave_mark
from edge.verify import archived
from ledger.audit import Audit
from ledger.chain import Chain
from ledger.contract import Runtime
from ledger.genesis import Genesis, GenesisReason, load_genesis
from ledger.refusal import Reason, Refused, Text
from ledger.store import LevelDb

MARK = "import.json"
"""Beside the store while an import is under way: what is there came from an archive."""


class ImportReason(Reason):
    NOT_NEW = Text(
        "{path} には既に台帳があります。新しいフォルダーに取り込んでください",
        "{path} holds a chain already. Import into the home of a new node, or move that folder away",
    )
    HAS_VOTED = Text(
        "{path} に投票の記録があります。ノードのデータと共に別の場所へ移してからやり直してください",
        "the votes journal {path} shows that this node has run. Move it away together with the rest of the data",
    )


@dataclass(frozen=True, slots=True)
class Imported:
    height: int
    head_hash: str
    blocks: int
    """Checked and written now."""
    found: int
    """The height at which an interrupted import had stopped."""
    transactions: int


def import_archive(
    archive: Path,
    home: Path,
    genesis_path: Path,
    runtime: Runtime,
    *,
    parallel: int = 1,
    progress: Callable[[int, int | None], None] = lambda height, last: None,
) -> Imported:
    """Fill the data of the node in `home`. Fault where the archive does not hold; the blocks before it stay.

    `Refused` if the home is not a new one, or is that of another genesis.
    """
    genesis = load_genesis(genesis_path.read_bytes())
    config = load_config(home / CONFIG_NAME)
    reader = ArchiveReader(archive)
    _check_home(config, genesis, genesis_path)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    (config.data_dir / MARK).write_text(json.dumps({"archive": archive.name}) + "\n")
    config.journal.unlink(missing_ok=True)
    count = reader.count()
    with contextlib.closing(LevelDb(config.store)) as store, SignatureChecks(parallel) as checks:
        found = Chain.open(store, genesis).height
        now_ms = time.time_ns() // 1_000_000
        audit = Audit(genesis, runtime, store, signatures=checks.in_audit, now_ms=now_ms)
        blocks = checks.ahead(archived(reader, genesis.chain_id, found))
        audit.run(blocks, lambda height: progress(height, None if count is None else count - 1))
    leave_mark(config.store, audit.chain.height, audit.chain.head.hash)
    (config.data_dir / MARK).unlink()
    report = audit.report
    return Imported(report.height, report.head_hash, report.blocks, found, report.transactions)


def _check_home(config: LoadedConfig, genesis: Genesis, genesis_path: Path) -> None:
    """A node that has never run, or whose import was interrupted; its home gets the genesis if it has none."""
    own = config.path(config.values.genesis)
    if not own.exists():
        shutil.copyfile(genesis_path, own)
    held = load_genesis(own.read_bytes())
    if held.chain_id != genesis.chain_id:
        raise Refused(GenesisReason.OTHER_GENESIS, found=held.chain_id.hex(), given=genesis.chain_id.hex())
    if config.journal.exists():
        observe, records, _ = read_journal(config.journal.read_bytes(), str(config.journal))
        if observe or records:
            raise Refused(ImportReason.HAS_VOTED, path=str(config.journal))
    if config.store.exists() and not (config.data_dir / MARK).exists():
        raise Refused(ImportReason.NOT_NEW, path=str(config.store))
