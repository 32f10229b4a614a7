"""The export of a period: the same to the byte, checkable without a node, and every change to it found by name."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook
from sqlalchemy.orm import Session

from apps import serving
from apps.common import accounts
from apps.common.application import Site
from apps.common.chain import Keyring
from apps.common.settings import Settings
from apps.ecopoints.export import archive
from apps.ecopoints.export.check import check_export
from apps.ecopoints.export.pages import packed
from apps.ecopoints.export.reading import Fault, Unreadable
from apps.ecopoints.people.tables import EcoPerson, EcoPlate
from apps.ecopoints.site import make_site
from cli import main
from contracts.ecopoints import methodology
from contracts.ecopoints.methodology import LATEST_TABLE, TABLES, FactorTable
from ledger.contract import Runtime
from ledger.crypto import sha256
from ledger.genesis import Genesis, dump_genesis
from ledger.proof import check_proof
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import database_url, on_both_databases, settings
from tests.apps.ecopoints.books.year import FIRST, LAST, Books
from tests.apps.ecopoints.chain import EcoChain, keyring
from tests.apps.ecopoints.town import ADMIN_MAIL, MEMBER_MAIL, NAMES, OFFICER_MAIL, VERIFIER_MAIL, Town, open_town
from tests.contracts.ecopoints.programme import PV, commitment
from tests.contracts.world import HACHIOJI, NO_RECOVERY, World


@pytest.fixture
def database_kind() -> str:
    """One is enough where the figures come from the chain."""
    return "sqlite"


async def made(town: Town, period: str) -> bytes:
    await town.copied()
    return await packed(town.kit, period)


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archived:
        return {name: archived.read(name) for name in archived.namelist()}


def rehashed(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of changed files whose manifest was made to fit: what a forger does."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {
        name: {"sha256": sha256(data).hex(), "bytes": len(data)}
        for name, data in sorted(files.items())
        if name != "manifest.json"
    }
    return archive.zipped({**files, "manifest.json": json.dumps(manifest).encode()}, 1_800_000_000_000)


def faults(data: bytes, genesis: Genesis) -> dict[str, str]:
    return {fault.file: fault.what for fault in check_export(data, genesis).faults}


@on_both_databases
@pytest.mark.function("E5a")
async def test_an_export_is_the_same_to_the_byte_and_is_checked_without_a_node(town: Town, books: Books) -> None:
    books.plants(5)
    period = books.settled()
    data = await made(town, period)
    found = check_export(data, town.chain.world.genesis)
    assert (found.faults, found.tonnes, found.devices, found.period) == ((), 2, 5, period)
    files = unzipped(data)
    assert b"2024,2526.000,0.000,2526.000,0.000,2526.000,2,2526,0,2526,0" in files["totals.csv"]
    for name, proof in files.items():
        if name.startswith("proofs/"):
            check_proof(proof, town.chain.world.genesis)
    assert found.proofs == 4, "opened, closed, settled, and the row"
    for packed_in in (data, files["export.xlsx"]):
        with zipfile.ZipFile(io.BytesIO(packed_in)) as archived:
            assert {entry.date_time for entry in archived.infolist()} == {CLOSED}, "no time but that of the closing"
    books.paid(period, books.rule())
    books.certified(period, last=2)
    town.clock.forward(86_400_000)
    books.app("leave", member="member-4")
    assert await made(town, period) == data, "paying, certifying and leaving change nothing of it"


@pytest.mark.function("E5a")
async def test_the_workbook_has_the_same_tables_under_japanese_headings(town: Town, books: Books) -> None:
    books.plants(1)
    files = unzipped(await made(town, books.settled()))
    book = load_workbook(io.BytesIO(files["export.xlsx"]))
    assert book.sheetnames[:3] == ["計画とモニタリング", "年度別合計", "会員"]
    totals = list(book["年度別合計"].iter_rows(values_only=True))
    assert totals[0][0] == "年度" and totals[1][:4] == (2024, 505.2, 0, 505.2)


@pytest.mark.function("E5a")
async def test_an_old_report_is_made_again_after_a_new_factor_table_came_into_force(
    town: Town, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.plants(2)
    period = books.settled((FIRST, "2024-09"))
    data = await made(town, period)
    old = TABLES[LATEST_TABLE]
    newer = FactorTable("2031-1", tuple(replace(f, value=f.value + Decimal("0.1")) for f in old.entries))
    monkeypatch.setitem(methodology.TABLES, newer.version, newer)  # type: ignore[arg-type]
    assert await made(town, period) == data
    assert check_export(data, town.chain.world.genesis).ok
    again = books.officer(
        "open_period", methodology=PV, first_month="2024-10", last_month=LAST, factor_table=newer.version
    )["period"]
    books.officer("close_period", period=again)
    books.app("settle_period", period=again)
    later = await made(town, again)
    assert check_export(later, town.chain.world.genesis).ok
    assert books.ask("period", period=again)["table_digest"] != books.ask("period", period=period)["table_digest"]
    mixed = unzipped(later) | {"factors.csv": unzipped(data)["factors.csv"]}
    assert "not the factors" in faults(rehashed(mixed), town.chain.world.genesis)["factors.csv"]


CLOSED = (2027, 1, 15, 18, 0, 0)
"""When the tests close a period, on a clock in Japan."""
MADE_UP = b"adjustment-1,,device-1,member-1,1.000,1,1,no\r\n"
Forge = Callable[[bytes], bytes]


def swap(old: str, new: str) -> Forge:
    def change(data: bytes) -> bytes:
        assert old.encode() in data
        return data.replace(old.encode(), new.encode())

    return change


FORGED: Mapping[str, tuple[str, Forge, str]] = {
    "a total": ("totals.csv", swap(",2,", ",3,"), "tonnes is 3, and by the chain 2"),
    "a month": ("months.csv", swap('""sold"": 200000', '""sold"": 100000'), "reckoned again 421/5 kg"),
    "a device": ("devices.csv", swap("2526/5", "2527/5"), "is not the sum of its lines in months.csv"),
    "a member": ("members.csv", swap("member-0", "nobody-0"), "is not the sum of its lines in devices.csv"),
    "a capacity": ("plan.csv", swap("tepco", "national"), "region is 'national', and by the chain 'tepco'"),
    "a factor": ("factors.csv", swap("0.000421", "0.000422"), "not the factors"),
    "a proof": ("proofs/period.json", swap('"about"', '"About"'), "it proves nothing"),
    "a correction": ("corrections.csv", lambda data: data + MADE_UP, "not those on the chain"),
    "the workbook": ("export.xlsx", lambda data: data[:-40], "it cannot be read"),
}  # fmt: skip


@pytest.mark.function("E5a", "X7")
async def test_a_changed_export_is_found_out_with_the_file_that_was_changed(town: Town, books: Books) -> None:
    books.plants(5)
    genesis = town.chain.world.genesis
    data = await made(town, books.settled())
    files = unzipped(data)
    for what, (name, forge, said) in FORGED.items():
        forged = {**files, name: forge(files[name])}
        careless = check_export(archive.zipped(forged, 1_800_000_000_000), genesis).faults
        assert Fault(name, "its SHA-256 is not the one in the manifest") in careless, what
        found = check_export(rehashed(forged), genesis).faults
        assert any(fault.file == name and said in fault.what for fault in found), (what, found)
    for name in files:
        if name != "manifest.json":
            left = {n: d for n, d in files.items() if n != name}
            assert faults(archive.zipped(left, 1_800_000_000_000), genesis)[name].endswith("missing"), name
    more = faults(archive.zipped({**files, "more.csv": b""}, 1_800_000_000_000), genesis)
    assert more == {"more.csv": "the manifest does not list it"}
    with pytest.raises(Unreadable):
        check_export(b"no zip", genesis)
    elsewhere = World(recovery=NO_RECOVERY, organisations=2).genesis
    assert "another chain" in faults(data, elsewhere)["proofs/period.json"]


@pytest.mark.function("E5a")
async def test_figures_that_were_all_made_to_fit_still_contradict_the_proofs(town: Town, books: Books) -> None:
    """Somebody who sells less power than the meter says, in every table, workbook aside, and hashes all of it anew."""
    books.plants(1, {FIRST: {"generated": 2_000_000, "sold": 0}})
    honest = unzipped(await made(town, books.settled((FIRST, FIRST))))
    kilograms = {"842": "1263", "842.000": "1263.000"}
    forged = dict(honest)
    for name in ("months.csv", "devices.csv", "members.csv"):
        text = honest[name].decode()
        for old, new in kilograms.items():
            text = text.replace(f",{old}", f",{new}")
        forged[name] = text.replace("2000000", "3000000").encode()
    found = [fault.what for fault in check_export(rehashed(forged), town.chain.world.genesis).faults]
    assert any("the chain settled 842 kg" in what for what in found), found
    assert any("do not add up to the period's years on the chain" in what for what in found), found


@pytest.mark.function("E6c", "E5a")
async def test_corrections_are_in_the_export_and_in_its_sums(town: Town, books: Books) -> None:
    plants = books.plants(6)
    period = books.settled()
    before = await made(town, period)
    books.correct(plants[0], sold=300_000)
    after = await made(town, period)
    assert after != before and check_export(after, town.chain.world.genesis).ok
    assert b"-42.100" in unzipped(after)["corrections.csv"]
    books.certified(period, last=2)
    books.correct(plants[1], sold=0)
    certified = await made(town, period)
    found = check_export(certified, town.chain.world.genesis)
    assert (found.faults, found.tonnes) == ((), 2)
    assert unzipped(certified)["totals.csv"] == unzipped(after)["totals.csv"], "what is certified stays"
    hidden = unzipped(certified)
    lines = hidden["corrections.csv"].splitlines(keepends=True)
    hidden["corrections.csv"] = b"".join(lines[:-1])
    assert "not those on the chain" in faults(rehashed(hidden), town.chain.world.genesis)["corrections.csv"]


def becomes(town: Town, email: str, member: str) -> None:
    """The person with the address is the member of that pseudonym."""

    def name(session: Session) -> None:
        user = accounts.find(session, email)
        assert user is not None
        user.pseudonym = member

    town.kit.database.write_now(name)


def know_member_2(session: Session) -> None:
    """Somebody who joined at the counter, with a plant on the roof."""
    session.add(
        EcoPerson(
            member="member-2", user_id=None, municipality=HACHIOJI, kind="household", name="佐藤 花子",
            address="元本郷町", phone="042-626-3111", state="joined", reason="", applied_ms=0,
        )
    )  # fmt: skip
    serial = commitment("serial member-2")
    session.add(EcoPlate(member="member-2", serial=serial, label="屋根", serial_text="PCS-0001", place_text="03-0011"))


@pytest.mark.function("E5a", "X1", "X5")
async def test_only_an_officer_gets_the_members_names_and_the_look_is_recorded(town: Town, books: Books) -> None:
    books.plants(3)
    becomes(town, MEMBER_MAIL, "member-1")
    town.kit.database.write_now(know_member_2)
    period = books.settled()
    async with town.as_(OFFICER_MAIL) as officer, town.as_(VERIFIER_MAIL) as verifier:
        assert "会員一覧つき ZIP" in (await officer.get(f"/periods/{period}/export")).main
        assert "会員一覧つき ZIP" not in (await verifier.get(f"/periods/{period}/export")).main
        assert (await verifier.get(f"/periods/{period}/committee.zip")).status == 403
        public = (await verifier.get(f"/periods/{period}/export.zip")).data
        private = (await officer.get(f"/periods/{period}/committee.zip")).data
    genesis = town.chain.world.genesis
    assert check_export(public, genesis).ok and check_export(private, genesis).ok
    assert "committee/members.csv" not in unzipped(public) and MEMBER_MAIL.encode() not in b"".join(
        unzipped(public).values()
    )
    listed = unzipped(private)["committee/members.csv"].decode("utf-8-sig")
    assert "member-0,(退会により削除),,,,家庭" in listed and f"member-1,テスト member,,,{MEMBER_MAIL},家庭" in listed
    assert "member-2,佐藤 花子,元本郷町,042-626-3111,,家庭" in listed
    devices = unzipped(private)["committee/devices.csv"].decode("utf-8-sig")
    assert ",member-2,屋根,PCS-0001,03-0011," in devices and devices.count("(退会により削除)") == 2
    assert b"PCS-0001" not in b"".join(unzipped(public).values())
    left_out = unzipped(private)
    left_out["committee/members.csv"] = left_out["committee/members.csv"].replace(b"member-2", b"member-7")
    assert "not those of members.csv" in faults(rehashed(left_out), genesis)["committee/members.csv"]
    async with town.as_(ADMIN_MAIL) as admin:
        assert "認証委員会用の会員一覧 を閲覧しました" in (await admin.get("/access-log")).main
        town.chain.down = True
        assert (await admin.get(f"/periods/{period}/export.zip")).status == 503


@pytest.mark.function("E5a")
async def test_the_auditor_s_command_says_what_is_right_and_what_is_wrong(
    town: Town, books: Books, tmp_path: Path
) -> None:
    books.plants(2)
    data = await made(town, books.settled())
    genesis = tmp_path / "genesis.json"
    genesis.write_text(dump_genesis(town.chain.world.genesis), encoding="utf-8")
    right, wrong, none = (tmp_path / name for name in ("right.zip", "wrong.zip", "none.zip"))
    right.write_bytes(data)
    wrong.write_bytes(rehashed(unzipped(data) | {"factors.csv": unzipped(data)["factors.csv"].replace(b"421", b"422")}))
    none.write_bytes(b"PK")
    answers = {
        file: CliRunner().invoke(
            main, ["ecopoints", "check-export", str(file), "--genesis", str(genesis), "--json"]
        )
        for file in (right, wrong, none)
    }  # fmt: skip
    assert [answers[file].exit_code for file in (right, wrong, none)] == [0, 1, 2]
    assert json.loads(answers[right].output)["tonnes"] == 1
    assert "factors.csv" in {fault["file"] for fault in json.loads(answers[wrong].output)["faults"]}
    told = CliRunner().invoke(main, ["ecopoints", "check-export", str(wrong), "--genesis", str(genesis)])
    assert "factors.csv: these are not the factors" in told.output


class Configured:
    """What `serving.load` would make of a configuration file, on the chain in memory."""

    def __init__(self, chain: EcoChain, folder: Path) -> None:
        self._chain, self._folder = chain, folder

    @asynccontextmanager
    async def chain(self, runtime: Runtime) -> AsyncIterator[EcoChain]:
        yield self._chain

    def site(self) -> Site:
        return make_site(NAMES)

    def settings(self) -> Settings:
        return settings(database_url("sqlite", self._folder))

    def keyring(self) -> Keyring:
        return keyring()


@pytest.mark.function("E5a")
def test_the_command_makes_the_same_file_as_the_page(
    tmp_path: Path, clock: FakeClock, chain: EcoChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prepare() -> tuple[str, bytes]:
        async with open_town(tmp_path, clock, chain, "sqlite") as town:
            books = Books(chain)
            books.plants(2)
            period = books.settled()
            return period, await made(town, period)

    period, data = asyncio.run(prepare())
    monkeypatch.setattr(serving, "load", lambda path: Configured(chain, tmp_path))
    config, target = tmp_path / "ecopoints.toml", tmp_path / "period.zip"
    config.touch()
    wanted = ["ecopoints", "export", "--config", str(config), "-o", str(target), "--json", "--period"]
    answer = CliRunner().invoke(main, [*wanted, period])
    assert answer.exit_code == 0, answer.output
    assert target.read_bytes() == data and json.loads(answer.output)["sha256"] == sha256(data).hex()
    answer = CliRunner().invoke(main, [*wanted, "period-0"])
    assert answer.exit_code == 1 and "ecopoints" not in answer.stdout
    chain.down = True
    assert CliRunner().invoke(main, [*wanted, period]).exit_code == 3
