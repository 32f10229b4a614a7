"""The votes journal: whatever a crash can leave is taken up, whatever else befalls it stops the node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from consensus.events import PreparedRecord
from consensus.messages import Commit, Prepare, RoundChange
from edge import journal as journal_module
from edge.journal import OBSERVE_UNTIL_KNOWN, SECTOR_BYTES, FileJournal, Record, read_journal
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
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(journal_module, "AHEAD_BYTES", 8_192)
    path = tmp_path / "votes.journal"
    FileJournal.create(path)
    yield path


def write(path: Path, *entries: list[Record]) -> list[int]:
    """The entries, and where the file's entries ended before each and after the last."""
    journal = FileJournal(path)
    sizes = [end_of(path)]
    for records in entries:
        journal.append(records)
        sizes.append(end_of(path))
    journal.close()
    return sizes


def end_of(path: Path) -> int:
    return read_journal(path.read_bytes(), str(path))[2]


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
        synced.append(end_of(path))

    journal = FileJournal(path)
    monkeypatch.setattr(os, "fdatasync", noting)
    journal.append([prepared(3), commit(3)])
    assert synced == [end_of(path)], "once, after everything was written"


def test_cut_anywhere_the_whole_entries_before_the_cut_are_there(path: Path) -> None:
    sizes = write(path, [prepare(1)], [prepared(1), commit(1)], [prepare(2)])
    whole = path.read_bytes()[: sizes[-1]]
    expected = [(), (prepare(1),), (prepare(1), commit(1)), (prepare(1), commit(1), prepare(2))]
    for cut in range(sizes[0], len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = sum(1 for size in sizes[1:] if size <= cut)
        assert votes_of(path) == expected[kept], f"cut at {cut}"
        assert end_of(path) == sizes[kept] and not any(path.read_bytes()[sizes[kept] :]), "the torn tail is gone"


def test_after_a_torn_tail_is_cut_new_votes_follow_the_whole_ones(path: Path) -> None:
    write(path, [prepare(1)], [commit(1)])
    path.write_bytes(path.read_bytes()[: end_of(path) - 5])
    write(path, [prepare(2)])
    assert votes_of(path) == (prepare(1), prepare(2))


def test_no_changed_byte_ever_loses_a_vote_in_silence(path: Path) -> None:
    *_, end = write(path, [prepare(1)], [prepared(1), commit(1)], [prepare(2)])
    whole = path.read_bytes()
    assert len(whole) == 8_192
    for at in (*range(end + 50), len(whole) - 1):
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
    for at in range(first, sizes[2], SECTOR_BYTES):
        end = min(at + SECTOR_BYTES, sizes[2])
        path.write_bytes(whole[:at] + bytes(end - at) + whole[end:])
        assert votes_of(path) == (prepare(1),)
    for cut in (sizes[1], sizes[1] + 100, sizes[1] + 700):
        path.write_bytes(whole[:cut].ljust(len(whole), b"\x00"))
        assert votes_of(path) == (prepare(1),)


def test_an_entrys_head_of_which_a_crash_left_the_first_sector_is_a_torn_tail(path: Path) -> None:
    boundary = 2 * SECTOR_BYTES
    around = write(path, [prepared(1, bytes(600)), commit(1)])[1] - 600
    for before in range(1, 12):
        FileJournal.create(path)
        sizes = write(path, [prepared(1, os.urandom(boundary - before - around)), commit(1)], [prepare(2)])
        assert sizes[1] == boundary - before
        whole = path.read_bytes()
        path.write_bytes(whole[:boundary].ljust(len(whole), b"\x00"))
        assert votes_of(path) == (commit(1),)
        assert end_of(path) == sizes[1]


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
        assert path.stat().st_size < 33_000
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

        def full(fd: int, data: bytes, at: int) -> int:
            raise OSError(28, "No space left on device")

        patched.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            journal.append([commit(1)])
    with pytest.raises(OSError, match="could not be written before"):
        journal.append([commit(1)])
    journal.close()
    assert votes_of(path) == (prepare(1),)
