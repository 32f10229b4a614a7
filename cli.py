"""The command line: `daicho`. Thin commands; what they do lives in `edge/`.

Exit codes: 0 done; 1 refused, or a fault was found; 2 wrong usage; 3 no node answered in time or no quorum;
130 ended by Ctrl-C. Every command takes `--json`; then errors are JSON too, on standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import click
import msgspec

import contracts
import edge.verify
import node as daicho_node
from contracts.donations.shipments import commitment
from edge import commands, recovery
from edge.archive import Form
from edge.commands import Network as AskedNetwork
from edge.config import load_config
from edge.console import (
    NO_ANSWER,
    REFUSED,
    Commands,
    data_option,
    existing_file,
    existing_folder,
    json_option,
    language,
    network_options,
    nodes_option,
    show,
    url_option,
)
from edge.demo import DemoPlan, run_once, stay_up
from edge.export import export_home, export_url
from edge.init import CONFIG_NAME, PORTS_PER_NODE, Network, NetworkPlan, advice, create_network
from edge.keys import read_key
from edge.localnet import NETWORK_NAME, Localnet, stop_with_parent
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.terminal import (
    TerminalProgress,
    audit_lines,
    audit_progress,
    block_lines,
    history_lines,
    report_lines,
    status_lines,
    where_to_look,
)
from edge.watch import Reading, Watch, has_quorum, leader, quorum, states
from ledger.audit import Fault
from ledger.genesis import load_genesis
from ledger.schema import to_plain

DEFAULT_BASE_PORT = 27_700


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="daicho")
def main() -> None:
    """Daicho (台帳): a permissioned ledger for local government.

    \b
    Begin with:
      daicho demo                    four nodes, a week of relief supplies, a status page
      daicho init --nodes 4 --data DIR
      daicho localnet up --data DIR
    """


# -- networks ----------------------------------------------------------------------------------------------------------


def _make(data: Path, nodes: int, network: str, municipalities: Path | None, host: str, base_port: int) -> Network:
    return create_network(
        NetworkPlan(
            data=data,
            nodes=nodes,
            municipalities=load_municipalities(municipalities)[:nodes],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=base_port,
            network=network,
            host=host,
        )
    )


@main.command()
@nodes_option
@data_option
@click.option("--network", default="daicho", show_default=True, help="The network's name.")
@click.option(
    "--municipalities",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV with the columns code,name_ja,name_en; without it, Tama and the islands.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address that the nodes listen on.")
@click.option(
    "--base-port",
    type=click.IntRange(1024, 65_000),
    default=DEFAULT_BASE_PORT,
    show_default=True,
    help="The first of two ports a node.",
)
@json_option
def init(
    nodes: int, data: Path, network: str, municipalities: Path | None, host: str, base_port: int, as_json: bool
) -> None:
    """Make a new network: genesis, keys, configurations.

    \b
    Examples:
      daicho init --nodes 4 --data tama
      daicho init --nodes 3 --data islands --municipalities islands.csv --base-port 30000
    """
    made = _make(data, nodes, network, municipalities, host, base_port)
    show(
        as_json,
        {
            "data": str(data),
            "network": network,
            "chain_id": made.genesis.chain_id.hex(),
            "nodes": [
                {"node_id": n.node_id, "organisation": n.organisation, "http_url": n.http_url} for n in made.file.nodes
            ],
            "warnings": advice(nodes),
        },
        f"The network {network} is in {data}. Chain id: {made.genesis.chain_id.hex()}",
        *(f"  {n.node_id:<14} {n.organisation}  peers {n.peer_address}  {n.http_url}" for n in made.file.nodes),
        *advice(nodes),
        f"Move the keys in {data / 'recovery'} offline now, each into the safe of its municipality.",
        f"Next: daicho localnet up --data {data}   (or carry each folder of {data / 'nodes'} to its machine)",
    )


# -- nodes -------------------------------------------------------------------------------------------------------------


@main.group()
def node() -> None:
    """One node of a network."""


@node.command("run")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The node's folder, with node.toml.",
)
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input is closed.")
def node_run(home: Path, with_parent: bool) -> None:
    """Run a node until it is told to stop (SIGTERM or Ctrl-C).

    \b
    Example:
      daicho node run --home tama/nodes/hachioji
    """
    if with_parent:
        stop_with_parent()
    daicho_node.run_node(home / CONFIG_NAME)


@main.group()
def localnet() -> None:
    """The nodes of a network as processes on this machine."""


@localnet.command("up")
@data_option
@nodes_option
@json_option
def localnet_up(data: Path, nodes: int, as_json: bool) -> None:
    """Start all nodes that do not run; make the network first if there is none.

    \b
    Example:
      daicho localnet up --data tama
    """
    if not (data / NETWORK_NAME).exists():
        _make(data, nodes, "daicho", None, "127.0.0.1", free_base_port("127.0.0.1", PORTS_PER_NODE * nodes))
    net = Localnet(data)
    net.start_all()
    net.wait_live()
    _show_running(net, as_json)


@localnet.command("down")
@data_option
@json_option
def localnet_down(data: Path, as_json: bool) -> None:
    """Stop all nodes in order.

    \b
    Example:
      daicho localnet down --data tama
    """
    stopped = Localnet(data).stop_all()
    show(as_json, {"stopped": stopped}, f"stopped: {', '.join(stopped) or 'none was running'}")


@localnet.command("kill")
@data_option
@click.argument("node_id")
@json_option
def localnet_kill(data: Path, node_id: str, as_json: bool) -> None:
    """Kill a node with -9, as a power cut would.

    \b
    Example:
      daicho localnet kill --data tama hachioji
    """
    pid = Localnet(data).kill(node_id)
    show(as_json, {"killed": node_id, "pid": pid}, f"killed {node_id} (process {pid})")


@localnet.command("restart")
@data_option
@click.argument("node_id")
@json_option
def localnet_restart(data: Path, node_id: str, as_json: bool) -> None:
    """Stop a node if it runs, and start it.

    \b
    Example:
      daicho localnet restart --data tama hachioji
    """
    net = Localnet(data)
    net.stop(node_id)
    pid = net.start(node_id)
    net.wait_live([node_id])
    show(as_json, {"started": node_id, "pid": pid}, f"started {node_id} (process {pid})")


@localnet.command("status")
@data_option
@json_option
def localnet_status(data: Path, as_json: bool) -> None:
    """Which nodes run as processes here. (`daicho status` asks the nodes themselves.)

    \b
    Example:
      daicho localnet status --data tama
    """
    _show_running(Localnet(data), as_json)


def _show_running(net: Localnet, as_json: bool) -> None:
    running = net.running()
    show(
        as_json,
        {"nodes": [{"node_id": r.place.node_id, "pid": r.pid, "http_url": r.place.http_url} for r in running]},
        *(
            f"  {r.place.node_id:<14} {f'process {r.pid}' if r.pid else 'not running':<16} {r.place.http_url}"
            for r in running
        ),
    )


def _urls(data: Path, urls: tuple[str, ...]) -> list[str]:
    return list(urls) or Localnet(data).urls


# -- asking a network --------------------------------------------------------------------------------------------------


@main.command()
@data_option
@url_option
@json_option
def status(data: Path, urls: tuple[str, ...], as_json: bool) -> None:
    """Each node as it is now, and whether there is a quorum. Exit code 0 only if there is and no node has halted.

    \b
    Examples:
      daicho status --data tama
      daicho status --url http://10.0.1.5:27701 --url http://10.0.2.5:27701
    """

    async def read() -> list[Reading]:
        async with Watch(_urls(data, urls)) as watch:
            return await watch.read()

    readings = asyncio.run(read())
    reachable, needed = quorum(readings)
    well = has_quorum(readings) and not any(s.halted for s in states(readings))
    show(
        as_json,
        {
            "ok": well,
            "reachable": reachable,
            "quorum": needed,
            "leader": leader(readings),
            "nodes": [
                {"url": r.url, "failure": r.failure or None, "state": r.state and msgspec.to_builtins(r.state)}
                for r in readings
            ],
        },
        *status_lines(readings, language()),
    )
    if not well:
        raise click.exceptions.Exit(NO_ANSWER)


@main.group()
def tx() -> None:
    """Transactions."""


@tx.command("submit")
@network_options
@click.option("--key", type=existing_file, required=True, help="The account's key file.")
@click.option("--account", help="The account; without it, the key file's name without .key.")
@click.argument("contract")
@click.argument("method")
@click.argument("args", nargs=-1)
@json_option
def tx_submit(
    net: AskedNetwork,
    key: Path,
    account: str | None,
    contract: str,
    method: str,
    args: tuple[str, ...],
    as_json: bool,
) -> None:
    """Sign a call, send it, and wait until it is proved to be in the chain. ARGS: a JSON object, or name=value.

    Exit code 1 if the contract refuses it; the refusal is in the chain, too.

    \b
    Examples:
      daicho tx submit --data tama --key tama/accounts/operator.132012.key governance revoke_account account=old.key
      daicho tx submit --data tama --key shelter.key donations register_need \\
        '{"shelter": "hachioji-01", "item": "blanket", "quantity": 40, "priority": "urgent"}'
    """
    runtime = contracts.runtime()
    sender = account or key.name.removesuffix(".key")
    done = asyncio.run(commands.submit(net, runtime, key, sender, contract, method, commands.arguments(args)))
    receipt = done.receipt
    reason = runtime.reason_text(receipt.reason, receipt.params, language()) if receipt.reason else ""
    show(
        as_json,
        {
            "id": done.transaction.id.hex(),
            "height": done.height,
            "index": done.index,
            "done": receipt.done,
            "reason": receipt.reason,
            "text": reason,
            "result": to_plain(receipt.result),
            "events": to_plain(receipt.events),
        },
        f"{'done' if receipt.done else 'REFUSED'} in block {done.height}, transaction {done.transaction.id.hex()}",
        *([f"  {receipt.reason}: {reason}"] if reason else []),
        *(f"  {name}: {value}" for name, value in receipt.result.items()),
    )
    if not receipt.done:
        raise click.exceptions.Exit(REFUSED)


@main.command()
@network_options
@click.argument("contract")
@click.argument("method")
@click.argument("args", nargs=-1)
@json_option
def query(
    net: AskedNetwork,
    contract: str,
    method: str,
    args: tuple[str, ...],
    as_json: bool,
) -> None:
    """Ask a contract. ARGS: a JSON object, or name=value.

    \b
    Examples:
      daicho query --data tama governance organisations
      daicho query --data tama donations needs municipality=132012 priority=urgent limit=10
    """
    answer = asyncio.run(commands.query(net, contract, method, commands.arguments(args)))
    show(as_json, answer, f"at height {answer['height']}:", json.dumps(answer["result"], ensure_ascii=False, indent=2))


@main.command()
@network_options
@click.argument("subject")
@click.option("--after", default="", help="A cursor: go on after it.")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@json_option
def history(net: AskedNetwork, subject: str, after: str, limit: int, as_json: bool) -> None:
    """What happened to a subject (need:…, shelter:…, account:…, node:…), in order.

    \b
    Examples:
      daicho history --data tama shelter:hachioji-01
      daicho history --data tama account:officer.132012 --limit 10
    """
    page = asyncio.run(commands.history(net, subject, after, limit))
    show(
        as_json,
        page,
        *history_lines(page["entries"]),
        *([f"more: --after {page['next']}"] if page["next"] else []),
    )


@main.group()
def block() -> None:
    """Blocks."""


@block.command("show")
@network_options
@click.argument("height", required=False, type=click.IntRange(min=0))
@json_option
def block_show(net: AskedNetwork, height: int | None, as_json: bool) -> None:
    """A block, proved: its header and its transactions with what became of them. Without HEIGHT, the last.

    \b
    Examples:
      daicho block show --data tama 1
      daicho block show --data tama --json
    """
    found = asyncio.run(commands.block(net, height))
    show(as_json, found, *block_lines(found))


# -- checking ----------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--genesis", type=existing_file, required=True, help="The auditor's own copy, not one from the data.")
@click.option("--home", type=existing_folder, help="The folder of a stopped node.")
@click.option("--archive", type=existing_file, help="A file that `daicho export` made.")
@click.option("--url", "urls", multiple=True, help="A running node; with several, they must show the same blocks.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default="all cores", help="Processes."
)
@json_option
def verify(
    genesis: Path, home: Path | None, archive: Path | None, urls: tuple[str, ...], jobs: int, as_json: bool
) -> None:
    """Execute a chain again from the genesis and check every signature, certificate, root, receipt and time.

    \b
    Examples:
      daicho verify --genesis genesis.json --home tama/nodes/hachioji
      daicho verify --genesis genesis.json --archive tama.daicho
      daicho verify --genesis genesis.json --url http://127.0.0.1:27701
    """
    if sum((home is not None, archive is not None, bool(urls))) != 1:
        raise click.UsageError("name exactly one of --home, --archive and --url")
    known, runtime = load_genesis(genesis.read_bytes()), contracts.runtime()
    started = time.monotonic()
    try:
        with audit_progress(as_json) as progress:
            if home is not None:
                store = load_config(home / CONFIG_NAME).store
                report = edge.verify.verify_store(store, known, runtime, progress=progress, jobs=jobs)
            elif archive is not None:
                report = edge.verify.verify_archive(archive, known, runtime, progress=progress, jobs=jobs)
            else:
                report = edge.verify.verify_urls(urls, known, runtime, progress=progress, jobs=jobs)
    except Fault as fault:
        found = {
            "ok": False,
            "rule": fault.rule,
            "detail": fault.detail,
            "height": fault.height,
            "index": fault.index,
            "transaction": fault.transaction or None,
        }
        show(as_json, found, f"FAULT: {fault}")
        raise click.exceptions.Exit(REFUSED) from None
    seconds = time.monotonic() - started
    show(
        as_json,
        {"ok": True, "seconds": round(seconds, 3), **asdict(report)},
        *audit_lines(report, seconds),
    )


@main.command()
@data_option
@url_option
@click.option("--home", type=existing_folder, help="Of a stopped node instead.")
@click.option(
    "--to", "target", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
@click.option("--format", "form", type=click.Choice(["archive", "jsonl"]), default="archive", show_default=True)
@json_option
def export(data: Path, urls: tuple[str, ...], home: Path | None, target: Path, form: Form, as_json: bool) -> None:
    """Write a whole chain to one checksummed file: msgpack (archive), or JSON Lines with readable transactions.

    \b
    Examples:
      daicho export --data tama --to tama.daicho
      daicho export --home tama/nodes/hachioji --to tama.jsonl --format jsonl
    """
    count = export_home(home, target, form) if home else export_url(_urls(data, urls), target, form)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    show(
        as_json,
        {"file": str(target), "blocks": count, "bytes": target.stat().st_size, "sha256": digest},
        f"{count} blocks in {target} ({target.stat().st_size} bytes, SHA-256 {digest})",
        f"Check it: daicho verify --archive {target} --genesis GENESIS",
    )


# -- the worst day -----------------------------------------------------------------------------------------------------


@main.group()
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
def recover_prepare(
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
    file = recovery.prepare(
        homes, contracts.runtime(), validators=validators, reason=reason, account=account, key=read_key(key)
    )
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
def recover_apply(file: Path, signatures: tuple[Path, ...], home: Path, as_json: bool) -> None:
    """Write the signed recovery into a survivor's home. Start it afterwards: it goes on with the new validators.

    \b
    Example:
      daicho recover apply recovery.json --signature a.json --signature b.json --home nodes/oshima
    """
    read = recovery.read_recovery(file)
    signed = [recovery.read_signature(s) for s in signatures]
    height = recovery.apply(read, signed, home, contracts.runtime())
    show(
        as_json,
        {"home": str(home), "height": height, "validators": list(read.validators)},
        f"{home} stands at {height} and goes on with {', '.join(read.validators)}: start it now",
    )


def to_plain_file(file: recovery.RecoveryFile) -> dict[str, object]:
    """A recovery file without its bytes, for `--json`."""
    return {**msgspec.structs.asdict(file), "blocks": [h.hash.hex() for h in file.headers()]}


# -- the demo ----------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--once", is_flag=True, help="Unattended: kill the leader amid writes, check everything, report, end.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=Path("demo-data"), show_default=True)
@nodes_option
@click.option("--base-port", type=click.IntRange(1024, 65_000), help="The first of two ports a node; else free ones.")
@json_option
def demo(once: bool, data: Path, nodes: int, base_port: int | None, as_json: bool) -> None:
    """Four nodes, a week of relief supplies after an earthquake, a status page. Ctrl-C ends it.

    \b
    Examples:
      daicho demo
      daicho demo --once --data /tmp/demo --nodes 3
    """
    plan = DemoPlan(
        data=data,
        nodes=nodes,
        runtime=contracts.runtime(),
        commitment=commitment,
        base_port=base_port,
    )
    with TerminalProgress(quiet=as_json) as progress:
        if not once:
            with contextlib.suppress(KeyboardInterrupt):  # how it is meant to end
                asyncio.run(stay_up(plan, progress, lambda net: _show_demo(net, as_json)))
            return
        report = asyncio.run(run_once(plan, progress))
    show(as_json, {"ok": report.ok, **asdict(report)}, *report_lines(report))
    if not report.ok:
        raise click.exceptions.Exit(REFUSED)


@main.command()
@click.option("--seed", type=int, required=True, help="Which run: the same seed is the same run, to the letter.")
@click.option("--trace", is_flag=True, help="Tell the whole story.")
@json_option
def simulate(seed: int, trace: bool, as_json: bool) -> None:
    """One run of the consensus simulator: a whole cluster under the faults that a seed stands for.

    \b
    Examples:
      daicho simulate --seed 42
      daicho simulate --seed 42 --trace
    """
    try:
        run = importlib.import_module("tests.simulator.run")
    except ModuleNotFoundError:
        raise click.ClickException("the simulator comes with the source: run this in a checkout of Daicho") from None
    result = run.simulate(seed, trace=trace)
    found = {"seed": seed, "plan": result.plan, "violation": result.violation, "height": result.height}
    verdict = result.violation or "all well"
    show(as_json, found, *result.story, f"seed {seed} ({result.plan}): {verdict}; height {result.height}")
    if not result.ok:
        raise click.exceptions.Exit(REFUSED)


def _show_demo(net: Localnet, as_json: bool) -> None:
    found = {"data": str(net.data), "urls": net.urls, "genesis": str(net.genesis_path)}
    show(as_json, found, *where_to_look(net))


if __name__ == "__main__":
    main()
