"""What a member's removal changes, and what it must not: totals, proofs, and documents of a certified period."""

from __future__ import annotations

from fractions import Fraction

import pytest
from sqlalchemy.orm import Session

from apps.common.tables import Salt
from apps.ecopoints.books.figures import show_kg
from apps.ecopoints.people import keeping
from apps.ecopoints.people.figures import figures_of, total
from apps.ecopoints.people.looking import devices_of
from apps.ecopoints.people.tables import EcoDocument
from apps.ecopoints.tables import MemberRow, PeriodRow
from ledger.proof import check_proof
from tests.apps.ecopoints.books.year import FIRST_OFFICER, Books
from tests.apps.ecopoints.people.folk import Folk
from tests.apps.ecopoints.town import MEMBER_MAIL, OFFICER_MAIL, Town
from tests.contracts.ecopoints.programme import EV, TABLE, batch, device, entry

YEAR = ("2026-04", "2026-12")


def solar_year(folk: Folk, plant: str, generated: int) -> None:
    """Nine months of meter statements."""
    app = Books(folk.town.chain).app
    for number in range(4, 13):
        for channel, value in (("generated", generated), ("sold", generated // 3)):
            app("enter_value", device=plant, month=f"2026-{number:02d}", channel=channel, value=value)


def settle(folk: Folk, methodology: str = "EN-R-002") -> str:
    books = Books(folk.town.chain)
    period = str(
        books.officer(
            "open_period", methodology=methodology, first_month=YEAR[0], last_month=YEAR[1], factor_table=TABLE
        )["period"]
    )
    books.officer("close_period", period=period)
    while books.app("settle_period", period=period)["left"]:
        pass
    return period


def sums_of_members(town: Town, methodology: str) -> Fraction:
    """What the members' own pages add up to, over all members, those who left too."""

    def add(session: Session) -> Fraction:
        found = Fraction(0)
        for member in session.query(MemberRow):
            devices = [d for d in devices_of(session, member.member) if d.methodology == methodology]
            found += total(figures_of(session, devices, "tepco", town.clock()), settled=True)
        return found

    return town.kit.database.read_now(add)


@pytest.mark.function("E4a", "E3a", "E6c")
async def test_totals_equal_the_sum_of_the_members_to_the_last_digit(town: Town, folk: Folk) -> None:
    books = Books(town.chain)
    car = ""
    for number in range(4):
        member = f"member-{number}"
        books.app("register_member", member=member, kind="household")
        plant = str(
            books.app("register_device", **device(member, "pv", "EN-R-002", member, capacity_w=3_000))["device"]
        )
        solar_year(folk, plant, 301_007 + 1_013 * number)
        facts = device(member, "ev", EV, member, baseline_km_per_l_x10=151, km_per_kwh_x10=61)
        car = str(books.app("register_device", **facts)["device"])
        books.gateway("record_batch", **batch(entry(car, 0, {"2026-05": {"distance": 1_000_003 + 7 * number}})))
    period, cars = settle(folk), settle(folk, EV)
    late = entry(car, 48, {"2026-05": {"distance": 2_000_003}}, readings=1)
    books.gateway("record_correction", root=bytes(32), readings=1, entry=late)
    await town.copied()
    for methodology, row_id in (("EN-R-002", period), (EV, cars)):
        row = town.kit.database.read_now(lambda s: s.get_one(PeriodRow, row_id))  # noqa: B023
        of_period = sum((Fraction(y["reduction"]) for y in row.years.values()), Fraction(0))
        of_chain = [
            Fraction(kg) for m in folk.ask("member_reductions", period=row_id)["rows"] for kg in m["months"].values()
        ]
        assert of_period == sum(of_chain) == sums_of_members(town, methodology) > 0
        async with town.as_(OFFICER_MAIL) as officer:
            page = await officer.get("/totals")
            assert f"{show_kg(of_period)} kg" in page.main
            assert (await officer.get("/totals.csv")).status == 200


@pytest.mark.function("E4c", "X4")
async def test_a_member_s_removal_leaves_every_total_and_proof_as_it_was(town: Town, folk: Folk) -> None:
    member = await folk.join()
    plant = await folk.device(member)
    solar_year(folk, plant, 300_000)
    period = settle(folk)
    await town.copied()
    before = folk.ask("period", period=period), folk.ask("member_reductions", period=period)
    reckoned = sums_of_members(town, "EN-R-002")
    subjects = (f"member:{member}", f"device:{plant}")
    told = {subject: (await town.kit.chain.history(subject))[0] for subject in subjects}
    proofs = {s.transaction_id: await town.kit.chain.proof(s.transaction_id) for steps in told.values() for s in steps}
    async with town.as_(OFFICER_MAIL) as officer:
        home = (await officer.get("/")).main
        await officer.get(f"/members/{member}/remove")
        await officer.send({"sure": "1"})
        await town.copied()
        assert (folk.ask("period", period=period), folk.ask("member_reductions", period=period)) == before
        assert sums_of_members(town, "EN-R-002") == reckoned > 0
        kilograms = f"{int(reckoned // 1):,} kg"
        assert kilograms in home and kilograms in (await officer.get("/")).main
        for subject, steps in told.items():
            now = (await town.kit.chain.history(subject))[0]
            assert now[: len(steps)] == steps and len(now) > len(steps), "the history goes on, and stays"
            assert (await officer.get(f"/story/{subject}")).status == 200
    for transaction_id, proof in proofs.items():
        assert await town.kit.chain.proof(transaction_id) == proof
        assert check_proof(proof, town.chain.world.genesis).about == transaction_id.hex()


@pytest.mark.function("E5c", "E4c")
async def test_evidence_of_a_certified_period_is_kept_until_two_years_after_it(town: Town, folk: Folk) -> None:
    member = await folk.join()
    plant = await folk.device(member)
    async with town.as_(MEMBER_MAIL) as owner, town.as_(OFFICER_MAIL) as officer:
        kept = await folk.document(owner, member, b"%PDF-1.7 statement", device=plant)
        solar_year(folk, plant, 3_000_000)
        meter = (await folk.device(member, "car", serial="OBD-1", place="VIN-1"),)
        free = await folk.document(owner, member, b"%PDF-1.7 car", device=meter[0])
        period = settle(folk)
        await town.copied()
        assert town.kit.database.read_now(lambda s: keeping.kept_until_ms(s, member, plant)) == 0, "nothing rests on it"
        application = Books(town.chain).officer("apply_for_credits", periods=[period])["application"]
        await town.copied()
        applied_for = town.kit.database.read_now(lambda s: keeping.kept_until_ms(s, member, plant))
        town.chain.act(
            FIRST_OFFICER, "ecopoints", "register_credits", application=application, prefix="JC", first=1, last=1
        )
        await owner.get(f"/documents/{kept}/delete")
        page = await owner.send({"sure": "1"})
        assert page.status == 422 and "2029-01-01 までは削除できません" in page.main, page.main
        await officer.get(f"/members/{member}/remove")
        assert "根拠となる書類 1 件" in officer.page.main
        await officer.send({"sure": "1"})
        page = await officer.get(f"/documents/{kept}")
        assert "一致" in page.main and "(退会した会員)" in page.main
        assert (await officer.get(f"/documents/{free}")).status == 404
    end_ms = town.kit.database.read_now(lambda s: s.get_one(EcoDocument, kept).keep_until_ms)
    assert end_ms == applied_for == folk.ask("period", period=period)["retain_until_ms"]
    delete = town.kit.database.write_now
    assert delete(lambda s: keeping.delete_due(s, end_ms - 1)) == 0
    assert delete(lambda s: keeping.delete_due(s, end_ms)) == 1
    assert town.kit.database.read_now(lambda s: (s.query(EcoDocument).count(), s.query(Salt).count())) == (0, 0)
    assert folk.ask("document", document=kept)["document"] == kept, "the chain's record stays"
