"""Names that several parts of the HTTP API share."""

from __future__ import annotations

from typing import Final

from aiohttp import web

REQUEST_ID: Final = web.RequestKey("request_id", str)
"""Where a request keeps its id."""
JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"
TRANSACTION_TYPE: Final = "application/vnd.daicho.transaction"
TRANSACTIONS_TYPE: Final = "application/vnd.daicho.transactions"
PROOF_TYPE: Final = "application/vnd.daicho.proof"
ARCHIVE_TYPE: Final = "application/vnd.daicho.blocks"
SNAPSHOT_TYPE: Final = "application/vnd.daicho.snapshot"
EVENT_STREAM: Final = "text/event-stream"
PROMETHEUS: Final = "text/plain"
HTML: Final = "text/html"
