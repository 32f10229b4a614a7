"""Why the donations contract refuses."""

from __future__ import annotations

from ledger.refusal import Reason, Text


class DonationsReason(Reason):
    NO_SHELTER = Text("避難所 {shelter} は登録されていません", "there is no shelter {shelter}")
    SHELTER_EXISTS = Text("避難所 {shelter} は既に登録されています", "the shelter {shelter} is registered already")
    SHELTER_CLOSED = Text("避難所 {shelter} は閉鎖されています", "the shelter {shelter} is closed")
    SHELTER_FULL = Text(
        "避難所 {shelter} は置き場がないため受け付けていません",
        "the shelter {shelter} has no room and takes nothing new",
    )
    BAD_REDIRECT = Text("転送先 {shelter} は使えません", "goods cannot be redirected to {shelter}")
    OTHER_MUNICIPALITY = Text(
        "他の自治体({municipality})の避難所です", "the shelter belongs to municipality {municipality}, not to yours"
    )
    NOT_STAFF = Text("避難所 {shelter} の担当者ではありません", "you are not on the staff of the shelter {shelter}")
    NO_ITEM = Text("品目 {item} は登録されていません", "there is no item {item}")
    ITEM_EXISTS = Text("品目 {item} は既に登録されています", "the item {item} is registered already")
    ITEM_OF_OTHER = Text(
        "品目 {item} は他の自治体({municipality})が登録したものです",
        "the item {item} is kept by municipality {municipality}, not by yours",
    )
    ITEM_WITHDRAWN = Text("品目 {item} は現在使われていません", "the item {item} is not in use any more")
    NO_SIZE = Text(
        "品目 {item} に種類 {size} はありません(選択肢: {sizes})", "the item {item} comes in {sizes}, not in {size}"
    )
    NEEDS_EXPIRY = Text(
        "品目 {item} には賞味・使用期限が必要です", "the item {item} needs the date on which it expires"
    )
    EXPIRED_GOODS = Text("期限を過ぎた物資です", "the goods are past their date")
    NO_NEED = Text("必要物資 {need} は登録されていません", "there is no need {need}")
    NEED_CLOSED = Text("必要物資 {need} は締め切られています", "the need {need} is closed")
    SIMILAR_NEED = Text(
        "同じ避難所に同じ品目の必要物資 {need} があります。数量を変更するか、別件として登録してください",
        "the shelter has an open need for this item, {need}: amend that one, or register this as a separate need",
    )
    BELOW_UNDER_WAY = Text(
        "依頼・発送・到着済みの {quantity} より少なくできません",
        "{quantity} of it are requested, shipped or arrived already: it cannot be less",
    )
    TOO_MANY_PLEDGES = Text(
        "必要物資 {need} への申し出が {limit} 件に達しています。送付依頼が出てから改めてお申し出ください",
        "the need {need} has {limit} pledges, as many as it can hold: pledge again once some are requested",
    )
    NOTHING_LEFT = Text("必要物資 {need} は既に充足しています", "nothing of the need {need} is left to pledge")
    MORE_THAN_NEEDED = Text(
        "必要な残りは {shown} です。超過分を提供可能物資として登録するか、数量を減らしてください",
        "only {shown} are still needed: offer less, or let the rest become a free offer",
    )
    NO_OFFER = Text("提供物資 {offer} は登録されていません", "there is no offer {offer}")
    OFFER_ENDED = Text("提供物資 {offer} は終了しています({status})", "the offer {offer} has ended: {status}")
    NOT_A_PLEDGE = Text(
        "提供物資 {offer} は特定の必要物資に宛てたものではありません", "the offer {offer} is not pledged to a need"
    )
    OTHER_SUPPORTER = Text("この提供物資は別の支援者のものです", "the offer belongs to another supporter")
    OTHER_ITEM = Text("提供物資と必要物資の品目が異なります", "the offer is of {offered} and the need is for {needed}")
    OFFER_EXCEEDED = Text("提供できる残りは {left} です", "only {left} of the offer are left")
    NEED_EXCEEDED = Text("必要な残りは {shown} です", "only {shown} of the need are left")
    PLEDGED_ELSEWHERE = Text(
        "この提供物資は別の必要物資({need})に宛てたものです", "the offer is pledged to another need, {need}"
    )
    BAD_BOXES = Text(
        "箱の数量の合計 {total} が依頼数量 {quantity} と一致しません",
        "the boxes hold {total} together, the request is for {quantity}",
    )
    TOKEN_USED = Text("QRコードの識別子が既に使われています", "a token of a QR code is in use already")
    NO_REQUEST = Text("送付依頼 {request} は登録されていません", "there is no request {request}")
    REQUEST_STATE = Text(
        "送付依頼 {request} は「{status}」のため、この操作はできません",
        "the request {request} is {status}: this cannot be done now",
    )
    NO_BOX = Text("このQRコードの荷物は登録されていません", "there is no box with this code")
    WRONG_SHELTER = Text(
        "この荷物は {shelter} 宛てです。ここで受け取る場合は転用を確認してください",
        "the box is for the shelter {shelter}: confirm that it is diverted if it is received here",
    )
    NEEDS_REASON = Text(
        "送付数量 {sent} と異なる数量には理由が必要です", "{sent} were sent: another quantity needs its reason"
    )
    NOT_YET = Text("起きた時刻が未来です", "the time at which it happened lies ahead")
    MAIL_RECORDED = Text("このメールは既に記録されています", "the mail is recorded already")
    NOT_IN_STOCK = Text("{shelter} の在庫は {quantity} です", "the shelter {shelter} has {quantity} of it in stock")
    SAME_SHELTER = Text("移動元と移動先が同じ避難所です", "goods are transferred between two different shelters")
