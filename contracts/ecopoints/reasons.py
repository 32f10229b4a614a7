"""Why the eco-point contract refuses."""

from __future__ import annotations

from ledger.refusal import Reason, Text


class EcoReason(Reason):
    NO_PROGRAMME = Text(
        "自治体 {municipality} の事業はまだ登録されていません",
        "municipality {municipality} has no programme yet: an administrator sets one up",
    )
    OTHER_MUNICIPALITY = Text("他の自治体({municipality})のものです", "it belongs to municipality {municipality}")
    NO_MEMBER = Text("会員 {member} は登録されていません", "there is no member {member}")
    MEMBER_EXISTS = Text("会員 {member} は既に登録されています", "the member {member} is registered already")
    MEMBER_LEFT = Text("会員 {member} は退会しています", "the member {member} has left")
    NO_DEVICE = Text("機器 {device} は登録されていません", "there is no device {device}")
    DEVICE_RETIRED = Text("機器 {device} は廃止されています", "the device {device} is retired")
    NO_METHODOLOGY = Text(
        "方法論 {methodology} は機器の種類 {kind} に使えません",
        "the methodology {methodology} is not one for devices of the kind {kind}",
    )
    TOO_MANY_DEVICES = Text("会員一人の機器は {limit} 台までです", "a member has at most {limit} devices")
    IDENTITY_TAKEN = Text(
        "この製造番号、供給地点番号または車台番号は機器 {device} として登録済みです",
        "this serial number, supply point or VIN is registered already, as the device {device}",
    )
    NOT_NEXT = Text(
        "機器 {device} の計測値は {readings} 件目まで記録済みです({before} 件目からは続きません)",
        "{readings} readings of the device {device} are recorded: a batch cannot go on from {before}",
    )
    BAD_BATCH = Text("計測値の束が正しくありません({detail})", "the batch is not well formed: {detail}")
    NO_CHANNEL = Text("機器 {device} に項目 {channel} はありません", "the device {device} has no channel {channel}")
    MONTH_CLOSED = Text(
        "{month} は期間 {period} として締め切られています。修正として記録してください",
        "{month} is closed with the period {period}: record a correction",
    )
    MONTH_OPEN = Text("{month} はまだ締め切られていません", "{month} is not closed: no correction is needed")
    MEASURED = Text(
        "機器 {device} の {channel} は計測されているため、手入力できません",
        "the device {device} reports {channel} itself: it cannot be entered by hand",
    )
    REVIEWED = Text("この計測値は既に審査されています", "the reading is reviewed already")
    SAME_DOCUMENT = Text("この書類は既に登録されています", "the document is registered already")
    NO_PERIOD = Text("期間 {period} は登録されていません", "there is no period {period}")
    BAD_PERIOD = Text(
        "期間は {limit} か月以内で、開始月から終了月までの順に指定してください",
        "a period runs from its first month to its last, over at most {limit} months",
    )
    OVERLAP = Text("{month} は既に期間 {period} に含まれています", "{month} is counted in the period {period} already")
    PERIOD_STATE = Text(
        "期間 {period} は「{status}」のため、この操作はできません",
        "the period {period} is {status}: this cannot be done now",
    )
    NOT_OVER = Text("{month} はまだ終わっていません", "{month} is not over yet")
    BAD_RULE = Text("付与規則が正しくありません({detail})", "the rule is not well formed: {detail}")
    NO_RULE = Text("付与規則 {rule} は登録されていません", "there is no rule {rule}")
    RULE_ENDED = Text("付与規則 {rule} は終了しています", "the rule {rule} has ended")
    RULE_ELSEWHERE = Text(
        "付与規則 {rule} は期間 {period} に当てはまりません", "the rule {rule} does not fit the period {period}"
    )
    RUN_EXISTS = Text(
        "期間 {period} には付与規則 {rule} による付与が既にあります",
        "the period {period} has its grant by the rule {rule} already",
    )
    NO_RUN = Text(
        "期間 {period} に付与規則 {rule} による付与はありません", "the period {period} has no grant by the rule {rule}"
    )
    RUN_STATE = Text("付与は「{status}」のため、この操作はできません", "the grant is {status}: this cannot be done now")
    SAME_OFFICER = Text(
        "提案した職員とは別の職員が承認してください", "another officer than the one who proposed it must release it"
    )
    NOT_CERTIFIED = Text(
        "この規則のポイントは認証後に付与されます", "points by this rule are paid after certification only"
    )
    OTHER_METHODOLOGY = Text(
        "方法論の異なる期間はまとめて申請できません", "periods of two methodologies cannot be applied for together"
    )
    APPLIED = Text(
        "期間 {period} は申請 {application} に含まれています",
        "the period {period} is in the application {application} already",
    )
    NO_TONNE = Text("1トンに満たないため申請できません", "there is not one whole tonne to apply for")
    NO_APPLICATION = Text("申請 {application} は登録されていません", "there is no application {application}")
    APPLICATION_STATE = Text(
        "申請 {application} は「{status}」のため、この操作はできません",
        "the application {application} is {status}: this cannot be done now",
    )
    OVER_APPLIED = Text(
        "認証量は申請量 {tonnes} トンを超えられません", "no more than the {tonnes} tonnes applied for can be certified"
    )
    BAD_SERIALS = Text("シリアル番号の範囲が正しくありません", "the serial numbers do not run from first to last")
    SERIAL_TAKEN = Text(
        "シリアル番号は {block} として登録済みです", "serial numbers among these are registered already, in {block}"
    )
    NO_BLOCK = Text("クレジット {block} は登録されていません", "there is no block of credits {block}")
    NOT_SO_MANY = Text("未売却のクレジットは {left} トンです", "{left} tonnes of the block are unsold")
