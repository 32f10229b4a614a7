"""`daicho export`: a whole chain, from a stopped node, a running one or another archive, into one file; or what was
done in some contracts and some period, in rows for people.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.archive import ArchiveReader, ArchiveReason, ArchiveWriter, Form, part_of
from edge.config import load_config
from edge.init import CONFIG_NAME
from edge.readable import Row, RowForm, row_lines
from edge.stopped import as_read, damage_at
from edge.verify import archived
from edge.verify_urls import UrlReason, blocks_over_http, request_to
from ledger import layout
from ledger.audit import StoredBlock, stored_blocks
from ledger.chain import stored_chain_id
from ledger.refusal import Refused
from ledger.store import LevelDb

TIMEOUT_S = 5.0
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Source:
    """A chain that can be read from any height on."""

    chain_id: bytes
    last: int | None
    """The height of its last block, where that is known beforehand."""
    blocks: Callable[[int], Iterator[StoredBlock]]


@contextlib.contextmanager
def of_home(home: Path) -> Iterator[Source]:
    """The chain of a stopped node."""
    with contextlib.closing(LevelDb(load_config(home / CONFIG_NAME).store, create=False)) as store:
        with damage_at(0):
            last, chain_id = int.from_bytes(store.get(layout.HEAD) or b"", "big"), stored_chain_id(store)
        yield Source(chain_id, last, lambda first: as_read(stored_blocks(store, first), first))


@contextlib.contextmanager
def of_archive(path: Path) -> Iterator[Source]:
    """The chain in an archive of either form."""
    reader = ArchiveReader(path)
    count = reader.count()
    chain_id = reader.chain_id()
    yield Source(chain_id, None if count is None else count - 1, lambda first: archived(reader, None, first))


@contextlib.contextmanager
def of_urls(urls: Sequence[str], token: str | None = None) -> Iterator[Source]:
    """The chain of the first of these nodes that answers, up to where it stands now."""
    failure = Refused(UrlReason.NO_ANSWER, url="-", detail="no address was given")
    for url in urls:
        try:
            last, chain_id = _height_and_chain(url, token)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            failure = Refused(UrlReason.NO_ANSWER, url=url, detail=str(error)[:120])
            continue
        yield Source(chain_id, last, _reading(url, last, token))
        return
    raise failure


def _reading(url: str, last: int, token: str | None) -> Callable[[int], Iterator[StoredBlock]]:
    return lambda first: blocks_over_http(url, last, token, first=first)


def _height_and_chain(url: str, token: str | None) -> tuple[int, bytes]:
    with urllib.request.urlopen(request_to(url, "/v1/status", token), timeout=TIMEOUT_S) as answer:
        status = json.load(answer)
    return int(status["height"]), bytes.fromhex(status["chain_id"])


@dataclass(frozen=True, slots=True)
class Exported:
    blocks: int
    kept: int
    """How many of them an interrupted export had written already."""


def export_archive(source: Source, target: Path, form: Form, progress: Progress) -> Exported:
    """Write the archive, going on where an interrupted export to the same file was.

    `Refused` if what that one has left is of another chain.
    """
    with ArchiveWriter(target, form, source.chain_id) as writer:
        kept, last = writer.count, writer.last
        for block in source.blocks(max(kept - 1, 0)):
            if last is not None and block.height == last.height:
                if block.raw != last.raw:
                    raise Refused(ArchiveReason.OTHER_PART, path=str(part_of(target)), height=last.height)
                continue
            writer.add(block)
            progress(block.height, source.last)
        return Exported(writer.finish(), kept)


def export_rows(found: Iterable[Row], target: Path, form: RowForm) -> int:
    """Write rows, whole or not at all; how many."""
    building = target.with_name(target.name + ".part")
    count = -1 if form == "csv" else 0
    with building.open("wb") as file:
        for line in row_lines(found, form):
            file.write(line)
            count += 1
    building.replace(target)
    return count
