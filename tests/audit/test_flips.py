"""Random single-byte changes: each is found, with block and rule, or changes nothing that is read. Never "ok", never a
traceback.

Sixty for each form of the sample chain here. The whole campaign, `make flips`: 2,000 each on what `daicho demo` leaves
(DAICHO_FLIPS, DAICHO_FLIPS_DEMO). The seed is printed when a change goes unnoticed; DAICHO_SEED repeats it.

What counts as "changes nothing that is read" is only possible in a data directory (each byte of an archive is read). It
is shown for each such change: every key and value that LevelDB reads back, with all checksums checked, is the same; so
are the mark of the clean stop and the votes journal, byte for byte; and the audit's report is that of the sound node.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.config import load_config
from edge.init import CONFIG_NAME
from ledger.store import LevelDb
from tests.audit.chains import Chains, fault, run, verify

FLIPS = int(os.environ.get("DAICHO_FLIPS", "60"))
SEED = int(os.environ.get("DAICHO_SEED", random.SystemRandom().randrange(2**32)))


@dataclass(frozen=True)
class Sound:
    """A chain on which nothing is amiss."""

    genesis: Path
    home: Path
    archives: dict[str, Path]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """That of the demo, if it is named; else the sample chain."""
    folder = tmp_path_factory.mktemp("flips")
    archives = {form: folder / f"chain.{form}" for form in ("archive", "jsonl")}
    demo = os.environ.get("DAICHO_FLIPS_DEMO")
    if demo is None:
        chains = Chains(folder)
        chains.archive("chain.archive")
        chains.archive("chain.jsonl", form="jsonl")
        return Sound(chains.genesis, chains.home("home"), archives)
    home = folder / "home"
    shutil.copytree(min((Path(demo) / "nodes").iterdir()), home)
    copy = folder / "copy"  # opening a LevelDB changes it
    shutil.copytree(home, copy)
    for form, path in archives.items():
        assert run("export", "--home", copy, "--to", path, "--format", form).exit_code == 0
    return Sound(Path(demo) / "genesis.json", home, archives)


def flipped(source: Path, target: Path, at: int, bits: int) -> None:
    data = bytearray(source.read_bytes())
    data[at] ^= bits
    target.write_bytes(data)


@pytest.mark.parametrize("form", ["archive", "jsonl"])
@pytest.mark.timeout(3600)
def test_any_changed_byte_of_an_archive_is_found_with_block_and_rule(sound: Sound, tmp_path: Path, form: str) -> None:
    archive = sound.archives[form]
    assert verify(sound.genesis, "--archive", archive).exit_code == 0
    chance, size, rules = random.Random(SEED), archive.stat().st_size, Counter[str]()
    altered = tmp_path / "altered"
    for number in range(FLIPS):
        at, bits = chance.randrange(size), chance.randrange(1, 256)
        flipped(archive, altered, at, bits)
        where = f"seed {SEED}, change {number}: byte {at} of {size} ^ {bits:#x}"
        result = verify(sound.genesis, "--archive", altered)
        assert result.exit_code == 1, f"{where}: {result.output}{result.stderr}"
        height, rule = fault(result)
        assert height is not None, where
        rules[rule] += 1
    print(f"\n{form}: {FLIPS} changes, seed {SEED}: {dict(rules)}")


def everything_read(home: Path, scratch: Path) -> tuple[dict[bytes, bytes], bytes, bytes]:
    """All that is ever read of a node's data: the store's rows, the mark, the journal."""
    config = load_config(home / CONFIG_NAME)
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(config.store, scratch)
    with contextlib.closing(LevelDb(scratch, create=False)) as store:
        rows = dict(store.scan(b"", b"\xff" * 64))
        for key, value in rows.items():
            assert store.get(key) == value
    return rows, (config.data_dir / "stopped.json").read_bytes(), config.journal.read_bytes()


@pytest.mark.timeout(3600)
def test_any_changed_byte_of_a_data_directory_is_found_or_never_read(sound: Sound, tmp_path: Path) -> None:
    passes = verify(sound.genesis, "--home", sound.home)
    assert passes.exit_code == 0, passes.output + passes.stderr
    report = {k: v for k, v in json.loads(passes.stdout).items() if k != "seconds"}
    read = everything_read(sound.home, tmp_path / "scratch")
    files = sorted(p for p in (sound.home / "data").rglob("*") if p.is_file() and p.stat().st_size)
    assert {p.suffix for p in files} >= {".ldb", ".json", ".journal"}
    chance, rules, unread = random.Random(SEED), Counter[str](), Counter[str]()
    for number in range(FLIPS):
        # Half of the changes by size, half by file: small files matter as much as large ones.
        weights = [p.stat().st_size for p in files] if number % 2 else None
        (file,) = chance.choices(files, weights)
        at, bits = chance.randrange(file.stat().st_size), chance.randrange(1, 256)
        altered = tmp_path / "altered"
        shutil.rmtree(altered, ignore_errors=True)
        shutil.copytree(sound.home, altered)
        flipped(file, altered / file.relative_to(sound.home), at, bits)
        where = f"seed {SEED}, change {number}: {file.name} byte {at} of {file.stat().st_size} ^ {bits:#x}"
        result = verify(sound.genesis, "--home", altered)
        if result.exit_code == 0:
            assert {k: v for k, v in json.loads(result.stdout).items() if k != "seconds"} == report, where
            assert everything_read(altered, tmp_path / "scratch") == read, where
            unread[file.name] += 1
            continue
        assert result.exit_code == 1, f"{where}: {result.output}{result.stderr}"
        height, rule = fault(result)
        assert height is not None, where
        rules[rule] += 1
    print(f"\ndata: {FLIPS} changes, seed {SEED}: found {dict(rules)}, never read {dict(unread)}")
    assert sum(rules.values()) > FLIPS // 4


@pytest.mark.timeout(3600)
def test_any_changed_byte_of_any_value_is_found_even_with_all_checksums_right(sound: Sound, tmp_path: Path) -> None:
    """As somebody would who has the software: the value is changed through LevelDB itself."""
    chance = random.Random(SEED)
    home = tmp_path / "home"
    shutil.copytree(sound.home, home)
    everything, _, _ = everything_read(home, tmp_path / "scratch")
    rows = [(k, v) for k, v in everything.items() if v]
    config = load_config(home / CONFIG_NAME)
    kinds = Counter[str]()
    for number in range(FLIPS):
        # Kind by kind: there are many more tree nodes than certificates.
        kind = chance.choice(sorted({k[:1] for k, _ in rows}))
        key, value = chance.choice([row for row in rows if row[0][:1] == kind])
        at, bits = chance.randrange(len(value)), chance.randrange(1, 256)
        with contextlib.closing(LevelDb(config.store, create=False)) as store:
            store.write({key: value[:at] + bytes([value[at] ^ bits]) + value[at + 1 :]})
        where = f"seed {SEED}, change {number}: {key!r} byte {at} ^ {bits:#x}"
        result = verify(sound.genesis, "--home", home)
        with contextlib.closing(LevelDb(config.store, create=False)) as store:
            store.write({key: value})
        assert result.exit_code == 1, f"{where}: {result.output}{result.stderr}"
        height, rule = fault(result)
        assert height is not None, where
        kinds[f"{kind.decode()}/{rule}"] += 1
    print(f"\nvalues: {FLIPS} changes, seed {SEED}: {dict(kinds)}")
    assert verify(sound.genesis, "--home", home).exit_code == 0
