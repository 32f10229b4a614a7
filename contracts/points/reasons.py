"""Why the points ledger refuses. The codes stand beside those of the contract that uses it: none may be the same."""

from __future__ import annotations

from ledger.refusal import Reason, Text


class PointsReason(Reason):
    NO_ACCOUNT = Text("ポイント口座 {account} はありません", "there is no points account {account}")
    ACCOUNT_EXISTS = Text("ポイント口座 {account} は既にあります", "the points account {account} exists already")
    ACCOUNT_CLOSED = Text("ポイント口座 {account} は閉鎖されています", "the points account {account} is closed")
    ACCOUNT_ELSEWHERE = Text(
        "他の自治体({municipality})のポイントです", "these points belong to municipality {municipality}, not to yours"
    )
    NOT_A_RESIDENT = Text(
        "{account} は住民のポイント口座ではありません", "{account} is not the points account of a resident"
    )
    NOT_A_SHOP = Text(
        "{account} は店舗のポイント口座ではありません。ポイントは住民の間では渡せません",
        "{account} is not the points account of a shop: points are not passed between residents",
    )
    SHOP_HAS_POINTS = Text(
        "店舗に {points} ポイント残っています。先に精算してください",
        "the shop still has {points} points: settle them first",
    )
    BAD_EXPIRY = Text(
        "有効期限は将来の日の午前0時(日本時間)でなければなりません",
        "points expire at 00:00 (Japan's time) of a day to come",
    )
    NOT_ENOUGH_POINTS = Text("使えるポイントは {points} です", "only {points} points can be spent")
    CODE_USED = Text("このコードは既に使われています", "the code has been used already")
    UNKNOWN_CODE = Text("このコードは登録されていません", "there is nothing with this code")
    NO_PAYMENT = Text("支払 {payment} はありません", "there is no payment {payment}")
    PAYMENT_ENDED = Text(
        "支払 {payment} は「{status}」のため、この操作はできません",
        "the payment {payment} is {status}: this cannot be done now",
    )
    PAYMENT_LAPSED = Text(
        "支払 {payment} のコードの有効時間が過ぎました", "the code of the payment {payment} is not valid any more"
    )
    OTHER_PAYER = Text("この支払は別の住民のものです", "the payment belongs to another resident")
    OTHER_SHOP = Text("この支払は別の店舗で行われました", "the payment was made at another shop")
    MORE_THAN_PAID = Text("払い戻せるのは {points} ポイントまでです", "at most {points} points can be refunded")
    SHOP_SHORT = Text(
        "店舗のポイントは {points} しかありません(精算済みの分からは払い戻せません)",
        "the shop has only {points} points: what is settled cannot be refunded",
    )
    NOTHING_TO_SETTLE = Text("精算するポイントがありません", "the shop has no points to settle")
    NO_STATEMENT = Text("精算書 {statement} はありません", "there is no statement {statement}")
    STATEMENT_STATE = Text(
        "精算書 {statement} は「{status}」のため、この操作はできません",
        "the statement {statement} is {status}: this cannot be done now",
    )
    STATEMENT_SAME_OFFICER = Text(
        "承認した職員とは別の職員が支払済みにしてください",
        "another officer than the one who approved the statement must mark it paid",
    )
    NO_REWARD = Text("交換品 {reward} はありません", "there is no reward {reward}")
    REWARD_WITHDRAWN = Text("交換品 {reward} は現在扱っていません", "the reward {reward} is not offered any more")
    OUT_OF_STOCK = Text("交換品 {reward} の在庫は {stock} です", "only {stock} of the reward {reward} are in stock")
    NO_REDEMPTION = Text("交換 {redemption} はありません", "there is no redemption {redemption}")
    REDEMPTION_ENDED = Text(
        "交換 {redemption} は「{status}」のため、この操作はできません",
        "the redemption {redemption} is {status}: this cannot be done now",
    )
    OTHER_REDEEMER = Text("この交換は別の住民のものです", "the redemption belongs to another resident")
