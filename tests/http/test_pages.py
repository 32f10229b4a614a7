"""Pages and probes: health with reasons, metrics with their names, the status pages in two languages."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.node_view import PeerStatus
from edge.status_texts import TEXTS
from tests.http.harness import Served, with_api

FEW = tuple(PeerStatus(f"node-{i}", i == 2, 0) for i in (2, 3, 4))


async def _page(api: Served, path: str, status: int = 200) -> str:
    async with api.session.get(api.url + path) as response:
        assert response.status == status
        assert response.content_type == "text/html"
        return await response.text()


def test_a_node_without_quorum_says_so_everywhere() -> None:
    async def scenario(api: Served) -> None:
        assert (await api.get("/health/ready"))[0] == 200
        api.node.changes = {"peers": FEW}
        status, answer = await api.get("/health/ready")
        assert (status, answer["ready"], answer["quorum_reachable"]) == (503, False, False)
        assert [r["code"] for r in answer["reasons"]] == ["no_quorum"]
        assert "no quorum: 2 of 3 needed" in answer["reasons"][0]["text"]
        assert answer["error"]["code"] == "not_ready"
        assert (await api.get("/health/live"))[0] == 200
        assert "no quorum: 2 of 3 needed" in await _page(api, "/?lang=en")
        assert "合意に必要な数が足りません: 2/3" in await _page(api, "/")

    with_api(scenario)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"halted": "the disk is full"}, "halted"),
        ({"best_height": 50}, "behind"),
        ({"refused_block": "wrong_state_root"}, "refuses_blocks"),
        ({"equivocations": 1}, "equivocation"),
        ({"certificate_days_left": 3.5}, "certificate_ends"),
        ({"observe_through_height": 9}, "observing"),
        ({"pool_oldest_wait_ms": 11_000}, "transactions_wait"),
        ({"peers": tuple(PeerStatus(f"node-{i}", i != 4, 0) for i in (2, 3, 4))}, "node_away"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(changes: dict[str, object], code: str) -> None:
    async def scenario(api: Served) -> None:
        assert (await api.get("/v1/status"))[1]["advice"] == []
        api.node.changes = changes
        _, answer = await api.get("/v1/status")
        assert [a["code"] for a in answer["advice"]] == [code]
        status, _ = await api.get("/health/ready")
        assert status == (503 if code in ("halted", "behind") else 200)
        assert answer["advice"][0]["text_ja"] in await _page(api, "/")

    with_api(scenario)


def test_conflicting_votes_are_shown() -> None:
    async def scenario(api: Served) -> None:
        assert await api.get("/v1/evidence") == (200, {"evidence": []})
        api.node.evidence_kept = [(b"one", b"two")]
        assert (await api.get("/v1/evidence"))[1] == {"evidence": [{"first": b"one".hex(), "second": b"two".hex()}]}

    with_api(scenario)


def test_metrics_carry_the_names_of_the_field() -> None:
    async def scenario(api: Served) -> None:
        await api.submit(api.network.account("new.clerk"))
        await api.submit(api.network.account("new.clerk"))
        await api.get("/v1/nothing")
        api.node.changes = {"certificate_days_left": 12.0}
        async with api.session.get(api.url + "/metrics") as response:
            assert response.content_type == "text/plain"
            text = await response.text()
        found = {s.name: s for family in text_string_to_metric_families(text) for s in family.samples}
        assert found["daicho_height"].value == 2
        assert found["daicho_peers"].value == 3
        assert found["daicho_quorum_reachable"].value == 1
        assert found["daicho_certificate_days_left"].value == 12
        assert found["daicho_commit_seconds_count"].value == 2
        assert found["daicho_block_transactions_count"].value == 2
        assert 'daicho_transactions_total{outcome="refused"} 1.0' in text
        assert 'daicho_refusals_total{code="no_such_path"} 1.0' in text
        assert 'daicho_missing_seals_total{node="node-4"} 2.0' in text
        for name in ("round", "pool_transactions", "sync_lag_blocks", "equivocations_total", "misbehaved_total"):
            assert f"daicho_{name}" in found

    with_api(scenario)


def test_the_overview_shows_nodes_blocks_and_switches_language() -> None:
    async def scenario(api: Served) -> None:
        await api.submit(api.network.account("new.clerk"))
        page = await _page(api, "/")
        assert '<html lang="ja">' in page
        for text in ("node-4", "八王子市", "検証者", "正常に動いています", 'href="/blocks/1"', 'href="/?lang=en"'):
            assert text in page, text
        english = await _page(api, "/?lang=en")
        assert "All is well" in english
        assert 'href="/blocks/1?lang=en"' in english
        assert len(page.encode()) < 60_000

    with_api(scenario)


def test_a_transactions_story_is_told() -> None:
    async def scenario(api: Served) -> None:
        transaction = api.network.account("new.clerk")
        await api.submit(transaction)
        refused = api.network.account("new.clerk")
        await api.submit(refused)
        page = await _page(api, f"/transactions/{transaction.id.hex()}?lang=en")
        for text in ("Signed by hachioji.operator", "put it into block 1", "carried it out", "3 validators", "node-1"):
            assert text in page, text
        page = await _page(api, f"/transactions/{refused.id.hex()}")
        assert "アカウント new.clerk は既に登録されています" in page
        page = await _page(api, "/subjects/account%3Anew.clerk")
        assert "account_created" in page
        assert transaction.id.hex()[:16] in page
        page = await _page(api, "/blocks/2")
        assert "governance.account_exists" in page
        assert "見つかりません" in await _page(api, "/transactions/" + "0" * 64, 404)
        api.network.commits = False
        waiting = api.network.account("another")
        await api.submit(waiting, "?wait=accepted")
        assert "次のブロックを待っています" in await _page(api, f"/transactions/{waiting.id.hex()}")

    with_api(scenario)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("AB" * 32, "/transactions/" + "ab" * 32),
        ("17", "/blocks/17"),
        ("account:a.b", "/subjects/account%3Aa.b"),
        ("//evil.example/", "/subjects/%2F%2Fevil.example%2F"),
        ("", "/"),
    ],
)
def test_search_leads_to_the_right_page(text: str, place: str) -> None:
    async def scenario(api: Served) -> None:
        async with api.session.get(api.url + "/search", params={"q": text}, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, place)

    with_api(scenario)


def test_what_people_type_is_never_markup() -> None:
    async def scenario(api: Served) -> None:
        page = await _page(api, "/subjects/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        assert "<script>" not in page
        async with api.session.get(api.url + "/") as response:
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        async with api.session.get(api.url + "/static/status.css") as response:
            assert response.content_type == "text/css"

    with_api(scenario)


def test_every_text_of_the_pages_is_there_in_both_languages() -> None:
    for key, text in TEXTS.items():
        assert text.ja and text.en, key
        assert text.ja.count("{") == text.en.count("{"), key
