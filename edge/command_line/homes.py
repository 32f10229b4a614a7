"""A node's home: `daicho config check`, `daicho keys`, `daicho node statement`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from edge import homes
from edge.console import REFUSED, existing_file, existing_folder, json_option, language, show
from edge.keys import create_key, read_key, read_private_key, write_key
from edge.passphrases import chosen

passphrase_option = click.option("--passphrase", is_flag=True, help="Ask for a passphrase of the key.")
passphrase_file_option = click.option(
    "--passphrase-file", type=existing_file, help="A file (0600) with the new passphrase in its first line."
)


@click.group()
def config() -> None:
    """A node's configuration."""


@config.command("check")
@click.option("--home", type=existing_folder, required=True, help="The node's folder, with node.toml.")
@json_option
def config_check(home: Path, as_json: bool) -> None:
    """Look a home over before its start: configuration, genesis, keys, addresses, room. Exit code 1 on an error.

    \b
    Example:
      daicho config check --home /var/lib/daicho/hachioji
    """
    found = homes.check_home(home)
    errors = [f for f in found if f.severity == "error"]
    show(
        as_json,
        {"ok": not errors, "findings": [asdict(f) for f in found]},
        *(f"{f.severity}: {getattr(f, language())}" for f in found),
        f"{home}: {f'{len(errors)} to mend' if errors else 'the node can start'}",
    )
    if errors:
        raise click.exceptions.Exit(REFUSED)


@click.group()
def keys() -> None:
    """Key files: made, shown, given a passphrase. A passphrase is never taken from the command line."""


@keys.command("new")
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file.")
@passphrase_option
@passphrase_file_option
@json_option
def keys_new(target: Path, passphrase: bool, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a key in a new file that only its owner can read.

    \b
    Example:
      daicho keys new --to next.key --passphrase-file /etc/daicho/passphrase
    """
    words = chosen(passphrase_file) if passphrase or passphrase_file else None
    key = create_key(target, words)
    show(as_json, {"file": str(target), "public_key": key.public_key.hex()}, key.public_key.hex())


@keys.command("show")
@click.argument("file", type=existing_file)
@json_option
def keys_show(file: Path, as_json: bool) -> None:
    """The public part of a key.

    \b
    Example:
      daicho keys show /var/lib/daicho/hachioji/node.key
    """
    public_key = read_key(file).public_key.hex()
    show(as_json, {"file": str(file), "public_key": public_key}, public_key)


@keys.command("passphrase")
@click.argument("file", type=existing_file)
@passphrase_file_option
@json_option
def keys_passphrase(file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Give a key file a passphrase, or another one; the key stays the same. The present one is found as always.

    \b
    Example:
      daicho keys passphrase node.key --passphrase-file /etc/daicho/passphrase
    """
    key = read_private_key(file)
    words = chosen(passphrase_file)
    sealed = file.with_name(f"{file.name}.part")
    sealed.unlink(missing_ok=True)
    public_key = write_key(sealed, key.private_bytes_raw(), words).public_key.hex()
    os.replace(sealed, file)
    show(as_json, {"file": str(file), "public_key": public_key}, f"{file} opens with the new passphrase only")


@click.command("statement")
@click.option("--home", type=existing_folder, required=True, help="The home of a running node.")
@click.option("--new-key", type=existing_file, help="For rotating the node's key: the new one.")
@click.option("--leaving", help="For replacing a validator: whose place this node takes.")
@json_option
def node_statement(home: Path, new_key: Path | None, leaving: str | None, as_json: bool) -> None:
    """The node's signed statement that it is in sync, as the arguments of a proposal in governance (JSON).

    \b
    Examples:
      daicho node statement --home /var/lib/daicho/oshima > statement.json
      daicho tx submit --data tama --key operator.133612.key governance propose_validator "$(cat statement.json)"
    """
    made = homes.statement(home, new_key=new_key, leaving=leaving)
    show(as_json, made, json.dumps(made))
