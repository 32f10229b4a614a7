"""An application run as a municipality runs it: configuration file, first administrator, a process, an orderly end."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from click.testing import CliRunner, Result

from apps.serving import AppConfig, load
from cli import main
from edge.ports import free_base_port
from ledger.refusal import Refused
from tests.apps.common.harness import Browser

ROOT = Path(__file__).parent.parent.parent


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The sample configuration, beside the genesis and the keys of a network that does not run."""
    made = run("init", "--nodes", "1", "--data", tmp_path / "net")
    assert made.exit_code == 0, made.output
    text = run("app", "sample").output
    port = free_base_port("127.0.0.1", 1)
    for old, new in (
        ('genesis = "genesis.json"', 'genesis = "net/genesis.json"'),
        ('keys = "accounts"', 'keys = "net/accounts"'),
        ("https://supplies.example.lg.jp", f"http://127.0.0.1:{port}"),
        ("127.0.0.1:8080", f"127.0.0.1:{port}"),
        ("trusted_proxies = 1", "trusted_proxies = 0"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "supplies.toml"
    path.write_text(text, encoding="utf-8")
    return path


def add_admin(config: Path, municipality: str = "132012") -> Result:
    return run("app", "add-admin", "--config", config, "--email", "a@example.jp", "--municipality", municipality)


async def test_from_the_sample_configuration_to_an_administrator_who_signs_in(config: Path) -> None:
    made = await asyncio.to_thread(add_admin, config)
    assert made.exit_code == 0, made.output
    link = made.output.split()[-1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "cli.py"), "app", "run", "--config", str(config), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert b"listens on port" in await process.stdout.readline()
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            browser = Browser(session, link.split("/reset/")[0])
            await browser.get("/reset/" + link.split("/reset/")[1])
            await browser.send({"password": "a long and good phrase"})
            await browser.sign_in("a@example.jp", "a long and good phrase")
            assert (await browser.get("/accounts")).status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await process.wait() == 0
    secret = config.parent / "supplies.secret"
    assert secret.stat().st_mode & 0o777 == 0o600 and len(secret.read_bytes()) == 32


def test_an_address_is_added_once_and_only_for_members(config: Path) -> None:
    assert add_admin(config).exit_code == 0
    again = add_admin(config)
    assert again.exit_code == 1 and "has an account already" in again.stderr
    stranger = add_admin(config, "999999")
    assert stranger.exit_code == 1 and "132012" in stranger.stderr


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('application = "donations"', 'application = "casino"', "application"),
        ("trusted_proxies", "trusted_proxy", "trusted_proxy"),
        ('sender = "', 'sender = 5 # "', "sender"),
        ('genesis = "net/', 'genesis = "gone/', "gone"),
        ("[smtp]", "[smtp", "supplies.toml"),
    ],
)
def test_a_wrong_key_of_the_configuration_is_named(config: Path, old: str, new: str, named: str) -> None:
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(Refused, match=named):
        load(config)


def test_the_sample_explains_every_key() -> None:
    sample = (ROOT / "apps" / "sample.toml").read_text(encoding="utf-8")
    assert [f for f in AppConfig.__struct_fields__ if f"\n{f} = " not in sample and f"[{f}]" not in sample] == []
