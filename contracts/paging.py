"""The two arguments of every query that lists: where to go on, and how many."""

from __future__ import annotations

from typing import Annotated

import msgspec

MAX_PAGE = 500

After = Annotated[str, msgspec.Meta(max_length=200)]
"""The id of the last row of the page before; empty for the first page."""
Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]
