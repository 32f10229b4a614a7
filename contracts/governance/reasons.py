"""Why governance refuses."""

from __future__ import annotations

from ledger.refusal import Reason, Text


class GovernanceReason(Reason):
    NO_ORGANISATION = Text("団体 {code} は登録されていません", "there is no organisation {code}")
    ORGANISATION_EXISTS = Text("団体 {code} は既に登録されています", "organisation {code} is registered already")
    ORGANISATION_IN_USE = Text(
        "団体 {code} にはまだノードがあります", "organisation {code} still has a node: remove its nodes first"
    )
    LAST_ORGANISATION = Text("最後の団体は取り除けません", "the last organisation cannot be removed")
    TOO_MANY_ORGANISATIONS = Text("団体は {limit} までです", "there are at most {limit} organisations")
    OTHER_ORGANISATION = Text(
        "他の団体({code})のアカウントは変更できません", "the account belongs to organisation {code}, not to yours"
    )
    NO_ACCOUNT = Text("アカウント {account} は登録されていません", "there is no account {account}")
    ACCOUNT_EXISTS = Text("アカウント {account} は既に登録されています", "account {account} is registered already")
    OPERATOR_ROLE = Text(
        "運用者の役割は団体の合意で与えます",
        "the role operator is given and taken by a quorum of the organisations only",
    )
    LAST_OPERATOR = Text("団体 {code} の最後の運用者です", "this would leave organisation {code} without an operator")
    NOT_AN_OPERATOR = Text("アカウント {account} は運用者ではありません", "account {account} is not an operator")
    TOO_MANY_OPERATORS = Text("1団体の運用者は {limit} までです", "an organisation has at most {limit} operators")
    BAD_KEY = Text("公開鍵が正しくありません", "the public key is not one that may sign")
    KEY_IN_USE = Text("この鍵は既に登録されています", "the key is registered already")
    NO_KEY = Text("この鍵は登録されていません", "the key is not one of the account's")
    LAST_KEY = Text(
        "最後の鍵は取り除けません", "the last key cannot be removed: add the new one first, or revoke the account"
    )
    TOO_MANY_KEYS = Text("鍵は {limit} 個までです", "an account has at most {limit} keys")
    NO_NODE = Text("ノード {node} は登録されていません", "there is no node {node}")
    NODE_EXISTS = Text("ノード {node} は既に登録されています", "node {node} is registered already")
    TOO_MANY_NODES = Text(
        "ノードは取り除いたものを含めて {limit} 台までです",
        "there are at most {limit} nodes, the removed ones included",
    )
    NOT_AN_OBSERVER = Text("ノード {node} は参加待ちではありません", "node {node} is not an observer: it is {standing}")
    NOT_A_VALIDATOR = Text("ノード {node} は検証者ではありません", "node {node} is not a validator: it is {standing}")
    LAST_VALIDATOR = Text("最後の検証者は取り除けません", "the last validator cannot be removed")
    TOO_MANY_VALIDATORS = Text("検証者は {limit} 台までです", "there are at most {limit} validators")
    ONE_CHANGE_A_BLOCK = Text(
        "検証者の変更は1ブロックに1回だけです。もう一度送ってください",
        "the validator set changes at most once a block: send the approval again",
    )
    NOT_IN_SYNC = Text(
        "同期の申告({height})が古いか、先の高さです(現在 {now})",
        "the statement of being in sync is for height {height}, too far from now ({now}): make a new one",
    )
    BAD_STATEMENT = Text(
        "同期の申告の署名が正しくありません", "the statement of being in sync is not signed by the node's key"
    )
    NO_PROPOSAL = Text("提案 {proposal} はありません", "there is no proposal {proposal}")
    PROPOSAL_CLOSED = Text("提案 {proposal} は終了しています({status})", "proposal {proposal} is closed: {status}")
    ALREADY_APPROVED = Text("団体 {code} は既に承認しています", "organisation {code} has approved already")
    TOO_MANY_PROPOSALS = Text(
        "団体 {code} の審議中の提案が多すぎます(上限 {limit})",
        "organisation {code} has {limit} open proposals: withdraw one first",
    )
    NOT_THE_PROPOSER = Text("提案した団体だけが取り下げられます", "only the organisation that proposed may withdraw")
    HEIGHT_PASSED = Text(
        "開始の高さ {height} は過ぎています(現在 {now})", "the activation height {height} is not after now ({now})"
    )
    BAD_PARAMETER = Text("パラメーター {name} が範囲外です", "the parameter {name} is out of its range")
    NOT_A_RECOVERY = Text(
        "復旧は復旧鍵で署名されたブロックでのみ行えます",
        "a recovery is made only in a block that the recovery keys have signed (daicho recover)",
    )
    RESERVED_NAME = Text(
        "ノード名 {node} は使えません", "a node may not be called {node}: such names are recovery keys'"
    )
    NOT_EVIDENCE = Text(
        "二重署名の証拠になっていません: {detail}", "this is no evidence of two conflicting votes: {detail}"
    )
    EVIDENCE_EXISTS = Text("この証拠は既に記録されています", "this evidence is recorded already")
