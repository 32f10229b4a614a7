"""Why the volunteers contract refuses."""

from __future__ import annotations

from ledger.refusal import Reason, Text


class VolunteersReason(Reason):
    OTHER_MUNICIPALITY = Text("他の自治体({municipality})のものです", "it belongs to municipality {municipality}")
    MAIL_RECORDED = Text("このメールは既に記録されています", "the mail is recorded already")
    # volunteers and requesters
    NO_VOLUNTEER = Text("実施者 {volunteer} は登録されていません", "there is no volunteer {volunteer}")
    VOLUNTEER_EXISTS = Text("実施者 {volunteer} は既に登録されています", "the volunteer {volunteer} exists already")
    VOLUNTEER_STATE = Text(
        "実施者 {volunteer} は「{status}」のため、この操作はできません",
        "the volunteer {volunteer} is {status}: this cannot be done now",
    )
    NO_REQUESTER = Text("依頼者 {requester} は登録されていません", "there is no requester {requester}")
    REQUESTER_EXISTS = Text("依頼者 {requester} は既に登録されています", "the requester {requester} exists already")
    REQUESTER_LEFT = Text("依頼者 {requester} は登録を終えています", "the requester {requester} has left")
    OTHER_REQUESTER = Text("別の依頼者の活動です", "it belongs to another requester")
    OTHER_VOLUNTEER = Text("別の実施者のものです", "it belongs to another volunteer")
    # certificates
    NO_CERTIFICATE = Text("証明書 {certificate} はありません", "there is no certificate {certificate}")
    CERTIFICATE_STATE = Text(
        "証明書 {certificate} は「{status}」のため、この操作はできません",
        "the certificate {certificate} is {status}: this cannot be done now",
    )
    CERTIFICATE_NOT_VALID = Text(
        "証明書 {certificate} は有効ではありません({standing})",
        "the certificate {certificate} does not count: {standing}",
    )
    NEVER_ISSUED = Text("実施者 {volunteer} には証明書がありません", "the volunteer {volunteer} has no certificate")
    NOT_EXPIRED = Text("証明書 {certificate} はまだ有効期間内です", "the certificate {certificate} has not expired yet")
    BAD_VALIDITY = Text(
        "有効期間の終わりは10年以内の将来の、秒単位の時刻にしてください",
        "the validity must end on a whole second to come, within ten years",
    )
    TOO_MANY_CHANGES = Text(
        "証明書 {certificate} の状態はこれ以上変更できません。再発行してください",
        "the status of the certificate {certificate} was changed too often: reissue it",
    )
    CODE_SHOWN = Text("このコードは既に使われています", "the code has been shown already")
    CODE_UNKNOWN = Text("提示された証明書の表示が見つかりません", "nothing like it was ever shown")
    CODE_SPENT = Text("この提示は使用済みです", "the code was used already: have it shown again")
    CODE_STALE = Text("提示の有効時間が過ぎています", "the code was shown too long ago: have it shown again")
    # postings and applications
    NO_POSTING = Text("募集 {posting} はありません", "there is no posting {posting}")
    POSTING_STATE = Text(
        "募集 {posting} は「{status}」のため、この操作はできません",
        "the posting {posting} is {status}: this cannot be done now",
    )
    BAD_TIMES = Text(
        "開始は将来、終了は開始から7日以内の後の時刻、辞退期限は開始までにしてください",
        "it must start in the future and end within seven days; the withdrawal deadline is no later than the start",
    )
    STARTED = Text("募集 {posting} の開始時刻を過ぎています", "the posting {posting} has started")
    BEGUN = Text("募集 {posting} の活動は始まっています", "work for the posting {posting} has begun")
    NOT_STARTED = Text("募集 {posting} はまだ始まっていません", "the posting {posting} has not started yet")
    BELOW_TAKEN = Text("既に {taken} 人の参加が決まっています", "{taken} people are accepted already")
    NOT_OPEN = Text(
        "募集 {posting} は直接の依頼によるもので、申込はできません", "the posting {posting} was made for one volunteer"
    )
    SKILLS_MISSING = Text("必要な技能({skill})が登録されていません", "the skill {skill} is asked for")
    NO_SHELTER = Text("避難所 {shelter} は登録されていないか、閉鎖されています", "there is no open shelter {shelter}")
    NOT_A_GROUP = Text("個人の実施者は1人で申し込んでください", "a person applies for one; only groups bring several")
    LARGER_THAN_POSTING = Text("定員({capacity}人)を超えています", "the posting takes {capacity} people at most")
    QUEUE_FULL = Text("申込が多いため受付を終えました", "too many applications are waiting already")
    TOO_MANY_LIVE = Text(
        "一度に申し込める活動は {limit} 件までです", "a volunteer applies for {limit} activities at a time at most"
    )
    OVERLAP = Text("参加が決まっている活動 {posting} と時間が重なります", "it overlaps with the accepted {posting}")
    NO_APPLICATION = Text("申込はありません", "there is no such application")
    APPLICATION_STATE = Text("申込は「{status}」のため、この操作はできません", "the application is {status}: not now")
    TOO_LATE = Text(
        "辞退の期限を過ぎています。担当者に連絡してください", "the withdrawal deadline is over: tell the municipality"
    )
    FULL = Text("定員に達しています", "there is no place left")
    # direct requests
    NO_ASK = Text("依頼 {ask} はありません", "there is no request {ask}")
    ASK_STATE = Text(
        "依頼 {ask} は「{status}」のため、この操作はできません",
        "the request {ask} is {status}: this cannot be done now",
    )
    TOO_MANY_ASKS = Text("この実施者への依頼が多すぎます", "too many requests to this volunteer are open")
    # activities, reports, points
    NO_ACTIVITY = Text("活動 {activity} はありません", "there is no activity {activity}")
    ACTIVITY_STATE = Text(
        "活動 {activity} は「{status}」のため、この操作はできません",
        "the activity {activity} is {status}: this cannot be done now",
    )
    BAD_MOMENT = Text(
        "記録する時刻が活動の時間帯に合っていません", "the time does not fit the activity, or lies in the future"
    )
    BAD_MINUTES = Text("活動時間は {minutes} 分以内です", "the activity took {minutes} minutes at most")
    NO_RULE = Text("付与規則 {rule} はありません", "there is no rule {rule}")
    BAD_RULE = Text("付与規則が正しくありません({detail})", "the rule is not well formed: {detail}")
    RULE_OVERLAP = Text("付与規則 {rule} と期間が重なります", "it overlaps with the rule {rule}")
