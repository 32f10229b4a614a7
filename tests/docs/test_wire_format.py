"""docs/wire-format.md says what the code does: every struct with its fields, every tag, every frame, every vector."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from consensus.messages import Message, PrePrepare, RoundChange
from edge.archive import FORMAT
from edge.http.shapes import BlockFrame
from edge.wire import MAX_FRAME_BYTES, PeerMessage
from ledger import encoding, registry, types
from ledger.encoding import Wire
from ledger.genesis import Genesis
from ledger.light import Inclusion
from ledger.rules import MAX_BLOCK_BYTES
from tests import vectors

PAGE = (Path(__file__).parents[2] / "docs" / "wire-format.md").read_text(encoding="utf-8")
FOLDER = vectors.FOLDER
FLAT = " ".join(PAGE.split())


def table(title: str) -> list[str]:
    """The first column of the first table after a title."""
    rows = PAGE.split(title, 1)[1].split("|---", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [row.split("|")[1].strip() for row in rows]


@pytest.mark.parametrize(
    ("title", "struct"),
    [
        ("**TransactionBody**", types.TransactionBody),
        ("**SignedTransaction**", types.SignedTransaction),
        ("**Receipt**", types.Receipt),
        ("**Header**", types.Header),
        ("**Certificate**", types.Certificate),
        ("**Inclusion**", Inclusion),
        ("| Genesis | type |", Genesis),
    ],
)
def test_the_tables_of_structs_list_their_fields_in_order(title: str, struct: type[Wire]) -> None:
    page = PAGE if title.startswith("**") else PAGE.replace(title, title + "\n")
    assert title in page
    assert table(title) == list(struct.__struct_fields__)


@pytest.mark.parametrize(
    "struct",
    [
        types.Event, types.Validator, types.Seal, registry.Organisation, registry.Account, registry.Node,
        registry.Parameters, registry.ContractVersion, registry.RecoveryKeys,
    ],
)  # fmt: skip
def test_the_structs_that_are_described_in_a_line_have_these_fields(struct: type[Wire]) -> None:
    line = re.search(rf"{struct.__name__}\**: (.+)", PAGE)
    assert line is not None, struct.__name__
    text = re.sub(r"\([^()]*(\([^()]*\))?[^()]*\)", "", line[1].split(". ")[0].split(" |")[0])
    assert [f.strip(" .") for f in text.split(",")] == list(struct.__struct_fields__)


@pytest.mark.parametrize("name", ["Name", "NodeId", "AccountId", "MunicipalCode"])
def test_the_patterns_of_names_are_those_of_the_code(name: str) -> None:
    (meta,) = getattr(types, name).__metadata__
    shown = re.search(rf"^\| `{name}` \| text `([^`]+)`", PAGE, re.M)
    assert shown is not None
    assert meta.pattern == f"^{shown[1]}$(?!\\n)"


def test_every_tag_of_the_code_is_on_the_page_and_no_other() -> None:
    root = Path(__file__).parents[2]
    source = "".join(p.read_text() for p in [*(root / "ledger").glob("*.py"), *(root / "edge").glob("*.py")])
    used = set(re.findall(r'b"(daicho/[a-z/-]+(?:/1)?)(?:\\x00)?"', source)) - {"daicho/"}
    votes = {f"daicho/{kind}/1" for kind in ("pre-prepare", "prepare", "commit", "round-change")}
    assert set(re.findall(r"`(daicho/[a-z/-]+(?:/1)?)`", PAGE)) == used | votes


def test_every_frame_is_on_the_page_with_its_fields() -> None:
    rows = dict(re.findall(r"^\| (`[a-z_`, ]+`) \| (.+?) \|$", PAGE.split("## 14.")[1], re.M))
    shown = {name: re.sub(r" \(bytes\)| or nil", "", fields) for names, fields in rows.items()
             for name in re.findall(r"[a-z_]+", names)}  # fmt: skip
    kinds = {kind.__struct_config__.tag: kind for kind in (*get_args(Message), *get_args(PeerMessage))}
    assert shown.keys() == kinds.keys()
    for tag, kind in kinds.items():
        if kind.__struct_fields__ != ("items",):
            assert shown[str(tag)] == ", ".join(kind.__struct_fields__)
    for part in (PrePrepare, RoundChange):
        fields = f'["{part.__struct_config__.tag}", ' + ", ".join(part.__struct_fields__) + "]"
        assert fields in FLAT


def test_the_bounds_and_names_are_those_of_the_code() -> None:
    assert f"At most {encoding.MAX_DEPTH} levels" in PAGE
    assert f"At most {encoding.MAX_VALUE_BYTES // 2**20} MiB" in PAGE
    assert f"a transaction: {types.MAX_TRANSACTION_BYTES:,} bytes" in PAGE
    assert f"a block: {MAX_BLOCK_BYTES // 2**20} MiB" in PAGE
    assert f"at most {MAX_FRAME_BYTES // 2**20} MiB" in PAGE
    assert f"at most {types.MAX_LIFETIME_MS:,} ms before" in PAGE
    assert f'"format": "{FORMAT}"' in PAGE
    assert f"`[{', '.join(get_type_hints(BlockFrame))}]`" in PAGE


def test_every_vector_is_on_the_page_and_every_one_there_is_a_file() -> None:
    linked = set(re.findall(r"\]\(vectors/([a-z/_.]+)\)", PAGE))
    assert {name for name in linked if name.endswith(".json")} == {p.name for p in FOLDER.glob("*.json")}
    assert "chain/" in linked
    for file in (FOLDER / "chain").iterdir():
        assert file.name in PAGE
