"""The independent reader: it shares nothing with the code, passes what is right, and names what is not."""

from __future__ import annotations

import ast
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from contracts.governance import Governance
from edge.archive import write_archive
from ledger.audit import Fault as AuditFault
from ledger.audit import StoredBlock, audit
from ledger.contract import Runtime
from ledger.encoding import pack, unpack
from ledger.genesis import dump_genesis
from ledger.kv import MemoryKeyValue
from ledger.types import Block, Certificate, Seal, ValidatorSet
from ledger.votes import commit_payload
from tests import vectors
from tests.independent import verify
from tests.independent.chain import Sample, make_chain
from tests.independent.check_vectors import VECTORS, check_vectors

READER = Path(verify.__file__)
Blocks = list[StoredBlock]


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_chain()


def archive_of(sample: Sample, target: Path, blocks: Sequence[StoredBlock] | None = None) -> Path:
    write_archive(target, "archive", sample.chain.chain_id, sample.blocks() if blocks is None else blocks)
    return target


def fault_of(sample: Sample, archive: Path) -> verify.Fault:
    genesis = verify.read_genesis(dump_genesis(sample.genesis).encode())
    with pytest.raises(verify.Fault) as fault:
        verify.verify_archive(genesis, archive)
    return fault.value


# -- what it is made of ------------------------------------------------------------------------------------------------


def test_the_reader_imports_nothing_of_daicho() -> None:
    imported = set()
    for node in ast.walk(ast.parse(READER.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            imported.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("__import__", "exec", "eval")
    assert imported - set(sys.stdlib_module_names) == {"cryptography", "msgpack"}
    assert "importlib" not in imported


def test_the_vectors_are_what_the_code_makes() -> None:
    assert vectors.differing() == [], "python -m tests.vectors says what to do"


def test_the_reader_agrees_with_every_vector() -> None:
    assert check_vectors(vectors.FOLDER) == [*VECTORS, "chain"]


def first_of(value: Any, *path: str | int) -> tuple[Any, str | int]:
    for step in path[:-1]:
        value = value[step]
    return value, path[-1]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("encoding", ("good", 3, "hex")),
        ("encoding", ("bad", 1, "rule")),
        ("hashes", ("tagged", 0, "hash")),
        ("signatures", ("signatures", 0, "signature")),
        ("transactions", ("good", 0, "id")),
        ("transactions", ("bad", 0, "rule")),
        ("receipts", ("receipts", 1, "receipt", "reason")),
        ("merkle", ("trees", 5, "paths", 2, 0)),
        ("validators", ("sets", 1, "hash")),
        ("headers", ("headers", 2, "hash")),
        ("votes", ("votes", 3, "payload")),
        ("certificates", ("certificates", 4, "certificate")),
        ("state", ("trees", 2, "root")),
        ("state", ("proofs", 2, "proof")),
        ("genesis", ("chain_id",)),
        ("inclusion", ("inclusion", 3, "transaction_id")),
    ],
)
def test_a_vector_that_is_not_right_is_noticed(name: str, path: tuple[str | int, ...]) -> None:
    vector = json.loads((vectors.FOLDER / f"{name}.json").read_bytes())
    place, key = first_of(vector, *path)
    place[key] = place[key][:-1] + ("0" if place[key][-1:] != "0" else "1")
    with pytest.raises(verify.Fault):
        VECTORS[name](vector)


# -- archives ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["chain.daicho", "chain.jsonl"])
def test_it_runs_as_a_program_of_its_own(form: str, tmp_path: Path) -> None:
    folder = vectors.FOLDER / "chain"
    command = [sys.executable, "-I", str(READER), "--genesis", str(folder / "genesis.json"), str(folder / form)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "validator changes  [6, 9, 11, 13]" in done.stdout
    assert "recoveries         [12, 13]" in done.stdout


@pytest.mark.parametrize("form", ["chain.daicho", "chain.jsonl"])
def test_any_changed_byte_of_an_archive_is_found(form: str, tmp_path: Path) -> None:
    genesis = vectors.FOLDER / "chain" / "genesis.json"
    data = (vectors.FOLDER / "chain" / form).read_bytes()
    dice = random.Random(form)
    for at in [0, len(data) - 1, *(dice.randrange(len(data)) for _ in range(150))]:
        changed_byte = bytes([data[at] ^ dice.randint(1, 255)])
        target = tmp_path / "changed"
        target.write_bytes(data[:at] + changed_byte + data[at + 1 :])
        assert verify.main(["--genesis", str(genesis), str(target)]) == 1, f"byte {at} of {len(data)}"


def test_any_changed_byte_is_found_even_where_all_checksums_are_made_again(sample: Sample, tmp_path: Path) -> None:
    """Whoever forges an archive makes the sums right: what is left are signatures, hashes and roots."""
    dice = random.Random(4)
    blocks = list(sample.blocks())
    for _ in range(200):
        height = dice.randrange(len(blocks))
        field = dice.choice(["raw", "certificate", "receipts", "validators"])
        forged = _flipped(blocks[height], field, dice)
        if forged is None:
            continue
        target = archive_of(sample, tmp_path / "forged", [*blocks[:height], forged, *blocks[height + 1 :]])
        fault = fault_of(sample, target)
        assert fault.height == height, f"{field} of block {height}: {fault}"
        assert fault.rule not in ("damaged", "cut_short"), fault


def _flipped(block: StoredBlock, field: str, dice: random.Random) -> StoredBlock | None:
    def flip(data: bytes) -> bytes:
        at = dice.randrange(len(data))
        return data[:at] + bytes([data[at] ^ dice.randint(1, 255)]) + data[at + 1 :]

    match field:
        case "raw":
            return replace(block, raw=flip(block.raw))
        case "certificate":
            return None if block.certificate is None else replace(block, certificate=flip(block.certificate))
        case "validators":
            return None if block.validators is None else replace(block, validators=flip(block.validators))
        case _:
            if not block.receipts:
                return None
            at = dice.randrange(len(block.receipts))
            receipts = (*block.receipts[:at], flip(block.receipts[at]), *block.receipts[at + 1 :])
            return replace(block, receipts=receipts)


def removed(blocks: Blocks) -> None:
    del blocks[5]


def reordered(blocks: Blocks) -> None:
    blocks[5], blocks[6] = blocks[6], blocks[5]


def swapped_certificates(blocks: Blocks) -> None:
    fourth, fifth = blocks[4].certificate, blocks[5].certificate
    blocks[4], blocks[5] = replace(blocks[4], certificate=fifth), replace(blocks[5], certificate=fourth)


def without_certificate(blocks: Blocks) -> None:
    blocks[5] = replace(blocks[5], certificate=None)


def without_the_new_set(blocks: Blocks) -> None:
    blocks[6] = replace(blocks[6], validators=None)


def an_older_set(blocks: Blocks) -> None:
    blocks[9] = replace(blocks[9], validators=blocks[6].validators)


def a_set_where_none_changed(blocks: Blocks) -> None:
    blocks[8] = replace(blocks[8], validators=blocks[6].validators)


def receipts_swapped(blocks: Blocks) -> None:
    receipts = blocks[7].receipts or ()
    blocks[7] = replace(blocks[7], receipts=(receipts[1], receipts[0], *receipts[2:]))


def receipt_removed(blocks: Blocks) -> None:
    blocks[7] = replace(blocks[7], receipts=(blocks[7].receipts or ())[:-1])


@pytest.mark.parametrize(
    ("alter", "height", "rule"),
    [
        (removed, 5, "not_the_record"),
        (reordered, 5, "not_the_record"),
        (swapped_certificates, 4, "other_block"),
        (without_certificate, 5, "no_certificate"),
        (without_the_new_set, 6, "wrong_next_validators"),
        (an_older_set, 9, "wrong_next_validators"),
        (a_set_where_none_changed, 8, "wrong_next_validators"),
        (receipts_swapped, 7, "wrong_receipts_root"),
        (receipt_removed, 7, "wrong_receipts_root"),
    ],
)
def test_an_altered_chain_is_found_with_its_block_and_rule(
    sample: Sample, tmp_path: Path, alter: Callable[[Blocks], None], height: int, rule: str
) -> None:
    blocks = list(sample.blocks())
    alter(blocks)
    fault = fault_of(sample, archive_of(sample, tmp_path / "altered", blocks))
    assert (fault.height, fault.rule) == (height, rule)


def test_a_tail_that_one_validator_has_signed_again_is_found(sample: Sample, tmp_path: Path) -> None:
    """One of four has all the software and one key: its own history is two seals short of three."""
    blocks = list(sample.blocks())[:3]
    block = unpack(Block, blocks[2].raw)
    header = changed(block.header, time_ms=block.header.time_ms + 1)
    seal = Seal("tachikawa", sample.keys["tachikawa"].sign(commit_payload(header.chain_id, 2, 0, header.hash)))
    certificate = Certificate(2, 0, header.hash, (seal,))
    forged = replace(blocks[2], raw=pack(changed(block, header=header)), certificate=pack(certificate))
    fault = fault_of(sample, archive_of(sample, tmp_path / "tail", [*blocks[:2], forged]))
    assert (fault.height, fault.rule) == (2, "no_quorum")


def test_an_archive_of_another_genesis_is_found(sample: Sample, tmp_path: Path) -> None:
    plain = json.loads(dump_genesis(sample.genesis))
    plain["time_ms"] += 1
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(plain))
    archive = archive_of(sample, tmp_path / "chain")
    assert verify.main(["--genesis", str(forged), str(archive)]) == 1
    other = verify.read_genesis(forged.read_bytes())
    write_archive(archive, "archive", other.chain_id, sample.blocks())
    with pytest.raises(verify.Fault) as fault:
        verify.verify_archive(other, archive)
    assert (fault.value.height, fault.value.rule) == (0, "wrong_genesis")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"network": 1}', "[" * 100_000, "\ud800"])
def test_what_is_no_genesis_is_a_fault_and_no_traceback(text: str, tmp_path: Path) -> None:
    genesis = tmp_path / "genesis.json"
    genesis.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert verify.main(["--genesis", str(genesis), str(vectors.FOLDER / "chain" / "chain.daicho")]) == 1


def test_a_cut_archive_is_found_wherever_it_is_cut(tmp_path: Path) -> None:
    data = (vectors.FOLDER / "chain" / "chain.daicho").read_bytes()
    genesis = str(vectors.FOLDER / "chain" / "genesis.json")
    for size in [0, 1, *range(7, len(data), 997), len(data) - 1]:
        (tmp_path / "cut").write_bytes(data[:size])
        assert verify.main(["--genesis", genesis, str(tmp_path / "cut")]) == 1, size


def damage_of(archive: Path, data: bytes) -> tuple[str, int | None]:
    archive.write_bytes(data)
    genesis = verify.read_genesis((vectors.FOLDER / "chain" / "genesis.json").read_bytes())
    with pytest.raises(verify.Fault) as fault:
        verify.verify_archive(genesis, archive)
    return fault.value.rule, fault.value.height


@pytest.mark.parametrize("form", ["chain.daicho", "chain.jsonl"])
def test_damage_is_told_from_forgery_by_its_checksum(form: str, tmp_path: Path) -> None:
    data = (vectors.FOLDER / "chain" / form).read_bytes()
    target, middle = tmp_path / form, len(data) // 2
    is_text = form.endswith("jsonl")
    digit = b"1" if data[middle : middle + 1] != b"1" else b"2"
    changed_byte = digit if is_text else bytes([data[middle] ^ 1])
    rule, height = damage_of(target, data[:middle] + changed_byte + data[middle + 1 :])
    assert rule == "damaged" and height is not None and 0 < height < 14
    assert damage_of(target, data + b"\n") == ("damaged", 15)
    assert damage_of(target, data + data) == ("damaged", 15)
    end = data.rindex(b'{"blocks":15') if is_text else data.rindex(b"\x82\xa6blocks")
    assert damage_of(target, data[:end]) == ("cut_short", 15)
    head = data.index(b"\n") + 1 if is_text else data.index(b"\x92")
    assert damage_of(target, data[:head] + data[end:]) == ("damaged", 0)


def with_checksum(line: bytes) -> bytes:
    body = line.rpartition(b',"sha256":"')[0]
    return body + b',"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"height":3', b'"height":"3"'),
        (b'"height":3', b'"height":true'),
        (b'"height":3', b'"height":3.0'),
        (b'"block":"', b'"block":["'),
        (b'"block":"', b'"block":"g'),
        (b'"certificate":"', b'"certificat":"'),
        (b'"receipts":[', b'"receipts":[1,'),
        (b'"receipts":[', b'"receipts":["","'),
        (b'"validators":null', b'"validators":{}'),
    ],
)
def test_a_line_of_another_form_is_a_fault_and_no_traceback(old: bytes, new: bytes, tmp_path: Path) -> None:
    lines = (vectors.FOLDER / "chain" / "chain.jsonl").read_bytes().splitlines(keepends=True)
    assert old in lines[4]
    lines[4] = with_checksum(lines[4].replace(old, new, 1))
    rule, height = damage_of(tmp_path / "chain.jsonl", b"".join(lines))
    assert rule in ("damaged", "malformed") and height == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"blocks":15', b'"blocks":14'), (b'"blocks":15', b'"blocks":"15"'), (b'_of_all":"', b'_of_all":"0')],
)
def test_an_end_that_does_not_fit_is_damage(old: bytes, new: bytes, tmp_path: Path) -> None:
    lines = (vectors.FOLDER / "chain" / "chain.jsonl").read_bytes().splitlines(keepends=True)
    lines[-1] = with_checksum(lines[-1].replace(old, new))
    assert damage_of(tmp_path / "chain.jsonl", b"".join(lines))[0] == "damaged"


def test_an_archive_without_a_block_and_one_of_another_chain_are_named(sample: Sample, tmp_path: Path) -> None:
    assert fault_of(sample, archive_of(sample, tmp_path / "empty", [])).rule == "cut_short"
    write_archive(tmp_path / "other", "archive", bytes(32), sample.blocks())
    assert fault_of(sample, tmp_path / "other").rule == "other_chain"


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(verify.Fault) as fault:
        verify.decode(b"\xc4\x02\x00\x00", limit=3)
    assert fault.value.rule == "too_large"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("network",), ""),
        (("network",), "\ud800"),
        (("recovery", "threshold"), 1),
        (("recovery", "threshold"), 4),
        (("nodes", 1, "node_id"), "hachioji"),
        (("accounts", 0, "keys", 0), "00" * 32),
        (("time_ms",), "0"),
        (("organisations",), {}),
        (("accounts", 0, "revoked"), 0),
        (("accounts", 0, "roles"), "operator"),
        (("accounts", 0, "keys", 0), "00"),
        (("nodes", 0, "public_key"), "g" * 64),
        (("nodes", 0, "public_key"), None),
        (("nodes", 0, "standing"), "king"),
        (("nodes",), []),
        (("recovery", "keys"), [1]),
        (("parameters", "more"), 1),
    ],
)
def test_a_genesis_with_a_field_that_does_not_fit_is_refused(
    sample: Sample, path: tuple[str | int, ...], value: object
) -> None:
    plain = json.loads(dump_genesis(sample.genesis))
    place, key = first_of(plain, *path)
    place[key] = value
    with pytest.raises(verify.Fault) as fault:
        verify.read_genesis(json.dumps(plain).encode())
    assert fault.value.rule in ("bad_genesis", "malformed")


def test_a_file_that_is_not_there_could_not_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    genesis = str(vectors.FOLDER / "chain" / "genesis.json")
    assert verify.main(["--genesis", genesis, str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err


# -- the auditor with the software -------------------------------------------------------------------------------------


def test_the_full_audit_passes_the_same_chain_and_checks_the_sets_that_come_with_it(sample: Sample) -> None:
    def verified(blocks: Blocks) -> int:
        return audit(blocks, sample.genesis, Runtime([Governance()]), MemoryKeyValue()).report.validator_changes

    blocks = list(sample.blocks())
    assert verified(blocks) == 4
    for height in (6, 8):
        forged = list(blocks)
        members = unpack(ValidatorSet, blocks[6].validators or b"").members
        forged[height] = replace(blocks[height], validators=pack(ValidatorSet(members[1:])))
        with pytest.raises(AuditFault) as fault:
            verified(forged)
        assert (fault.value.height, fault.value.rule) == (height, "wrong_value")
