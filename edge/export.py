"""`daicho export`: a whole chain, from a stopped node's data or from a running node, into one file."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from edge.archive import Form, write_archive
from edge.config import load_config
from edge.init import CONFIG_NAME
from edge.verify_urls import UrlReason, blocks_over_http
from ledger.audit import stored_blocks
from ledger.chain import stored_chain_id
from ledger.refusal import Refused
from ledger.store import LevelDb

TIMEOUT_S = 5.0


def export_home(home: Path, target: Path, form: Form) -> int:
    """The chain of a stopped node; how many blocks."""
    store = LevelDb(load_config(home / CONFIG_NAME).store, create=False)
    try:
        return write_archive(target, form, stored_chain_id(store), stored_blocks(store))
    finally:
        store.close()


def export_url(urls: Sequence[str], target: Path, form: Form) -> int:
    """The chain of the first of these nodes that answers, up to where it stands now; how many blocks."""
    failure = Refused(UrlReason.NO_ANSWER, url="-", detail="no address was given")
    for url in urls:
        try:
            height, chain_id = _height_and_chain(url)
        except (urllib.error.URLError, OSError, ValueError, KeyError, TypeError) as error:
            failure = Refused(UrlReason.NO_ANSWER, url=url, detail=str(error)[:120])
            continue
        return write_archive(target, form, chain_id, blocks_over_http(url, height, None))
    raise failure


def _height_and_chain(url: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(f"{url.rstrip('/')}/v1/status", timeout=TIMEOUT_S) as answer:
        status = json.load(answer)
    return int(status["height"]), bytes.fromhex(status["chain_id"])
