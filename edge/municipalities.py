"""Municipal codes (全国地方公共団体コード) and their check digit; the municipalities of sample networks."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ledger.refusal import Reason, Refused, Text

WEIGHTS = (6, 5, 4, 3, 2)


class MunicipalityReason(Reason):
    BAD_CODE = Text(
        "団体コード {code} は6桁の数字ではないか、検査数字が合いません",
        "{code} is not a municipal code: it must have six digits and end in its check digit",
    )
    NOT_LISTED = Text(
        "団体 {code} は一覧にありません。--municipalities で一覧を指定してください",
        "{code} is not in the list: name a list that has it with --municipalities",
    )
    UNREADABLE = Text("{path} を読めません: {detail}", "{path} is not a list of municipalities: {detail}")
    TOO_FEW = Text(
        "団体が足りません({count}、必要 {needed})",
        "the list names {count} municipalities and {needed} nodes were asked for, one each: name another list",
    )


@dataclass(frozen=True, slots=True)
class Municipality:
    code: str
    name_ja: str
    name_en: str

    @property
    def node_id(self) -> str:
        """The id of its first node: the name without what kind of municipality it is (`hachioji`)."""
        return self.name_en.split()[0].lower()


def check_digit(five_digits: str) -> int:
    """The sixth digit: 11 − (weighted sum mod 11), its last digit (総務省 全国地方公共団体コード仕様)."""
    weighted = sum(int(digit) * weight for digit, weight in zip(five_digits, WEIGHTS, strict=True))
    return (11 - weighted % 11) % 10


def check_code(code: str) -> str:
    """`code` itself; `Refused` if it is not a municipal code."""
    if len(code) != 6 or not (code.isascii() and code.isdigit()) or check_digit(code[:5]) != int(code[5]):
        raise Refused(MunicipalityReason.BAD_CODE, code=code)
    return code


def sample_folder() -> Path:
    """Where the sample data lies in this installation."""
    return Path(str(resources.files("configs"))) / "sample"


def load_municipalities(path: Path | None = None) -> list[Municipality]:
    """The list in a CSV file (`code,name_ja,name_en`), without a path that of the Tama area and the islands."""
    path = path or sample_folder() / "municipalities.csv"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        listed = [Municipality(check_code(row["code"]), row["name_ja"], row["name_en"]) for row in rows]
    except KeyError as error:
        raise Refused(MunicipalityReason.UNREADABLE, path=str(path), detail=f"no column {error}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(MunicipalityReason.UNREADABLE, path=str(path), detail=str(error)[:120]) from None
    return listed
