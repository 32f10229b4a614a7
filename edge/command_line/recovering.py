"""The worst day: `daicho recover`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from edge import recovery
from edge.console import existing_file, existing_folder, json_option, show, with_runtime
from edge.keys import read_key
from ledger.contract import Runtime
from ledger.genesis import load_genesis


@click.group()
def recover() -> None:
    """Start again after the quorum is lost for good: prepare, sign where the recovery keys are kept, apply."""


@recover.command("prepare")
@click.option("--home", "homes", type=existing_folder, multiple=True, required=True, help="A home that survives; all.")
@click.option("--validator", "validators", multiple=True, required=True, help="Who votes from then on; each.")
@click.option("--reason", required=True, help="A code: sites_destroyed, keys_lost, ...")
@click.option("--account", required=True, help="An operator's account, which signs the transaction.")
@click.option("--key", type=existing_file, required=True, help="That account's key.")
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), default=Path("recovery.json"))
@json_option
@with_runtime
def recover_prepare(
    runtime: Runtime,
    homes: tuple[Path, ...],
    validators: tuple[str, ...],
    reason: str,
    account: str,
    key: Path,
    target: Path,
    as_json: bool,
) -> None:
    """Look at the stopped homes that survive and make the file that the recovery keys sign.

    \b
    Example:
      daicho recover prepare --home nodes/oshima --validator oshima --reason sites_destroyed \\
          --account operator.133612 --key accounts/operator.133612.key --to recovery.json
    """
    file = recovery.prepare(homes, runtime, validators=validators, reason=reason, account=account, key=read_key(key))
    recovery.write_file(target, file)
    show(as_json, {"file": str(target), **to_plain_file(file)}, *recovery.told(file), f"to be signed: {target}")


@recover.command("sign")
@click.argument("file", type=existing_file)
@click.option("--genesis", type=existing_file, required=True, help="The signer's own copy.")
@click.option("--key", type=existing_file, required=True, help="A recovery key.")
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), required=True)
@json_option
def recover_sign(file: Path, genesis: Path, key: Path, target: Path, as_json: bool) -> None:
    """Sign with one recovery key, on a machine of its own, from files alone. Read what is shown before.

    \b
    Example:
      daicho recover sign recovery.json --genesis genesis.json --key 132012.key --to signature-132012.json
    """
    read = recovery.read_recovery(file)
    signed = recovery.sign(read, load_genesis(genesis.read_bytes()), read_key(key))
    recovery.write_file(target, signed)
    found = {"file": str(target), "key": signed.key, **to_plain_file(read)}
    show(as_json, found, *recovery.told(read), f"signed by {signed.key}: {target}")


@recover.command("apply")
@click.argument("file", type=existing_file)
@click.option("--signature", "signatures", type=existing_file, multiple=True, required=True, help="Each of `sign`.")
@click.option("--home", type=existing_folder, required=True, help="A stopped survivor; the others fetch it from there.")
@json_option
@with_runtime
def recover_apply(runtime: Runtime, file: Path, signatures: tuple[Path, ...], home: Path, as_json: bool) -> None:
    """Write the signed recovery into a survivor's home. Start it afterwards: it goes on with the new validators.

    \b
    Example:
      daicho recover apply recovery.json --signature a.json --signature b.json --home nodes/oshima
    """
    read = recovery.read_recovery(file)
    signed = [recovery.read_signature(s) for s in signatures]
    height = recovery.apply(read, signed, home, runtime)
    show(
        as_json,
        {"home": str(home), "height": height, "validators": list(read.validators)},
        f"{home} stands at {height} and goes on with {', '.join(read.validators)}: start it now",
    )


def to_plain_file(file: recovery.RecoveryFile) -> dict[str, object]:
    """A recovery file without its bytes, for `--json`."""
    return {**msgspec.structs.asdict(file), "blocks": [h.hash.hex() for h in file.headers()]}
