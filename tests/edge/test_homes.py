"""`daicho config check`: everything that is wrong with a home is named with its remedy, before the node starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from edge.ceremony import JoinPlan, accept, found, join
from edge.config import NodeConfig
from edge.homes import check_home
from edge.keys import create_key
from edge.municipalities import load_municipalities
from edge.reloading import later


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("homes") / "hachioji"
    town = load_municipalities()[0]
    join(JoinPlan(home, town, town.node_id, "127.0.0.1:27700", "127.0.0.1:27701", passphrase=None))
    genesis = found([home / "request.json"], "tama", {"governance": 1}, 1_000, home.parent / "genesis.json")
    accept(home, home.parent / "genesis.json", genesis.chain_id.hex(), later=False)
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "home")
    return tmp_path / "home"


def codes(home: Path) -> dict[str, str]:
    return {f.code: f.severity for f in check_home(home)}


def add(home: Path, *lines: str) -> None:
    path = home / "node.toml"
    keys = tuple(line.partition(" =")[0] for line in lines)
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(keys)]
    path.write_text("\n".join([*kept, *lines]), encoding="utf-8")


def test_a_home_as_the_ceremony_makes_it_can_start_and_is_told_of_its_open_key(home: Path) -> None:
    assert codes(home) == {"no_passphrase": "warning"}
    result = CliRunner().invoke(main, ["config", "check", "--home", str(home)])
    assert result.exit_code == 0
    assert "daicho keys passphrase" in result.output


def test_all_that_is_wrong_is_named_at_once(home: Path) -> None:
    add(home, 'http_listen = "127.0.0.1:27700"', 'read_access = "tokens"')
    (home / "genesis.json").unlink()
    (home / "node.key").chmod(0o644)
    found = {code for code, severity in codes(home).items() if severity == "error"}
    assert found == {"same_port", "no_genesis", "open_to_others", "bad_config"}
    result = CliRunner().invoke(main, ["config", "check", "--home", str(home), "--json"])
    assert result.exit_code == 1
    assert '"ok": false' in result.output


@pytest.mark.parametrize(
    ("line", "code", "severity"),
    [
        ('http_listen = "0.0.0.0:27701"', "open_http", "warning"),
        ('peer_listen = "127.0.0.1:99999"', "bad_port", "error"),
        ('[peers]\noshimaa = "10.0.0.1:1"', "unknown_peer", "warning"),
        ('next_node_key = "next.key"', "no_key_file", "error"),
        ('node_id = "tachikawa"', "not_in_genesis", "warning"),
        ('data_dir = "elsewhere"', "no_journal", "warning"),
        ("log_level = 5", "bad_key", "error"),
    ],
)
def test_what_does_not_fit_has_its_own_code(home: Path, line: str, code: str, severity: str) -> None:
    add(home, line)
    assert codes(home).get(code) == severity


def test_another_nodes_key_is_noticed(home: Path) -> None:
    (home / "node.key").unlink()
    create_key(home / "node.key")
    assert codes(home)["other_key"] == "warning"


def test_a_key_file_gets_a_passphrase_and_stays_the_same_key(home: Path, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.touch(mode=0o600)

    def keys(*args: str | Path) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["keys", *(str(a) for a in args)], env={"DAICHO_KEY_PASSPHRASE_FILE": None})
        return result.exit_code, result.output

    before = keys("show", home / "node.key")
    words.write_text("too short\n", encoding="utf-8")
    code, said = keys("passphrase", home / "node.key", "--passphrase-file", words)
    assert code == 1 and "12 characters" in said
    assert keys("show", home / "node.key") == before
    words.write_text("correct horse battery\n", encoding="utf-8")
    assert keys("passphrase", home / "node.key", "--passphrase-file", words)[0] == 0
    code, said = keys("show", home / "node.key")
    assert code == 1 and "DAICHO_KEY_PASSPHRASE_FILE" in said and "correct horse" not in said
    opened = CliRunner().invoke(
        main, ["keys", "show", str(home / "node.key")], env={"DAICHO_KEY_PASSPHRASE_FILE": str(words)}
    )
    assert (opened.exit_code, opened.output) == before


def test_a_passphrase_is_no_option_of_any_command() -> None:
    for command in (["init"], ["keys", "new"], ["keys", "passphrase"]):
        shown = CliRunner().invoke(main, [*command, "--help"]).output
        assert "--passphrase TEXT" not in shown


def test_a_statement_of_a_node_that_does_not_run_is_refused_with_what_to_do(home: Path) -> None:
    add(home, 'http_listen = "127.0.0.1:1"')
    result = CliRunner().invoke(main, ["node", "statement", "--home", str(home)])
    assert result.exit_code == 1
    assert "start it first" in result.stderr


def test_what_a_running_node_does_not_take_up_is_named() -> None:
    before = NodeConfig(node_id="a", peer_listen="h:1", http_listen="h:2")
    after = NodeConfig(node_id="a", peer_listen="h:3", http_listen="h:2", log_level="debug", peers={"b": "h:9"})
    assert later(before, after) == ["peer_listen"]
