"""What a check finds: one kind of result each, with its reason in Japanese and English."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from apps.volunteers.credentials.times import write_stamp
from ledger.refusal import Language, Reason, Scalar, Text


class Finding(Reason):
    """Why a certificate, a status list or a presentation does not hold."""

    UNREADABLE = Text(
        "証明書として読めません: {detail}",
        "it cannot be read as a certificate: {detail}",
    )
    WRONG_PROOF = Text(
        "署名の形式が違います: {detail}",
        "its proof is not of the right kind: {detail}",
    )
    ALTERED = Text(
        "内容が書き換えられているか、発行者の署名ではありません",
        "it was altered, or the issuer did not sign it",
    )
    FOREIGN_ISSUER = Text(
        "{issuer} が発行したもので、信頼する発行者ではありません",
        "it was issued by {issuer}, which is none of the issuers to trust",
    )
    UNKNOWN_KEY = Text(
        "署名鍵 {method} は発行者のものとして公開されていません。発行者の最新の did.json で確認してください",
        "the issuer does not publish the key {method}. Remedy: check with the issuer's newest did.json",
    )
    REVOKED_KEY = Text(
        "署名鍵 {method} は {since} に無効とされました",
        "the key {method} does not count any more since {since}",
    )
    NOT_YET_VALID = Text("有効期間の開始前です({valid_from} から有効)", "it is not valid before {valid_from}")
    EXPIRED = Text("有効期限が切れています({valid_until} まで)", "it expired: it was valid until {valid_until}")
    SUSPENDED = Text("一時停止中です({as_of} 現在)", "it is suspended (as of {as_of})")
    REVOKED = Text("取り消されています({as_of} 現在)", "it is revoked (as of {as_of})")
    UNKNOWN_STATUS_LIST = Text(
        "取消・停止の一覧 {url} がないため、有効かどうか確認できません",
        "whether it is revoked or suspended cannot be told without the status list {url}",
    )
    WRONG_STATUS_LIST = Text(
        "取消・停止の一覧 {url} が正しくありません: {detail}",
        "the status list {url} does not hold: {detail}",
    )
    STALE_STATUS_LIST = Text(
        "取消・停止の一覧 {url} は古くなっています({valid_until} まで)。新しい一覧で確認してください",
        "the status list {url} counted until {valid_until}. Remedy: get a new one",
    )
    WRONG_HOLDER = Text("本人の鍵で署名された提示ではありません", "the certificate is another person's")
    WRONG_CHALLENGE = Text(
        "この場で求めた提示ではありません(使い回しの可能性があります)",
        "it was not made for this occasion: it may be a copy of one that was",
    )
    STALE_PRESENTATION = Text(
        "提示の有効時間が過ぎています。もう一度表示してもらってください",
        "it was made too long ago. Remedy: have it shown again",
    )
    UNKNOWN_PRESENTATION = Text(
        "提示された証明書の表示が見つかりません", "nothing like it was ever shown by this application"
    )
    SPENT_PRESENTATION = Text(
        "この提示は {used_at} に使用済みです。もう一度表示してもらってください",
        "it was used already at {used_at}. Remedy: have it shown again",
    )


@dataclass(frozen=True, slots=True)
class Unreadable:
    detail: str


@dataclass(frozen=True, slots=True)
class WrongProof:
    detail: str


@dataclass(frozen=True, slots=True)
class Altered:
    pass


@dataclass(frozen=True, slots=True)
class ForeignIssuer:
    issuer: str


@dataclass(frozen=True, slots=True)
class UnknownKey:
    method: str


@dataclass(frozen=True, slots=True)
class RevokedKey:
    method: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class NotYetValid:
    valid_from_ms: int


@dataclass(frozen=True, slots=True)
class Expired:
    valid_until_ms: int


@dataclass(frozen=True, slots=True)
class Suspended:
    as_of_ms: int
    """When the list or block that says so was made."""


@dataclass(frozen=True, slots=True)
class Revoked:
    as_of_ms: int


@dataclass(frozen=True, slots=True)
class UnknownStatusList:
    url: str


@dataclass(frozen=True, slots=True)
class WrongStatusList:
    url: str
    detail: str


@dataclass(frozen=True, slots=True)
class StaleStatusList:
    url: str
    valid_until_ms: int


@dataclass(frozen=True, slots=True)
class WrongHolder:
    pass


@dataclass(frozen=True, slots=True)
class WrongChallenge:
    pass


@dataclass(frozen=True, slots=True)
class StalePresentation:
    pass


@dataclass(frozen=True, slots=True)
class UnknownPresentation:
    pass


@dataclass(frozen=True, slots=True)
class SpentPresentation:
    used_ms: int


ProofFault = WrongProof | Altered | UnknownKey | RevokedKey
StatusFault = Suspended | Revoked | UnknownStatusList | WrongStatusList | StaleStatusList
CertificateFault = Unreadable | ProofFault | ForeignIssuer | NotYetValid | Expired | StatusFault
PresentationFault = WrongHolder | WrongChallenge | StalePresentation | UnknownPresentation | SpentPresentation
Fault = CertificateFault | PresentationFault
Undecided = UnknownStatusList | WrongStatusList | StaleStatusList
"""Neither right nor wrong: what is needed to tell is not there."""


def reason_of(fault: Fault) -> tuple[Finding, dict[str, Scalar]]:
    """The reason with what its sentence names. Times are in Japan Standard Time."""
    match fault:
        case Unreadable(detail):
            return Finding.UNREADABLE, {"detail": detail}
        case WrongProof(detail):
            return Finding.WRONG_PROOF, {"detail": detail}
        case Altered():
            return Finding.ALTERED, {}
        case ForeignIssuer(issuer):
            return Finding.FOREIGN_ISSUER, {"issuer": issuer}
        case UnknownKey(method):
            return Finding.UNKNOWN_KEY, {"method": method}
        case RevokedKey(method, since_ms):
            return Finding.REVOKED_KEY, {"method": method, "since": write_stamp(since_ms)}
        case NotYetValid(valid_from_ms):
            return Finding.NOT_YET_VALID, {"valid_from": write_stamp(valid_from_ms)}
        case Expired(valid_until_ms):
            return Finding.EXPIRED, {"valid_until": write_stamp(valid_until_ms)}
        case Suspended(as_of_ms):
            return Finding.SUSPENDED, {"as_of": write_stamp(as_of_ms)}
        case Revoked(as_of_ms):
            return Finding.REVOKED, {"as_of": write_stamp(as_of_ms)}
        case UnknownStatusList(url):
            return Finding.UNKNOWN_STATUS_LIST, {"url": url}
        case WrongStatusList(url, detail):
            return Finding.WRONG_STATUS_LIST, {"url": url, "detail": detail}
        case StaleStatusList(url, valid_until_ms):
            return Finding.STALE_STATUS_LIST, {"url": url, "valid_until": write_stamp(valid_until_ms)}
        case WrongHolder():
            return Finding.WRONG_HOLDER, {}
        case WrongChallenge():
            return Finding.WRONG_CHALLENGE, {}
        case StalePresentation():
            return Finding.STALE_PRESENTATION, {}
        case UnknownPresentation():
            return Finding.UNKNOWN_PRESENTATION, {}
        case SpentPresentation(used_ms):
            return Finding.SPENT_PRESENTATION, {"used_at": write_stamp(used_ms)}
    assert_never(fault)


def text_of(fault: Fault, language: Language) -> str:
    """The sentence for people."""
    reason, params = reason_of(fault)
    return reason.text(language, params)
