"""`daicho prove`, `check-proof` and `history` on a running node: what an auditor gets, and what damage is called."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from ledger.genesis import Genesis, load_genesis
from ledger.proof import BadProof, check_proof

pytestmark = pytest.mark.process


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("proving") / "net"
    up = run("localnet", "up", "--data", folder, "--nodes", "1")
    assert up.exit_code == 0, up.output + up.stderr
    try:
        key = folder / "accounts" / "operator.132012.key"
        public = "ab" * 32
        for name in ("clerk", "clerk", "second"):
            call = json.dumps({"account": name, "roles": ["donations.officer"], "keys": [public]})
            run("tx", "submit", "--data", folder, "--key", key, "governance", "create_account", call)
        yield folder
    finally:
        run("localnet", "down", "--data", folder)


def genesis_of(data: Path) -> Genesis:
    return load_genesis((data / "genesis.json").read_bytes())


def test_the_story_of_a_record_says_who_did_what_in_which_role(data: Path, tmp_path: Path) -> None:
    proof = tmp_path / "story.json"
    told = run("history", "--data", data, "account:clerk", "--proof", proof)
    assert told.exit_code == 0, told.output
    assert "account_created" in told.output and "operator.132012 (operator" in told.output
    as_json = json.loads(run("history", "--data", data, "account:clerk", "--json").stdout)
    (entry,) = as_json["entries"]
    assert entry["method"] == "governance.create_account" and entry["receipt"]["reason"] == ""
    checked = run("check-proof", proof, "--genesis", data / "genesis.json", "--json")
    assert checked.exit_code == 0
    assert [s["transaction"] for s in json.loads(checked.stdout)["steps"]] == [entry["transaction"]]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("account:clerk", "account_created"),
        ("governance/account/clerk", "donations.officer"),
        ("governance/account/nobody", "there is no such row in the state"),
    ],
)
def test_a_subject_a_row_and_its_absence_are_proved(data: Path, tmp_path: Path, what: str, told: str) -> None:
    file = tmp_path / "proof.json"
    made = run("prove", "--data", data, what, "-o", file)
    assert made.exit_code == 0 and told in made.output, made.output
    checked = run("check-proof", file, "--genesis", data / "genesis.json")
    assert checked.exit_code == 0 and checked.output.startswith("PROVED") and told in checked.output
    assert len(file.read_bytes()) < 10_000


def test_a_refused_transaction_is_proved_with_its_refusal(data: Path, tmp_path: Path) -> None:
    key = data / "accounts" / "operator.132012.key"
    again = run("tx", "submit", "--data", data, "--key", key, "--json", "governance", "revoke_account", "account=none")
    file = tmp_path / "refused.json"
    assert run("prove", "--data", data, json.loads(again.stdout)["id"], "-o", file).exit_code == 0
    checked = run("check-proof", file, "--genesis", data / "genesis.json")
    assert "REFUSED governance.no_account" in checked.output


def test_what_never_was_is_named(data: Path, tmp_path: Path) -> None:
    for what in ("account:nobody", "0" * 64):
        missing = run("prove", "--data", data, what, "-o", tmp_path / "x.json")
        assert missing.exit_code == 1 and not (tmp_path / "x.json").exists()


def test_files_that_cannot_be_read_are_no_verdict(data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "genesis.json"
    broken.write_text("{}")
    file = tmp_path / "proof.json"
    run("prove", "--data", data, "account:clerk", "-o", file)
    checked = run("check-proof", file, "--genesis", broken)
    assert checked.exit_code == 2 and "COULD NOT BE CHECKED" in checked.output


@pytest.mark.parametrize("what", ["account:clerk", "governance/account/clerk", "governance/account/nobody"])
def test_every_changed_byte_of_a_proof_is_found_or_changes_nothing_that_is_read(
    data: Path, tmp_path: Path, what: str
) -> None:
    file = tmp_path / "proof.json"
    run("prove", "--data", data, what, "-o", file)
    whole, genesis = file.read_bytes(), genesis_of(data)
    proved = check_proof(whole, genesis)
    chance = random.Random(5)
    for at in range(len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :]
        try:
            assert check_proof(changed, genesis) == proved and at == len(whole) - 1, at
        except BadProof as bad:
            assert bad.what
    for cut in range(0, len(whole) - 2, 37):
        with pytest.raises(BadProof):
            check_proof(whole[:cut], genesis)


def test_a_proof_of_one_thing_is_none_of_another(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    run("prove", "--data", data, "account:clerk", "-o", file)
    text, genesis = file.read_text(), genesis_of(data)
    for claim in ('"about": "account:second"', '"about": "account:clerk2"'):
        with pytest.raises(BadProof, match="not what it says"):
            check_proof(text.replace('"about": "account:clerk"', claim).encode(), genesis)
    with pytest.raises(BadProof, match="not what it says"):
        check_proof(text.replace('"kind": "subject"', '"kind": "transaction"').encode(), genesis)
    value = json.loads(text)
    value["steps"] = []
    with pytest.raises(BadProof, match="no step and no row"):
        check_proof((json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode(), genesis)
