"""Is the node alive, is it ready, what is wrong with it and what can be done: for probes, programs and people."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from edge.http.api import Api
from edge.http.errors import ApiReason, error_body
from edge.http.names import JSON, PROMETHEUS
from edge.http.routing import Answer, Content, Route, answer
from edge.http.shapes import AdviceView, EvidenceList, EvidenceView, LiveView, PeerView, ReadyView, StatusView
from edge.node_view import NodeStatus, NodeView, in_sync, reachable_validators
from ledger.recovery import SUBJECT as RECOVERY_SUBJECT
from ledger.refusal import Reason, Refused, Text

FEW_DAYS = 14
OLD_WAIT_MS = 10_000


MAX_RECOVERIES_SHOWN = 10


class Advice(Reason):
    """What can be wrong with a node, and what to do."""

    HALTED = Text(
        "このノードは投票をやめています: {detail}。ソフトウェアを更新してノードを再起動してください",
        "this node has stopped taking part: {detail}. Mend its software or disk, then restart it",
    )
    REFUSES_BLOCKS = Text(
        "このノードは提案に投票していません: {detail}。ほかのノードとソフトウェアの版を合わせてください",
        "this node gave a proposal no vote: {detail}. Compare its software's version with the others'",
    )
    NO_QUORUM = Text(
        "合意に必要な数が足りません: 検証者 {reachable}/{needed}。応答しないノード({missing})を起動してください",
        "no quorum: {reachable} of {needed} needed. Start the nodes that do not answer: {missing}",
    )
    BEHIND = Text(
        "同期中です(高さ {height}、最新 {best})。追いつくまでお待ちください",
        "catching up: at height {height} of {best}. Wait; it goes on by itself",
    )
    OBSERVING = Text(
        "投票の記録が失われたため、高さ {through} まで投票せずに同期しています",
        "its votes journal was lost, so it observes without voting through height {through}; it goes on by itself",
    )
    MISSING_VERSION = Text(
        "契約 {contract} の版 {version} が高さ {height} から必要です。それまでにソフトウェアを更新してください",
        "contract {contract} runs in version {version} from height {height} on: upgrade this node's software before",
    )
    NODE_AWAY = Text(
        "検証者 {nodes} と接続できません。電源・ネットワークを確認してください",
        "not connected to {nodes}: check that they run and that the network between the sites is up",
    )
    TRANSACTIONS_WAIT = Text(
        "取引が {seconds} 秒以上待っています", "a transaction has waited for {seconds} s without being committed"
    )
    EQUIVOCATION = Text(
        "二重署名が {count} 件見つかりました。運営団体に連絡してください",
        "{count} cases of a validator signing two different votes: tell the organisations; `daicho status` shows which",
    )
    RECOVERED = Text(
        "この台帳は高さ {height} で復旧鍵により再開されました。壊れた拠点のデータが見つかったら照合してください",
        "the chain was started again by its recovery keys at height {height}: compare what is found of lost sites",
    )
    CERTIFICATE_ENDS = Text(
        "接続用の証明書があと {days} 日で切れます。更新してください",
        "the peer certificate ends in {days} days: renew it",
    )


_NOT_READY = frozenset({Advice.HALTED, Advice.NO_QUORUM, Advice.BEHIND})


def troubles(node: NodeView, status: NodeStatus) -> Iterator[tuple[Advice, dict[str, str | int]]]:
    """What is wrong, worst first."""
    chain = node.chain
    validators = chain.validators
    reachable = reachable_validators(status, validators)
    missing = [v for v in validators.ids if v not in reachable and v != status.node_id]
    if status.halted is not None:
        yield Advice.HALTED, {"detail": status.halted}
    if status.refused_block is not None:
        yield Advice.REFUSES_BLOCKS, {"detail": status.refused_block}
    if len(reachable) < validators.quorum:
        names = ", ".join(missing) or status.node_id
        yield Advice.NO_QUORUM, {"reachable": len(reachable), "needed": validators.quorum, "missing": names}
    elif missing:
        yield Advice.NODE_AWAY, {"nodes": ", ".join(missing)}
    if not in_sync(status, chain.height):
        yield Advice.BEHIND, {"height": chain.height, "best": status.best_height}
    if status.observe_through_height > chain.height:
        yield Advice.OBSERVING, {"through": status.observe_through_height}
    for contract, version, height in node.runtime.missing_versions(chain.state):
        if status.halted is None:
            yield Advice.MISSING_VERSION, {"contract": contract, "version": version, "height": height}
    if status.pool_oldest_wait_ms > OLD_WAIT_MS:
        yield Advice.TRANSACTIONS_WAIT, {"seconds": status.pool_oldest_wait_ms // 1000}
    if status.equivocations:
        yield Advice.EQUIVOCATION, {"count": status.equivocations}
    for entry in chain.history(RECOVERY_SUBJECT, limit=MAX_RECOVERIES_SHOWN):
        yield Advice.RECOVERED, {"height": entry.height}
    days = status.certificate_days_left
    if days is not None and days < FEW_DAYS:
        yield Advice.CERTIFICATE_ENDS, {"days": int(days)}


def advice(node: NodeView, status: NodeStatus) -> tuple[AdviceView, ...]:
    return tuple(
        AdviceView(reason.code, reason.text("en", params), reason.text("ja", params))
        for reason, params in troubles(node, status)
    )


async def live(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /health/live"""
    return answer(LiveView(True, api.node.status().node_id))


async def ready(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /health/ready"""
    node, status = api.node, api.node.status()
    found = [(r, p) for r, p in troubles(node, status) if r in _NOT_READY]
    reasons = tuple(AdviceView(r.code, r.text("en", p), r.text("ja", p)) for r, p in found)
    reachable = reachable_validators(status, node.chain.validators)
    view = ReadyView(
        ready=not reasons,
        node_id=status.node_id,
        height=node.chain.height,
        in_sync=in_sync(status, node.chain.height),
        quorum_reachable=len(reachable) >= node.chain.validators.quorum,
        reasons=reasons,
        error=error_body(request, Refused(ApiReason.NOT_READY, detail=reasons[0].text)) if reasons else None,
    )
    return answer(view, 503 if reasons else 200)


async def status(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/status"""
    return answer(status_view(api.node))


def status_view(node: NodeView) -> StatusView:
    now, chain = node.status(), node.chain
    validators = chain.validators
    reachable = reachable_validators(now, validators)
    days = now.certificate_days_left
    return StatusView(
        node_id=now.node_id,
        network=chain.genesis.network,
        chain_id=chain.chain_id,
        height=chain.height,
        head_hash=chain.head.hash,
        head_time_ms=chain.head.time_ms,
        round=now.round,
        leader=now.leader,
        votes=now.votes,
        halted=now.halted,
        refused_block=now.refused_block,
        observe_through_height=now.observe_through_height,
        best_height=now.best_height,
        in_sync=in_sync(now, chain.height),
        validators=validators.ids,
        reachable=reachable,
        quorum=validators.quorum,
        quorum_reachable=len(reachable) >= validators.quorum,
        peers=tuple(PeerView(p.node_id, p.connected, p.height) for p in now.peers),
        pool_transactions=now.pool_count,
        pool_bytes=now.pool_bytes,
        pool_oldest_wait_ms=now.pool_oldest_wait_ms,
        equivocations=now.equivocations,
        misbehaved=now.misbehaved,
        certificate_hours_left=None if days is None else int(days * 24),
        contracts=node.runtime.latest_versions(),
        advice=advice(node, now),
    )


async def evidence(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /v1/evidence"""
    return answer(EvidenceList(tuple(EvidenceView(*pair) for pair in api.node.evidence())))


async def metrics(api: Api, request: web.Request) -> web.StreamResponse:
    """GET /metrics"""
    return web.Response(body=api.metrics.render(), headers={"Content-Type": api.metrics.content_type})


ROUTES = (
    Route(
        "GET",
        "/health/live",
        "live",
        "Whether the process answers.",
        live,
        access="open",
        answers={200: Answer("It does.", (Content(JSON, LiveView),))},
        tag="health",
    ),
    Route(
        "GET",
        "/health/ready",
        "ready",
        "Whether the node is in sync and reaches a quorum: a load balancer sends requests only then.",
        ready,
        access="open",
        answers={
            200: Answer("It is ready.", (Content(JSON, ReadyView),)),
            503: Answer("It is not, and why.", (Content(JSON, ReadyView),)),
        },
        tag="health",
    ),
    Route(
        "GET",
        "/v1/status",
        "getStatus",
        "The node at this moment: where it stands, whom it reaches, what is wrong and what to do.",
        status,
        answers={200: Answer("The status.", (Content(JSON, StatusView),))},
        tag="health",
    ),
    Route(
        "GET",
        "/v1/evidence",
        "listEvidence",
        "Conflicting votes that this node has seen: what an organisation records on the chain by governance.",
        evidence,
        answers={200: Answer("The pairs of votes.", (Content(JSON, EvidenceList),))},
        tag="health",
    ),
    Route(
        "GET",
        "/metrics",
        "metrics",
        "Metrics for Prometheus.",
        metrics,
        answers={200: Answer("Metrics in Prometheus' text format.", (Content(PROMETHEUS),))},
        tag="health",
    ),
)
