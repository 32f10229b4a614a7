"""A node's configuration and its keys: what is wrong is named with file, key and remedy."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from edge.config import NodeConfig, load_config, split_address
from edge.keys import NodeScheme, create_key, read_key, write_key
from ledger.crypto import SigningKey
from ledger.refusal import Refused

GOOD = """
node_id = "hachioji"
peer_listen = "127.0.0.1:4001"
http_listen = "127.0.0.1:8001"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_three_keys_are_enough_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.values.node_id == "hachioji"
    assert config.journal == tmp_path / "data" / "votes.journal"
    assert config.path("x.key") == tmp_path / "x.key"


def test_it_stays_small_enough_to_be_read_in_one_go() -> None:
    assert len(NodeConfig.__struct_fields__) <= 18


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('node_id = "Hachioji City"', "node_id"),
        ('peer_listen = "nowhere"', "peer_listen"),
        ("request_timeout_ms = 3", "request_timeout_ms"),
        ('request_timeout_ms = "1s"', "request_timeout_ms"),
        ('log_level = "loud"', "log_level"),
        ("pool_transactions = 0", "pool_transactions"),
        ("pol_transactions = 5", "pol_transactions"),
        ('[peers]\noshima = "x"', "peers"),
    ],
)
def test_a_wrong_value_is_refused_with_file_and_key(tmp_path: Path, line: str, named: str) -> None:
    key = line.partition(" =")[0]
    lines = [kept for kept in GOOD.splitlines() if not kept.startswith(key)]
    path = written(tmp_path, "\n".join([*lines, line]))
    with pytest.raises(Refused) as refused:
        load_config(path)
    assert str(path) in str(refused.value)
    assert named in str(refused.value)
    assert refused.value.reason.text("ja", refused.value.params).startswith("設定ファイル")


def test_a_wrong_value_is_refused_with_its_line_and_what_to_write_instead(tmp_path: Path) -> None:
    cases = {
        'log_level = "loud"': ("line 5, log_level", '"debug", "info"'),
        "requests_per_secnd = 5": ("line 5, requests_per_secnd", "did you mean requests_per_second?"),
        '[peers]\noshima = "x"': ("line 5, peers", "10.20.4.5:27700"),
    }
    for line, (place, remedy) in cases.items():
        with pytest.raises(Refused) as refused:
            load_config(written(tmp_path, GOOD + line))
        assert place in str(refused.value) and remedy in str(refused.value), str(refused.value)
    with pytest.raises(Refused, match=r'http_listen is missing.*http_listen = "127'):
        load_config(written(tmp_path, GOOD.replace('http_listen = "127.0.0.1:8001"', "")))


@pytest.mark.parametrize("text", ["node_id = ", "node_id = 'a'\nnode_id = 'b'", "\udcff"])
def test_what_is_no_toml_is_refused_with_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refused, match=r"node\.toml"):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no_config"):
        load_config(tmp_path / "none.toml")


def test_addresses_are_split_at_the_last_colon() -> None:
    assert split_address("127.0.0.1:80") == ("127.0.0.1", 80)
    assert split_address("[::1]:80") == ("::1", 80)
    assert split_address("node.example.jp:443") == ("node.example.jp", 443)


# -- keys --------------------------------------------------------------------------------------------------------------


def test_a_key_comes_back_as_it_was_written_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    key = create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path).public_key == key.public_key
    with pytest.raises(Refused, match="key_exists"):
        create_key(path)
    assert read_key(path).public_key == key.public_key


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    create_key(path)
    path.chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        read_key(path)


def test_a_key_with_a_passphrase_opens_only_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "node.key"
    key = create_key(path, "correct horse")
    monkeypatch.delenv("DAICHO_KEY_PASSPHRASE", raising=False)
    with pytest.raises(Refused, match="DAICHO_KEY_PASSPHRASE_FILE"):
        read_key(path)
    with pytest.raises(Refused, match="wrong_passphrase"):
        read_key(path, "wrong")
    assert read_key(path, "correct horse").public_key == key.public_key
    monkeypatch.setenv("DAICHO_KEY_PASSPHRASE", "correct horse")
    assert read_key(path).public_key == key.public_key


def test_a_passphrase_comes_from_a_file_or_a_credential_of_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, words = tmp_path / "node.key", tmp_path / "credentials" / "daicho-passphrase"
    key = create_key(path, "正しい馬の電池 staple")
    words.parent.mkdir()
    words.write_text("正しい馬の電池 staple\n", encoding="utf-8")
    words.chmod(0o644)
    monkeypatch.delenv("DAICHO_KEY_PASSPHRASE", raising=False)
    monkeypatch.setenv("DAICHO_KEY_PASSPHRASE_FILE", str(words))
    with pytest.raises(Refused, match="chmod 600"):
        read_key(path)
    words.chmod(0o600)
    assert read_key(path).public_key == key.public_key
    monkeypatch.delenv("DAICHO_KEY_PASSPHRASE_FILE")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(words.parent))
    assert read_key(path).public_key == key.public_key


def test_a_sealed_key_names_neither_key_nor_passphrase_and_any_change_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    key = create_key(path, "correct horse battery")
    text = path.read_bytes()
    assert b"correct" not in text and b"PRIVATE KEY" not in text
    assert key.public_key not in text
    place = text.index(b"\n") + 60
    path.write_bytes(text[:place] + (b"A" if text[place : place + 1] != b"A" else b"B") + text[place + 1 :])
    with pytest.raises(Refused, match="wrong_passphrase"):
        read_key(path, "correct horse battery")


def test_an_encrypted_key_of_another_tool_is_read(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    private = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x05")
    path.touch(mode=0o600)
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"elsewhere")))
    assert read_key(path, "elsewhere").public_key == private.public_key().public_bytes_raw()
    with pytest.raises(Refused, match="unreadable_key"):
        read_key(path, "wrong")


def test_what_is_no_key_is_refused_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    with pytest.raises(Refused, match="no_key_file"):
        read_key(path)
    path.touch(mode=0o600)
    for content in (b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\x00" * 64):
        path.write_bytes(content)
        with pytest.raises(Refused, match=r"node\.key"):
            read_key(path)


def test_votes_are_signed_with_the_listed_key_only_while_a_key_is_rotated(tmp_path: Path) -> None:
    old = write_key(tmp_path / "old.key", bytes(31) + b"\x01")
    new = write_key(tmp_path / "new.key", bytes(31) + b"\x02")
    scheme = NodeScheme([old, new])
    for key in (old, new):
        signature = scheme.sign(key.public_key, b"vote")
        assert signature is not None and scheme.verify(key.public_key, b"vote", signature)
        assert not scheme.verify(key.public_key, b"other", signature)
    assert scheme.sign(SigningKey(bytes(31) + b"\x03").public_key, b"vote") is None
