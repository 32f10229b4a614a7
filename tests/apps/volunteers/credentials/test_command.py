"""`daicho credential` on files, and docs/credentials.md: its commands run and say what it says they do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from apps.volunteers.credentials.certificate import write_file
from apps.volunteers.credentials.findings import Finding
from apps.volunteers.credentials.jcs import read_object
from apps.volunteers.credentials.statuslist import StatusList, read_list
from cli import main
from tests.apps.volunteers.credentials import samples
from tests.apps.volunteers.credentials.issuing import NOW, did_document

PAGE = (Path(__file__).parents[4] / "docs" / "credentials.md").read_text(encoding="utf-8")
AT = ["--at", "2026-07-15T10:00:00+09:00"]
TRUST = ["--did", "did.json", "--status", "revocation.json", "--status", "suspension.json", *AT]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(samples.FOLDER)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["credential", *words])


def said(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def commands() -> list[tuple[str, int]]:
    """Each command of the page's `sh` blocks, with the exit code that it says it has."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            code = re.search(r"# exit code (\d)", line)
            found.append((line.split("  #")[0].strip(), int(code[1]) if code else 0))
    return found


def test_the_page_has_commands() -> None:
    assert len(commands()) >= 6


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("number", range(len(commands())))
def test_each_command_of_the_page_ends_as_it_says(number: int) -> None:
    command, code = commands()[number]
    name, *words = command.split()
    assert name == "daicho"
    result = CliRunner().invoke(main, words)
    assert result.exit_code == code, f"{command}\n{result.output}"


def test_the_example_files_are_what_the_code_makes() -> None:
    made = dict(samples.make())
    assert made.keys() == {path.name for path in samples.FOLDER.iterdir()}
    for name in made.keys() - {"revocation.json", "suspension.json"}:
        assert (samples.FOLDER / name).read_bytes() == write_file(made[name]), (
            f"{name}. Remedy: python -m tests.apps.volunteers.credentials.samples"
        )


@pytest.mark.parametrize(("name", "index"), [("revocation", samples.REVOKED), ("suspension", samples.SUSPENDED)])
def test_the_example_lists_hold(name: str, index: int) -> None:
    # Not compared by bytes: another zlib packs the same bits otherwise.
    found = read_list(read_object((samples.FOLDER / f"{name}.json").read_bytes()), did_document(), NOW)
    assert isinstance(found, StatusList)
    assert [i for i in range(len(found.bits) * 8) if found.is_set(i)] == [index]


def test_every_finding_is_in_the_page() -> None:
    for finding in Finding:
        assert f"`{finding.code}`" in PAGE


@pytest.mark.usefixtures("here")
@pytest.mark.function("V5a", "V5d")
def test_a_valid_certificate_is_told_with_what_it_says() -> None:
    found = said(run("verify", "certificate.json", *TRUST, "--json"))
    assert (found["ok"], found["code"], found["status_as_of"]) == (True, "valid", "2026-07-15T09:00:00+09:00")
    assert found["certificate"]["number"] == "132012-000042"
    assert found["certificate"]["issuer"] == "did:web:volunteers.example.lg.jp:132012"
    people = run("verify", "holders-copy.json", *TRUST)
    assert people.exit_code == 0 and "VALID" in people.output and "青木 花子" in people.output


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("file", "extra", "code", "exit_code"),
    [
        ("altered.json", [], "altered", 1),
        ("suspended.json", [], "suspended", 1),
        ("certificate.json", ["--at", "2026-03-31T23:59:59+09:00"], "not_yet_valid", 1),
        ("certificate.json", ["--at", "2027-04-01T00:00:00+09:00"], "expired", 1),
        ("certificate.json", ["--at", "2026-08-01T00:00:00+09:00"], "stale_status_list", 2),
        ("did.json", [], "foreign_issuer", 1),
        ("schema.json", [], "foreign_issuer", 1),
        ("presentation.json", ["--challenge", "other", "--domain", samples.DOMAIN], "wrong_challenge", 1),
    ],
)
def test_what_is_not_valid_is_told_with_its_reason(file: str, extra: list[str], code: str, exit_code: int) -> None:
    result = run("verify", file, *TRUST, *extra, "--json")
    found = said(result)
    assert (result.exit_code, found["code"]) == (exit_code, code)
    assert found["ok"] is (False if exit_code == 1 else None)
    assert found["message"].isascii() and not found["message_ja"].isascii()


@pytest.mark.usefixtures("here")
def test_without_the_lists_or_the_issuers_keys_it_cannot_be_told() -> None:
    result = run("verify", "certificate.json", "--did", "did.json", *AT, "--json")
    assert (result.exit_code, said(result)["code"]) == (2, "unknown_status_list")
    result = run("verify", "certificate.json", *AT)
    assert result.exit_code == 2
    assert "https://volunteers.example.lg.jp/132012/did.json" in result.stderr


@pytest.mark.usefixtures("here")
def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"a": 1, "a": 2}', encoding="utf-8")
    result = run("verify", str(broken), *TRUST, "--json")
    assert (result.exit_code, said(result)["code"]) == (1, "unreadable")
    for option in ("--did", "--status"):
        result = run("verify", "certificate.json", *TRUST, option, str(broken))
        assert result.exit_code == 2 and str(broken) in result.stderr
    result = run("verify", "certificate.json", "--did", "certificate.json", *AT)
    assert result.exit_code == 2 and "certificate.json" in result.stderr
    assert run("verify", "presentation.json", *TRUST).exit_code == 2
    assert run("verify", "certificate.json", *TRUST, "--at", "today").exit_code == 2
    assert run("show", str(broken)).exit_code == 2


@pytest.mark.usefixtures("here")
def test_a_reason_is_told_in_japanese_where_that_is_the_terminals_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert "一時停止中です" in run("verify", "suspended.json", *TRUST).output


@pytest.mark.usefixtures("here")
def test_show_says_that_nothing_was_checked() -> None:
    result = run("show", "altered.json")
    assert result.exit_code == 0 and "NOT CHECKED" in result.output and "medicine" in result.output
    assert said(run("show", "presentation.json", "--json"))["checked"] is False
