"""The votes journal: whatever a crash can leave is taken up, whatever else befalls it stops the node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from consensus.events import PreparedRecord
from consensus.messages import Commit, Prepare, RoundChange
from edge import journal as journal_module
from edge.journal import OBSERVE_UNTIL_KNOWN, SECTOR_BYTES, FileJournal, Record
from ledger.refusal import Refused

DIGEST = bytes(range(32))
SIGNATURE = bytes(range(64))


def prepare(height: int, round_: int = 0) -> Prepare:
    return Prepare(height, round_, DIGEST, "node-1", SIGNATURE)


def commit(height: int, round_: int = 0) -> Commit:
    return Commit(height, round_, DIGEST, "node-1", SIGNATURE)


def prepared(height: int, block: bytes = b"block") -> PreparedRecord:
    return PreparedRecord(height, 0, DIGEST, block, (prepare(height),))


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "votes.journal"
    FileJournal.create(path)
    yield path


def write(path: Path, *entries: list[Record]) -> list[int]:
    """The entries, and the size of the file before each and after the last."""
    journal = FileJournal(path)
    sizes = [path.stat().st_size]
    for records in entries:
        journal.append(records)
        sizes.append(path.stat().st_size)
    journal.close()
    return sizes


def votes_of(path: Path) -> tuple[Record, ...]:
    journal = FileJournal(path)
    try:
        return tuple(journal.load().votes)
    finally:
        journal.close()


def test_what_was_appended_is_there_after_a_restart(path: Path) -> None:
    change = RoundChange(8, 2, 0, DIGEST, "node-1", SIGNATURE)
    write(path, [prepare(7)], [prepared(7), commit(7)], [change])
    journal = FileJournal(path)
    contents = journal.load()
    assert contents.votes == (prepare(7), commit(7), change)
    assert contents.prepared == prepared(7)
    assert contents.observe_through_height == 0


def test_an_append_is_synced_before_it_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    sync = os.fdatasync

    def noting(fd: int) -> None:
        sync(fd)
        synced.append(path.stat().st_size)

    journal = FileJournal(path)
    monkeypatch.setattr(os, "fdatasync", noting)
    journal.append([prepared(3), commit(3)])
    assert synced == [path.stat().st_size], "once, after everything was written"


def test_cut_anywhere_the_whole_entries_before_the_cut_are_there(path: Path) -> None:
    sizes = write(path, [prepare(1)], [prepared(1), commit(1)], [prepare(2)])
    whole = path.read_bytes()
    expected = [(), (prepare(1),), (prepare(1), commit(1)), (prepare(1), commit(1), prepare(2))]
    for cut in range(sizes[0], len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = sum(1 for size in sizes[1:] if size <= cut)
        assert votes_of(path) == expected[kept], f"cut at {cut}"
        assert path.stat().st_size == sizes[kept], "the torn tail is gone from the file"


def test_after_a_torn_tail_is_cut_new_votes_follow_the_whole_ones(path: Path) -> None:
    write(path, [prepare(1)], [commit(1)])
    path.write_bytes(path.read_bytes()[:-5])
    write(path, [prepare(2)])
    assert votes_of(path) == (prepare(1), prepare(2))


def test_no_changed_byte_ever_loses_a_vote_in_silence(path: Path) -> None:
    write(path, [prepare(1)], [prepared(1), commit(1)], [prepare(2)])
    whole = path.read_bytes()
    for at in range(len(whole)):
        for change in (0x01, 0x80, 0xFF):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :])
            with pytest.raises(Refused) as refused:
                FileJournal(path)
            assert refused.value.reason.code == "damaged"
            assert str(path) in str(refused.value) and "Remove the file" in str(refused.value)


def test_sectors_of_zeros_that_a_crash_left_in_the_last_entry_are_a_torn_tail(path: Path) -> None:
    sizes = write(path, [prepare(1)], [prepared(2, os.urandom(3_000)), commit(2)])
    whole = path.read_bytes()
    first = -(-(sizes[1] + 12) // SECTOR_BYTES) * SECTOR_BYTES
    for at in range(first, len(whole), SECTOR_BYTES):
        end = min(at + SECTOR_BYTES, len(whole))
        path.write_bytes(whole[:at] + bytes(end - at) + whole[end:])
        assert votes_of(path) == (prepare(1),)
    for cut in (sizes[1], sizes[1] + 100, sizes[1] + 700):
        path.write_bytes(whole[:cut].ljust(len(whole), b"\x00"))
        assert votes_of(path) == (prepare(1),)


def test_a_lost_sector_in_an_entry_that_others_follow_is_damage(path: Path) -> None:
    sizes = write(path, [prepared(2, os.urandom(3_000)), commit(2)], [prepare(3)])
    whole = path.read_bytes()
    at = -(-(sizes[0] + 12) // SECTOR_BYTES) * SECTOR_BYTES
    path.write_bytes(whole[:at] + bytes(SECTOR_BYTES) + whole[at + SECTOR_BYTES :])
    with pytest.raises(Refused, match="damaged"):
        FileJournal(path)


def test_a_missing_journal_is_a_lost_one(tmp_path: Path) -> None:
    path = tmp_path / "votes.journal"
    journal = FileJournal(path)
    assert journal.load().observe_through_height == OBSERVE_UNTIL_KNOWN
    journal.close()
    journal = FileJournal(path)
    assert journal.load().observe_through_height == OBSERVE_UNTIL_KNOWN, "also after another restart"
    journal.observe_through(12)
    journal.append([prepare(13)])
    journal.close()
    journal = FileJournal(path)
    assert journal.load().observe_through_height == 12
    assert journal.load().votes == (prepare(13),)


def test_pruning_keeps_every_vote_above_the_head_and_bounds_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "ROTATE_BYTES", 20_000)
    journal = FileJournal(path)
    for height in range(1, 400):
        journal.append([prepare(height)])
        journal.append([prepared(height, bytes(200)), commit(height)])
        journal.append([prepare(height + 1)])
        journal.prune(height)
        assert path.stat().st_size < 25_000
        assert journal.load().votes == (prepare(height + 1),)
    journal.close()
    assert votes_of(path)[-1] == prepare(400)


def test_a_crash_in_the_middle_of_pruning_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "ROTATE_BYTES", 0)
    for step in ("fsync", "replace"):
        journal = FileJournal(path)
        journal.append([prepare(5), commit(5), prepare(6)])

        def crash(*_: object, **__: object) -> None:
            raise OSError("power cut")

        with monkeypatch.context() as patched:
            if step == "fsync":
                patched.setattr(os, "fsync", crash)
            else:
                patched.setattr(Path, "replace", crash)
            with pytest.raises(OSError, match="power cut"):
                journal.prune(5)
        journal.close()
        assert prepare(6) in votes_of(path)


def test_after_a_failed_write_nothing_more_is_appended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = FileJournal(path)
    journal.append([prepare(1)])
    with monkeypatch.context() as patched:

        def full(fd: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            journal.append([commit(1)])
    with pytest.raises(OSError, match="could not be written before"):
        journal.append([commit(1)])
    journal.close()
    assert votes_of(path) == (prepare(1),)
