"""From a running node and its configuration to a listening API."""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from edge.config import ConfigReason, LoadedConfig, split_address
from edge.http.app import make_app
from edge.http.server import serve
from edge.http.settings import HttpSettings, Rate
from edge.node_view import RunningNode
from edge.runtime import NodeRuntime
from ledger.contract import Runtime
from ledger.refusal import Refused


async def start_http(node: NodeRuntime, runtime: Runtime, config: LoadedConfig) -> Callable[[], Awaitable[None]]:
    """Serve the API at the configured address; the answer stops it. `Refused(ConfigReason)`, OSError if it cannot."""
    settings = settings_of(config)
    host, port = split_address(config.values.http_listen)
    server = await serve(make_app(RunningNode(node, runtime), settings), settings, host, port)
    return server.close


def settings_of(config: LoadedConfig) -> HttpSettings:
    values = config.values
    per_s = values.requests_per_second
    return HttpSettings(
        reads=values.read_access,
        read_tokens=load_tokens(config.path(values.tokens_file)) if values.read_access == "tokens" else {},
        address_rate=Rate(per_s, 2 * per_s),
    )


def load_tokens(path: Path) -> Mapping[str, str]:
    """Organisation -> SHA-256 of its token, from a TOML file of such lines; `Refused(ConfigReason)` names the fault."""
    try:
        tokens = msgspec.convert(tomllib.loads(path.read_text()), dict[str, str])
        for name, digest in tokens.items():
            if len(bytes.fromhex(digest)) != 32:
                raise ValueError(f"{name}: not the SHA-256 of a token in hexadecimal")
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise Refused(ConfigReason.BAD_CONFIG, path=str(path), detail=str(error)[:200]) from None
    return tokens
