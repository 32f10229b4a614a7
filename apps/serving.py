"""An application as a municipality runs it: its configuration file, its keys, its first administrator."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, assert_never

import aiomqtt
import msgspec
from sqlalchemy.orm import Session

from apps.common import accounts, pdf
from apps.common.application import Site, make_kit
from apps.common.chain import Keyring
from apps.common.language import system_clock
from apps.common.node_chain import NodeChain
from apps.common.running import keep_personal_data_out_of_logs, serving
from apps.common.settings import Settings, Smtp
from apps.donations.site import make_site as make_donations
from apps.ecopoints.intake.mqtt import Broker
from apps.ecopoints.site import make_site as make_ecopoints
from apps.volunteers.site import make_site as make_volunteers
from edge.config import split_address
from edge.keys import read_key
from ledger.contract import Runtime
from ledger.crypto import SigningKey
from ledger.genesis import Genesis, load_genesis
from ledger.refusal import Reason, Refused, Text

SECRET_BYTES = 32


class ServingReason(Reason):
    BAD_CONFIG = Text("{path} を読めません: {detail}", "{path} is not a configuration: {detail}")
    NO_KEYS = Text(
        "{path} に鍵ファイル(<アカウント>.key)がありません",
        "there are no key files (<account>.key) in {path}",
    )
    TAKEN = Text("{email} は登録済みです", "{email} has an account already")
    NOT_A_MEMBER = Text(
        "団体コード {code} はこの台帳の団体ではありません(あるもの: {known})",
        "{code} is no organisation of this chain; there are: {known}",
    )


class SmtpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 25
    user: str = ""
    password_file: str = ""
    security: Literal["none", "starttls", "tls"] = "none"


class MqttConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The broker from which eco-points also takes readings (QoS 1)."""

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 1883
    identifier: str = "daicho-intake"
    """Each process that listens has its own."""
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    """Certificates that the broker's must come from: the connection is then encrypted."""


class AppConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paths are relative to the configuration file."""

    application: Literal["donations", "ecopoints", "volunteers"]
    base_url: str
    """Where people reach it: `https://supplies.example.lg.jp`."""
    nodes: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=32)]
    """HTTP addresses of nodes; with several, any of them may be down, and one that lies is found out."""
    genesis: str
    keys: str
    """The folder with the key of each chain account that the application signs for, `<account>.key`."""
    sender: str
    """The address that mails come from."""
    listen: str = "127.0.0.1:8080"
    database: str = "sqlite:///application.db"
    secret_file: str = "application.secret"
    """Made when it is not there. Form tokens hang on it: with several processes it is the same for all."""
    token_file: str = ""
    """The bearer token for nodes that ask for one."""
    trusted_proxies: Annotated[int, msgspec.Meta(ge=0, le=8)] = 0
    smtp: SmtpConfig = SmtpConfig()
    mqtt: MqttConfig | None = None
    """For eco-points."""


@dataclass(frozen=True, slots=True)
class Loaded:
    config: AppConfig
    folder: Path
    genesis: Genesis

    def path(self, name: str) -> Path:
        return self.folder / name

    def site(self) -> Site:
        names = {o.code: Text(o.name_ja, o.name_en) for o in self.genesis.organisations}
        match self.config.application:
            case "donations":
                return make_donations(names)
            case "ecopoints":
                return make_ecopoints(names, self._broker())
            case "volunteers":
                return make_volunteers(names)
            case never:
                assert_never(never)

    def _broker(self) -> Broker | None:
        mqtt = self.config.mqtt
        if mqtt is None:
            return None
        password = self._secret_text(mqtt.password_file)
        tls = aiomqtt.TLSParameters(ca_certs=str(self.path(mqtt.ca_file))) if mqtt.ca_file else None
        return Broker(mqtt.host, mqtt.port, mqtt.identifier, mqtt.user or None, password or None, tls=tls)

    def _secret_text(self, name: str) -> str:
        return self.path(name).read_text(encoding="utf-8").strip() if name else ""

    def settings(self) -> Settings:
        config, smtp = self.config, self.config.smtp
        password = self._secret_text(smtp.password_file)
        return Settings(
            database_url=_database_url(config.database, self.folder),
            base_url=config.base_url.rstrip("/"),
            secret=_secret(self.path(config.secret_file)),
            sender=config.sender,
            smtp=Smtp(smtp.host, smtp.port, smtp.user, password, smtp.security),
            trusted_proxies=config.trusted_proxies,
        )

    def keyring(self) -> Keyring:
        keys: dict[str, SigningKey] = {f.stem: read_key(f) for f in sorted(self.path(self.config.keys).glob("*.key"))}
        if not keys:
            raise Refused(ServingReason.NO_KEYS, path=str(self.path(self.config.keys)))
        return Keyring(keys)

    def chain(self, runtime: Runtime) -> NodeChain:
        token = self.path(self.config.token_file).read_text().strip() if self.config.token_file else None
        return NodeChain(self.config.nodes, self.genesis, runtime, token)


def load(path: Path) -> Loaded:
    """`Refused(ServingReason)` names the file, the key and what it must be."""
    try:
        config = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), AppConfig)
        genesis = load_genesis((path.parent / config.genesis).read_bytes())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Refused(ServingReason.BAD_CONFIG, path=str(path), detail=str(error)) from None
    return Loaded(config, path.resolve().parent, genesis)


def _database_url(url: str, folder: Path) -> str:
    """A relative SQLite file lies beside the configuration."""
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str(folder / url.removeprefix(prefix))
    return url


def _secret(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    secret = secrets.token_bytes(SECRET_BYTES)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    return secret


async def run(loaded: Loaded, runtime: Runtime, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or Ctrl-C. `pdf.MissingFont` before anything is served."""
    keep_personal_data_out_of_logs()
    pdf.load_fonts()
    host, port = split_address(loaded.config.listen)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        loaded.chain(runtime) as chain,
        serving(loaded.site(), loaded.settings(), chain, loaded.keyring(), host=host, port=port) as (_, bound),
    ):
        ready(bound)
        await stop.wait()


async def add_administrator(loaded: Loaded, runtime: Runtime, email: str, name: str, municipality: str) -> str:
    """The first account of a municipality: made here, since only administrators make accounts. Its link, good once."""
    known = sorted(o.code for o in loaded.genesis.organisations)
    if municipality not in known:
        raise Refused(ServingReason.NOT_A_MEMBER, code=municipality, known=", ".join(known))
    async with loaded.chain(runtime) as chain:
        site = loaded.site()
        kit = make_kit(site, loaded.settings(), chain, loaded.keyring())

        def add(session: Session) -> str:
            if accounts.find(session, email) is not None:
                raise Refused(ServingReason.TAKEN, email=email)
            user = accounts.create(
                session, email=email, name=name, password_hash="", roles=sorted(site.administrators),
                now_ms=system_clock(), organisation=municipality,
            )  # fmt: skip
            return accounts.new_link(session, user, accounts.RESET, system_clock())

        token = await kit.database.write(add)
        kit.database.close()
        return kit.url("reset", token=token)
