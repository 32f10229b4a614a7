"""`daicho app`: running an application and making its first administrator."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from apps import serving
from apps.common.pdf import MissingFont
from edge.console import existing_file, json_option, show, with_runtime
from ledger.contract import Runtime

SAMPLE = Path(__file__).parent / "sample.toml"


@click.group()
def app() -> None:
    """What `daicho app` has (`cli.py`)."""


config_option = click.option("--config", type=existing_file, required=True, help="The application's TOML file.")


@app.command()
def sample() -> None:
    """A configuration to begin with, every key explained.

    \b
    Example:
      daicho app sample > supplies.toml
    """
    click.echo(SAMPLE.read_text(encoding="utf-8"), nl=False)


@app.command()
@config_option
@with_runtime
def run(runtime: Runtime, config: Path) -> None:
    """Serve an application until it is told to stop (SIGTERM or Ctrl-C).

    \b
    Example:
      daicho app run --config supplies.toml
    """
    loaded = serving.load(config)

    def ready(port: int) -> None:
        click.echo(f"{loaded.config.application} listens on port {port}; people reach it at {loaded.config.base_url}")

    try:
        asyncio.run(serving.run(loaded, runtime, ready))
    except MissingFont as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"it cannot listen on {loaded.config.listen}: {error}") from None


@app.command("add-admin")
@config_option
@click.option("--email", required=True, help="Of the municipality's first administrator.")
@click.option("--name", default="管理者", show_default=True)
@click.option("--municipality", required=True, help="Its six-digit code.")
@json_option
@with_runtime
def add_admin(runtime: Runtime, config: Path, email: str, name: str, municipality: str, as_json: bool) -> None:
    """Make the first administrator of a municipality; prints the link by which they choose their password.

    \b
    Example:
      daicho app add-admin --config supplies.toml --email yamada@city.example.lg.jp --municipality 132012
    """
    link = asyncio.run(serving.add_administrator(serving.load(config), runtime, email, name, municipality))
    show(as_json, {"email": email, "link": link}, f"{email} chooses a password within an hour at", f"  {link}")
