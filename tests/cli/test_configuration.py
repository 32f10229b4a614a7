"""Every configuration key is in the operator's guide and in the sample, with its true default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from edge.config import NodeConfig, load_config
from edge.init import config_text
from edge.municipalities import sample_folder

ROOT = Path(__file__).resolve().parents[2]
FIELDS = {field.encode_name: field for field in msgspec.structs.fields(NodeConfig)}


def documented() -> dict[str, str]:
    """Key -> default, from the table under `## node.toml`."""
    section = (
        (ROOT / "docs" / "operator-guide.md").read_text(encoding="utf-8").split("## node.toml")[1].split("\n## ")[0]
    )
    rows = re.findall(r"^\| `\[?(\w+)\]?` \|\s*`?([^|`]*?)`?\s*\|", section, flags=re.MULTILINE)
    return {key: default.strip() for key, default in rows}


def test_the_guide_lists_every_key_and_no_other() -> None:
    assert set(documented()) == set(FIELDS)


def test_the_guide_states_the_true_defaults() -> None:
    for key, shown in documented().items():
        field = FIELDS[key]
        if not field.required and shown:
            assert shown == str(field.default), key


def test_the_sample_configuration_loads_and_shows_every_key() -> None:
    path = sample_folder() / "node.toml"
    assert load_config(path).values.node_id == "hachioji"
    text = path.read_text(encoding="utf-8")
    assert {key for key in FIELDS if re.search(rf"^#? ?\[?{key}\b", text, flags=re.MULTILINE)} == set(FIELDS)


def test_what_init_writes_is_a_configuration() -> None:
    values = NodeConfig(node_id="oshima", peer_listen="127.0.0.1:1", http_listen="127.0.0.1:2")
    assert msgspec.convert(tomllib.loads(config_text(values)), NodeConfig) == values
