"""Makes `configs/sample/week.csv`: what is asked for, offered, sent and received in the week after an earthquake.

`python -m configs.make_week` writes the same file each time. The pattern is that of published reviews of past
earthquakes: water, blankets and toilets in the first hours; milk, diapers and food that everybody can eat from the
second day; then hygiene, privacy and clothing; towards the weekend what people need to clear their homes.
Supporters are pseudonyms; there is no personal data.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE = Path(__file__).parent / "sample"
SEED = 20261
DENSITY = 0.28
"""How many of the shelters that could ask do so through this system in the first week."""
COLUMNS = (
    "day", "time", "action", "ref", "of", "need", "shelter", "party", "item", "size", "quantity", "boxes", "box",
    "priority", "beneficiaries", "allergens", "need_by_day", "expires_after_days", "reason", "note",
)  # fmt: skip
TWO_BOXES_FROM = 200
DAY_MIN = 24 * 60
WEEK_MIN = 7 * DAY_MIN


@dataclass(frozen=True)
class Pattern:
    """What shelters ask for on a day: `per_hundred` units for each hundred evacuees, rounded up to whole boxes."""

    day: int
    item: str
    size: str
    per_hundred: int
    box: int
    priority: str
    beneficiaries: str = "everybody"
    allergens: str = ""
    note: str = ""
    expires_after_days: int = 0
    share: float = 0.6
    """The share of shelters that ask."""


PATTERNS = (
    Pattern(1, "water-500ml", "", 240, 24, "urgent", expires_after_days=700, share=0.8, note="断水のため"),
    Pattern(1, "blanket", "", 70, 10, "urgent", share=0.8, note="夜間の冷え込みに備えて"),
    Pattern(1, "portable-toilet", "", 400, 100, "urgent", share=0.7, note="校舎のトイレが使用できません"),
    Pattern(1, "alpha-rice", "", 150, 50, "urgent", expires_after_days=1500, share=0.7),
    Pattern(1, "lantern", "", 5, 5, "high", share=0.4, note="停電中"),
    Pattern(1, "liquid-formula", "", 12, 24, "urgent", "infants", "", "お湯が用意できません", 270, 0.5),
    Pattern(1, "infant-diaper", "M", 40, 64, "high", "infants", share=0.4),
    Pattern(2, "infant-formula", "", 2, 8, "urgent", "infants", "", "湯は確保できました", 360, 0.5),
    Pattern(2, "infant-formula-allergy", "", 1, 4, "urgent", "infants", "乳", "該当する乳児あり", 360, 0.3),
    Pattern(
        2, "alpha-rice-allergen-free", "", 12, 50, "urgent", "allergy", "特定原材料等28品目", "個包装を希望", 1500, 0.4
    ),
    Pattern(2, "infant-diaper", "S", 25, 80, "high", "infants", share=0.4),
    Pattern(2, "adult-diaper", "L", 20, 40, "high", "elderly", share=0.5),
    Pattern(2, "retort-porridge", "", 30, 40, "high", "elderly", "", "かむ力の弱い方向け", 500, 0.5),
    Pattern(2, "toilet-paper", "", 40, 48, "high", share=0.5),
    Pattern(2, "water-2l", "", 100, 6, "high", expires_after_days=1200, share=0.5),
    Pattern(2, "sanitary-pad", "昼用", 12, 24, "high", share=0.5, note="女性の係員が受け取ります"),
    Pattern(3, "canned-bread", "", 90, 24, "high", expires_after_days=1000, share=0.5),
    Pattern(3, "baby-food", "9か月", 8, 24, "high", "infants", "", "", 400, 0.4),
    Pattern(3, "mask", "ふつう", 300, 50, "normal", share=0.5, note="発熱者が数名出ています"),
    Pattern(3, "hand-sanitizer", "", 6, 12, "high", share=0.5),
    Pattern(3, "body-wipes", "", 40, 24, "normal", share=0.5, note="入浴支援の開始まで"),
    Pattern(3, "cardboard-bed", "", 12, 1, "high", "elderly", share=0.5, note="床からの立ち上がりが難しい方を優先"),
    Pattern(4, "partition", "", 10, 1, "normal", share=0.5, note="授乳・着替えの場所としても使用"),
    Pattern(4, "oral-care", "", 20, 30, "normal", "elderly", share=0.4, note="誤嚥性肺炎の予防"),
    Pattern(4, "underwear", "女性M", 15, 10, "normal", share=0.4),
    Pattern(4, "underwear", "男性L", 15, 10, "normal", share=0.4),
    Pattern(4, "mobile-battery", "", 5, 5, "normal", share=0.4),
    Pattern(4, "infant-diaper", "L", 30, 54, "normal", "infants", share=0.4),
    Pattern(4, "sanitary-pad", "夜用", 10, 20, "normal", share=0.4),
    Pattern(5, "gas-canister", "", 24, 48, "normal", share=0.4, note="炊き出し用"),
    Pattern(5, "alpha-rice", "", 80, 50, "normal", expires_after_days=1500, share=0.4),
    Pattern(5, "toilet-paper", "", 30, 48, "normal", share=0.4),
    Pattern(5, "tarp", "3.6m×5.4m", 15, 10, "high", share=0.4, note="屋根の応急処置(雨の予報)"),
    Pattern(6, "work-gloves", "", 40, 12, "normal", share=0.4, note="自宅の片付け用"),
    Pattern(6, "garbage-bag", "", 200, 100, "normal", share=0.4, note="自宅の片付け用"),
    Pattern(6, "adult-diaper", "M", 15, 40, "normal", "elderly", share=0.4),
    Pattern(7, "underwear", "子ども130", 8, 5, "normal", share=0.3),
    Pattern(7, "water-2l", "", 60, 6, "normal", expires_after_days=1200, share=0.3),
)

FREE_OFFERS = (
    (1, "blanket", "", 300, 0), (1, "water-2l", "", 600, 1200), (2, "alpha-rice", "", 1000, 1500),
    (2, "toilet-paper", "", 480, 0), (2, "portable-toilet", "", 2000, 0), (3, "mask", "小さめ", 2000, 0),
    (3, "liquid-formula", "", 144, 270), (3, "infant-diaper", "ビッグ", 304, 0), (4, "cardboard-bed", "", 40, 0),
    (4, "sanitary-pad", "昼用", 240, 0), (5, "garbage-bag", "", 3000, 0), (6, "work-gloves", "", 240, 0),
)  # fmt: skip
"""Offers to whoever needs them: day, item, size, quantity, days until they expire (0: they do not)."""


@dataclass
class Week:
    """The rows of the week as they come about."""

    chance: random.Random
    rows: list[tuple[int, dict[str, object]]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def ref(self, kind: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}{self.counts[kind]:03d}"

    def add(self, minute: int, action: str, **values: object) -> bool:
        """Add a row unless it falls after the week."""
        if minute >= WEEK_MIN:
            return False
        self.rows.append((minute, {"action": action, **values}))
        return True

    def supporter(self) -> str:
        return f"supporter-{self.chance.randrange(16**8):08x}"

    def office_hours(self, minute: int) -> int:
        """The next minute at which a person would do it: between 7:00 and 21:00."""
        day, of_day = divmod(minute, DAY_MIN)
        if of_day < 7 * 60:
            return day * DAY_MIN + 7 * 60 + self.chance.randrange(90)
        if of_day >= 21 * 60:
            return (day + 1) * DAY_MIN + 7 * 60 + self.chance.randrange(90)
        return minute

    def later(self, minute: int, least: int, most: int) -> int:
        return self.office_hours(minute + self.chance.randrange(least, most))

    def parcel(self, minute: int, source: str, need: str, shelter: str, supporter: str, quantity: int) -> None:
        """From the receiver's request of a pledge or offer to the arrival of each box, as far as the week goes."""
        requested = self.later(minute, 20, 180)
        if self.chance.random() < 0.06:
            return  # the shelter has not come to it yet
        request, boxes = self.ref("R"), 2 if quantity >= TWO_BOXES_FROM else 1
        if not self.add(
            requested, "request", ref=request, of=source, need=need, shelter=shelter, party=shelter, quantity=quantity,
            boxes=boxes,
        ):  # fmt: skip
            return
        shipped = self.later(requested, 90, 600)
        if not self.add(shipped, "ship", of=request, shelter=shelter, party=supporter, quantity=quantity):
            return
        # The island is reached by ship: a day longer.
        arrived = self.later(shipped, 600, 1500) + (DAY_MIN if shelter.startswith("oshima") else 0)
        for box, in_box in enumerate(split(quantity, boxes), start=1):
            damaged = in_box // 10 if self.chance.random() < 0.05 else 0
            self.add(
                arrived + 3 * (box - 1), "receive", of=request, shelter=shelter, party=shelter, box=box,
                quantity=in_box - damaged, reason="damaged" if damaged else "",
            )  # fmt: skip


def split(quantity: int, boxes: int) -> list[int]:
    """How many units are in each box: as equal as can be."""
    return [quantity // boxes + (1 if n < quantity % boxes else 0) for n in range(boxes)]


def make(shelters: list[dict[str, str]]) -> list[dict[str, object]]:
    """All rows of the week in the order of time."""
    week = Week(random.Random(SEED))
    chance = week.chance
    for pattern in PATTERNS:
        for shelter in shelters:
            if chance.random() < pattern.share * DENSITY:
                _need(week, pattern, shelter["shelter"], int(shelter["evacuees"]))
    for day, item, size, quantity, expires in FREE_OFFERS:
        offered = week.office_hours(_in_day(week, day))
        offer, supporter = week.ref("O"), week.supporter()
        week.add(
            offered, "offer", ref=offer, party=supporter, item=item, size=size, quantity=quantity,
            expires_after_days=expires or "",
        )  # fmt: skip
        if chance.random() < 0.7:
            _pick(week, offered, offer, chance.choice(shelters)["shelter"], supporter, (item, size, quantity // 2))
    week.rows.sort(key=lambda row: row[0])
    _leave_under_way(week.rows)
    _number_in_order(week.rows)
    return [
        {"day": minute // DAY_MIN + 1, "time": f"{minute % DAY_MIN // 60:02d}:{minute % 60:02d}", **row}
        for minute, row in week.rows
    ]


def _leave_under_way(rows: list[tuple[int, dict[str, object]]]) -> None:
    """The week ends with goods under way: of the last two requests one is shipped, the other is still to be."""
    asked = [row["ref"] for _, row in rows if row["action"] == "request"]
    shipped, waiting = asked[-2:]
    rows[:] = [
        (minute, row)
        for minute, row in rows
        if (row["action"], row.get("of")) not in {("receive", shipped), ("receive", waiting), ("ship", waiting)}
    ]


def _number_in_order(rows: list[tuple[int, dict[str, object]]]) -> None:
    """Give the references the numbers that a person entering them one after the other would have given."""
    numbers: dict[object, str] = {}
    counts: dict[str, int] = {}
    for _, row in rows:
        if "ref" in row:
            kind = str(row["ref"])[0]
            counts[kind] = counts.get(kind, 0) + 1
            numbers[row["ref"]] = f"{kind}{counts[kind]:03d}"
    for _, row in rows:
        row.update({name: numbers[row[name]] for name in ("ref", "of", "need") if row.get(name)})


def _in_day(week: Week, day: int) -> int:
    """A minute of the day at which somebody enters something; on day 1 the shock came at about two in the afternoon."""
    return (day - 1) * DAY_MIN + week.chance.randrange(15 * 60 if day == 1 else 8 * 60, 20 * 60)


def _pick(week: Week, offered: int, offer: str, shelter: str, supporter: str, what: tuple[str, str, int]) -> None:
    """A shelter finds an offer in the list, registers what it can use of it as its need, and asks for it."""
    item, size, quantity = what
    minute, need = week.later(offered, 60, 600), week.ref("N")
    if week.add(
        minute, "need", ref=need, shelter=shelter, party=shelter, item=item, size=size, quantity=quantity,
        priority="normal", beneficiaries="everybody", need_by_day=minute // DAY_MIN + 4,
    ):  # fmt: skip
        week.parcel(minute, offer, need, shelter, supporter, quantity)


def _need(week: Week, pattern: Pattern, shelter: str, evacuees: int) -> None:
    chance = week.chance
    minute = _in_day(week, pattern.day)
    boxes = max(1, -(-pattern.per_hundred * evacuees // 100 // pattern.box))
    quantity, need = boxes * pattern.box, week.ref("N")
    week.add(
        minute, "need", ref=need, shelter=shelter, party=shelter, item=pattern.item, size=pattern.size,
        quantity=quantity, priority=pattern.priority, beneficiaries=pattern.beneficiaries, allergens=pattern.allergens,
        need_by_day=pattern.day + {"urgent": 1, "high": 2, "normal": 4}[pattern.priority], note=pattern.note,
    )  # fmt: skip
    open_quantity = quantity
    while open_quantity > 0 and chance.random() < {"urgent": 0.85, "high": 0.7, "normal": 0.5}[pattern.priority]:
        given = min(open_quantity, max(1, -(-boxes // chance.choice((1, 1, 2)))) * pattern.box)
        pledge, supporter = week.ref("P"), week.supporter()
        pledged = week.later(minute, 30, 480)
        if not week.add(
            pledged, "pledge", ref=pledge, of=need, shelter=shelter, party=supporter, item=pattern.item,
            size=pattern.size, quantity=given, expires_after_days=pattern.expires_after_days or "",
        ):  # fmt: skip
            return
        week.parcel(pledged, pledge, need, shelter, supporter, given)
        open_quantity -= given


def main() -> None:
    with (SAMPLE / "shelters.csv").open(encoding="utf-8", newline="") as source:
        shelters = list(csv.DictReader(source))
    with (SAMPLE / "week.csv").open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(make(shelters))


if __name__ == "__main__":
    main()
