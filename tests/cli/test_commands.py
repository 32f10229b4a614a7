"""The command line as its users meet it: networks made, errors that name thing and remedy, help for everything."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from cli import main
from edge.commands import arguments
from edge.config import load_config
from edge.init import CONFIG_NAME
from edge.journal import FileJournal
from edge.localnet import Localnet
from edge.municipalities import check_code
from ledger.genesis import load_genesis
from ledger.refusal import Refused

ROOT = Path(__file__).resolve().parents[2]


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("init") / "tama"
    result = run("init", "--nodes", "4", "--data", made)
    assert result.exit_code == 0, result.output
    return made


def test_init_makes_a_genesis_that_all_nodes_share(data: Path) -> None:
    text = (data / "genesis.json").read_bytes()
    genesis = load_genesis(text)
    assert len(genesis.nodes) == 4
    assert len({n.organisation for n in genesis.nodes}) == 4
    assert all(check_code(o.code) for o in genesis.organisations)
    assert genesis.recovery.threshold == 3
    assert len(genesis.recovery.keys) == 4
    for node in Localnet(data).file.nodes:
        config = load_config(data / node.home / CONFIG_NAME)
        assert (data / node.home / config.values.genesis).read_bytes() == text
        journal = FileJournal(config.journal)
        assert journal.load().observe_through_height == 0
        journal.close()


def test_every_key_can_be_read_by_its_owner_only(data: Path) -> None:
    keys = [*data.rglob("*.key"), *data.rglob("votes.journal")]
    assert len(keys) == 4 + 4 + 4 + 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    assert stat.S_IMODE((data / "recovery").stat().st_mode) == 0o700


def test_init_does_not_touch_a_folder_with_something_in_it(data: Path) -> None:
    before = (data / "genesis.json").read_bytes()
    result = run("init", "--data", data)
    assert result.exit_code == 1
    assert "is not empty" in result.stderr
    assert (data / "genesis.json").read_bytes() == before


def test_three_nodes_are_told_what_they_do_not_survive(tmp_path: Path) -> None:
    result = run("init", "--nodes", "3", "--data", tmp_path / "three")
    assert "not a lying one" in result.output


def test_other_municipalities_come_from_a_file(tmp_path: Path) -> None:
    listed = tmp_path / "islands.csv"
    listed.write_text("code,name_ja,name_en\n133621,利島村,Toshima Village\n", encoding="utf-8")
    assert run("init", "--nodes", "1", "--data", tmp_path / "a", "--municipalities", listed).exit_code == 0
    listed.write_text("code,name_ja,name_en\n133622,利島村,Toshima Village\n", encoding="utf-8")
    result = run("init", "--nodes", "1", "--data", tmp_path / "b", "--municipalities", listed)
    assert result.exit_code == 1
    assert "133622" in result.stderr
    assert not (tmp_path / "b").exists()


def test_an_error_is_json_where_json_is_asked_for(tmp_path: Path) -> None:
    result = run("localnet", "status", "--data", tmp_path / "nowhere", "--json")
    assert result.exit_code == 1
    error = json.loads(result.stderr)["error"]
    assert error["code"] == "no_network"
    assert "daicho init" in error["message"]


def test_an_error_is_told_in_the_language_of_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    assert "ネットワークがありません" in run("localnet", "down", "--data", tmp_path / "nowhere").stderr


def test_status_without_any_node_is_no_success(data: Path) -> None:
    result = run("status", "--data", data)
    assert result.exit_code == 3
    assert "no node answers" in result.output


def test_a_query_that_nobody_answers_ends_with_code_3(data: Path) -> None:
    result = run("query", "--data", data, "governance", "organisations")
    assert result.exit_code == 3
    assert "no node gave an answer" in result.stderr


def test_a_call_that_does_not_fit_its_types_never_leaves(data: Path) -> None:
    key = data / "accounts" / "operator.132012.key"
    result = run("tx", "submit", "--data", data, "--key", key, "governance", "revoke_account", "acount=x")
    assert result.exit_code == 1
    assert "account" in result.stderr
    unknown = run("tx", "submit", "--data", data, "--key", key, "governance", "no_such_method")
    assert unknown.exit_code == 1
    assert "no_such_method" in unknown.stderr


def test_a_key_that_others_can_read_is_refused(data: Path, tmp_path: Path) -> None:
    key = tmp_path / "operator.132012.key"
    key.write_bytes((data / "accounts" / "operator.132012.key").read_bytes())
    key.chmod(0o644)
    result = run("tx", "submit", "--data", data, "--key", key, "governance", "revoke_account", "account=x")
    assert result.exit_code == 1
    assert f"chmod 600 {key}" in result.stderr


def test_a_node_that_is_not_there_is_named_with_those_that_are(data: Path) -> None:
    result = run("localnet", "kill", "--data", data, "chofu")
    assert result.exit_code == 1
    assert "chofu" in result.stderr
    assert "hachioji" in result.stderr
    assert run("localnet", "kill", "--data", data, "hachioji").exit_code == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a=1", "b=x=y"], {"a": "1", "b": "x=y"}),
        (['{"a": 1, "b": ["x"]}'], {"a": 1, "b": ["x"]}),
        (['roles=["a","b"]'], {"roles": ["a", "b"]}),
        ([], {}),
    ],
)
def test_arguments_are_json_or_name_value(given: list[str], expected: dict[str, object]) -> None:
    assert arguments(given) == expected


@pytest.mark.parametrize("given", ["{", "noequals", "=x", 'roles=["a"'])
def test_other_arguments_are_refused_by_name(given: str) -> None:
    with pytest.raises(Refused) as refused:
        arguments([given])
    assert refused.value.params["given"] == given


def every_command(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(every_command(main))
RUNS_OR_PRINTS_A_FILE = {("node", "run"), ("app", "run"), ("app", "sample"), ("completion",)}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(path: tuple[str, ...]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert f"daicho {' '.join(path)}" in result.output.split("Usage:")[1].split("\n", 1)[1]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_speaks_json_but_what_runs_or_prints_a_file(path: tuple[str, ...]) -> None:
    names = {option for p in COMMANDS[path].params for option in p.opts}
    assert ("--json" in names) == (path not in RUNS_OR_PRINTS_A_FILE)


PAGES = ["README.md", "README.ja.md", "docs/operator-guide.md", "docs/auditor-guide.md", "docs/auditor-guide.ja.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_pages_exists_with_its_options(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"(?:^|`)(?:\.venv/bin/)?daicho ([a-z][^`\n#]*)", text, flags=re.MULTILINE)
    assert lines
    for line in lines:
        words = re.sub(r"'[^']*'", "X", line.split("(")[0]).split()
        path = next((p for p in COMMANDS if tuple(words[: len(p)]) == p), None)
        if path is None:
            assert words[0] in {"localnet", "init", "verify"}, line  # named as a group, as in up|down|status
            continue
        known = {option for p in COMMANDS[path].params for option in p.opts}
        assert {w for w in words if w.startswith("--")} <= known, line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_what_it_completes_with(shell: str) -> None:
    assert "_DAICHO_COMPLETE" in run("completion", shell).output


def test_commands_and_options_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    def completed(*words: str) -> set[str]:
        found = ShellComplete(main, {}, "daicho", "_DAICHO_COMPLETE").get_completions(list(words[:-1]), words[-1])
        return {item.value for item in found}

    assert completed("ver") == {"verify"}
    assert completed("localnet", "u") == {"up"}
    assert "--archive" in completed("verify", "--a")
