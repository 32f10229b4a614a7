"""What all commands of the command line share: how results and errors are shown, and the options that recur."""

from __future__ import annotations

import functools
import importlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import click

from edge.commands import network
from edge.init import MAX_NODES
from edge.remote import LyingNode, NotAdmitted, Unavailable
from ledger.contract import Runtime
from ledger.refusal import Language, Refused, Scalar

DEFAULT_DATA = Path("daicho-data")
REFUSED, COULD_NOT, NO_ANSWER, INTERRUPTED = 1, 2, 3, 130
"""Exit codes beside 0. 2, click's own for wrong usage, also says that something could not be checked at all."""


def language() -> Language:
    """Refusals are told in Japanese where the terminal's language is Japanese."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "ja" if name.startswith("ja") else "en"


class Failure(click.ClickException):
    """An error on its way to the terminal: a sentence, or JSON with its stable code."""

    exit_code = REFUSED

    def __init__(self, code: str, ja: str, en: str, params: Mapping[str, Scalar], *, as_json: bool) -> None:
        super().__init__({"ja": ja, "en": en}[language()])
        self._as_json = as_json
        self._error = {"code": code, "message": en, "message_ja": ja, "params": dict(params)}

    def show(self, file: IO[Any] | None = None) -> None:
        if self._as_json:
            click.echo(json.dumps({"error": self._error}, ensure_ascii=False), err=True)
        else:
            click.echo(f"Error: {self.message}", err=True)


class Unanswered(Failure):
    """No node answered in time."""

    exit_code = NO_ANSWER


class Commands(click.Group):
    """The top group: every refusal becomes a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except Refused as refused:
            reason, params = refused.reason, refused.params
            ja, en = reason.text("ja", params), reason.text("en", params)
            raise Failure(reason.code, ja, en, params, as_json=as_json) from None
        except NotAdmitted as error:
            raise Failure(error.code, error.ja, error.en, error.params, as_json=as_json) from None
        except LyingNode as error:
            ja = f"{error.url} の応答は証明できません: {error.what}"
            en = f"the answer of {error.url} does not hold: {error.what}"
            raise Failure("lying_node", ja, en, {"url": error.url}, as_json=as_json) from None
        except Unavailable as error:
            ja = f"応答するノードがありません: {error}"
            en = f"no node gave an answer in time: {error}"
            raise Unanswered("unavailable", ja, en, {}, as_json=as_json) from None


class Loaded(Commands):
    """A group whose commands are imported when one is asked for: none waits for what only the others need."""

    def __init__(self, *given: Any, places: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(*given, **options)
        self._places = dict(places or {})
        """Name of a command -> `module:attribute`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._places[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


def show(as_json: bool, value: object, *lines: str) -> None:
    """The result: `value` with --json, else the `lines` for people."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False, indent=2))
    else:
        for line in lines:
            click.echo(line)


def with_runtime(command: Callable[..., None]) -> Callable[..., None]:
    """The contracts, as `cli.py` hands them in, as the command's first argument."""

    @functools.wraps(command)
    def with_contracts(*given: Any, **options: Any) -> None:
        make: Callable[[], Runtime] = click.get_current_context().find_root().obj
        command(make(), *given, **options)

    return with_contracts


json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA,
    envvar="DAICHO_DATA",
    show_default=True,
    show_envvar=True,
    help="The network's folder, as made by `daicho init`.",
)
url_option = click.option(
    "--url",
    "urls",
    multiple=True,
    envvar="DAICHO_URL",
    show_envvar=True,
    help="A node's HTTP address, instead of those in --data; may be repeated.",
)
token_option = click.option(
    "--token",
    envvar="DAICHO_TOKEN",
    show_envvar=True,
    help="Your organisation's, where a node asks for one to be read.",
)
existing_file = click.Path(path_type=Path, dir_okay=False, exists=True)
existing_folder = click.Path(path_type=Path, file_okay=False, exists=True)
_genesis_option = click.option(
    "--genesis",
    type=existing_file,
    envvar="DAICHO_GENESIS",
    show_envvar=True,
    help="What answers are proved against; else the one in --data.",
)
nodes_option = click.option(
    "--nodes",
    type=click.IntRange(1, MAX_NODES),
    default=4,
    show_default=True,
    help="How many nodes, one a municipality.",
)


def network_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--data`, `--url` and `--genesis`, as one argument `net`: which nodes to ask, and what proves their answers."""

    @functools.wraps(command)
    def with_network(data: Path, urls: tuple[str, ...], genesis: Path | None, **others: Any) -> None:
        command(net=network(data, urls, genesis), **others)

    return data_option(url_option(_genesis_option(with_network)))
