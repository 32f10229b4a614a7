"""The processes of a network on one machine: started, found again, killed and stopped, with their logs in its folder.

`network.json`, written by `daicho init`, says which nodes there are. A started node leaves its process id in
`nodes/<id>/node.pid`; a process counts as that node only while its command line names the node's home, so that an id
used again by another program is never signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ledger.refusal import Reason, Refused, Text
from ledger.types import NodeId

NETWORK_NAME = "network.json"
STOP_WITHIN_S = 10.0
LIVE_WITHIN_S = 30.0
LOG_TAIL_BYTES = 4_096


class LocalnetReason(Reason):
    NO_NETWORK = Text(
        "{path} にネットワークがありません。daicho init --data {path} で作成してください",
        "there is no network in {path}. Remedy: daicho init --data {path}",
    )
    BAD_NETWORK = Text("{path} を読めません: {detail}", "{path} is damaged: {detail}")
    NO_SUCH_NODE = Text("ノード {node} はありません(あるもの: {known})", "there is no node {node}; there are: {known}")
    NOT_RUNNING = Text("ノード {node} は動いていません", "the node {node} is not running")
    DIED = Text(
        "ノード {node} が起動できませんでした(終了コード {code})。記録: {log}\n{tail}",
        "the node {node} ended at once with exit code {code}. Its log, {log}, ends:\n{tail}",
    )
    NOT_LIVE = Text(
        "ノード {node} が {within_s} 秒以内に応答しません。記録: {log}",
        "the node {node} does not answer within {within_s} s. Look into its log: {log}",
    )


class NodePlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a node of the network lives; `home` is relative to the network's folder."""

    node_id: NodeId
    organisation: str
    home: str
    peer_address: str
    http_url: str


class NetworkFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    network: str
    nodes: tuple[NodePlace, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """A node and its process, None if it does not run."""

    place: NodePlace
    pid: int | None


class Localnet:
    """The network in the folder `data`. `Refused(LocalnetReason)` if there is none."""

    def __init__(self, data: Path) -> None:
        self.data = data.resolve()
        path = self.data / NETWORK_NAME
        try:
            self.file = msgspec.json.decode(path.read_bytes(), type=NetworkFile)
        except (FileNotFoundError, NotADirectoryError):
            raise Refused(LocalnetReason.NO_NETWORK, path=str(data)) from None
        except msgspec.DecodeError as error:
            raise Refused(LocalnetReason.BAD_NETWORK, path=str(path), detail=str(error)[:120]) from None
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._told_to_end: set[str] = set()

    @property
    def genesis_path(self) -> Path:
        return self.data / "genesis.json"

    @property
    def urls(self) -> list[str]:
        return [n.http_url for n in self.file.nodes]

    def place(self, node_id: str) -> NodePlace:
        for place in self.file.nodes:
            if place.node_id == node_id:
                return place
        raise Refused(LocalnetReason.NO_SUCH_NODE, node=node_id, known=", ".join(n.node_id for n in self.file.nodes))

    def home(self, node_id: str) -> Path:
        return self.data / self.place(node_id).home

    def log(self, node_id: str) -> Path:
        return self.home(node_id) / "node.log"

    # -- processes -----------------------------------------------------------------------------------------------------

    def running(self) -> list[Running]:
        return [Running(place, self.pid(place.node_id)) for place in self.file.nodes]

    def pid(self, node_id: str) -> int | None:
        """The process id of a node, None if it does not run."""
        child = self._children.get(node_id)
        if child is not None and child.poll() is None:
            return child.pid
        # Not ours, or ours and gone: another `daicho localnet` may have started it since.
        home = self.home(node_id)
        try:
            pid = int((home / "node.pid").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None
        return pid if str(home) in command_line(pid) else None

    def start(self, node_id: str, *, with_parent: bool = False) -> int:
        """Start a node in a session of its own, so that Ctrl-C here reaches it only through us.

        `with_parent`: the node stops by itself when this process is gone, however that ended.
        """
        running = self.pid(node_id)
        if running is not None:
            return running
        home = self.home(node_id)
        command = [sys.executable, "-m", "cli", "node", "run", "--home", str(home)]
        if with_parent:
            command.append("--with-parent")
        with self.log(node_id).open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if with_parent else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=home,
                env={**os.environ, "PYTHONPATH": _import_path()},
            )
        self._children[node_id] = child
        self._told_to_end.discard(node_id)
        (home / "node.pid").write_text(f"{child.pid}\n", encoding="ascii")
        return child.pid

    def start_all(self, *, with_parent: bool = False) -> None:
        for place in self.file.nodes:
            self.start(place.node_id, with_parent=with_parent)

    def check_alive(self) -> None:
        """`Refused(DIED)` with the end of its log if a node that was started here has ended by itself."""
        for node_id, child in self._children.items():
            if child.poll() is not None and node_id not in self._told_to_end:
                log = self.log(node_id)
                raise Refused(
                    LocalnetReason.DIED, node=node_id, code=child.returncode, log=str(log), tail=log_tail(log)
                )

    def wait_live(self, node_ids: Sequence[str] | None = None, within_s: float = LIVE_WITHIN_S) -> None:
        """Until the nodes answer at their HTTP ports; `Refused(DIED | NOT_LIVE)` names the one that does not."""
        deadline = time.monotonic() + within_s
        for place in self.file.nodes:
            if node_ids is not None and place.node_id not in node_ids:
                continue
            while not _answers(place.http_url):
                self.check_alive()
                if time.monotonic() > deadline:
                    raise Refused(
                        LocalnetReason.NOT_LIVE,
                        node=place.node_id,
                        within_s=int(within_s),
                        log=str(self.log(place.node_id)),
                    )
                time.sleep(0.05)

    def kill(self, node_id: str) -> int:
        """`kill -9`: the node has no time to say or write anything. Returns the process id it had."""
        pid = self._signal(node_id, signal.SIGKILL)
        self._wait(node_id, pid)
        self._children.pop(node_id, None)
        return pid

    def stop(self, node_id: str) -> bool:
        """End a node in order; by force if it takes longer than ten seconds. Whether it ran."""
        if self.pid(node_id) is None:
            return False
        pid = self._signal(node_id, signal.SIGTERM)
        if not self._wait(node_id, pid):
            self._signal(node_id, signal.SIGKILL)
            self._wait(node_id, pid)
        self._children.pop(node_id, None)
        (self.home(node_id) / "node.pid").unlink(missing_ok=True)
        return True

    def stop_all(self) -> list[str]:
        """End all nodes, at the same time. Returns those that ran."""
        ran = [r.place.node_id for r in self.running() if r.pid is not None]
        for node_id in ran:
            with contextlib.suppress(Refused):
                self._signal(node_id, signal.SIGTERM)
        for node_id in ran:
            self.stop_waiting(node_id)
        return ran

    def stop_waiting(self, node_id: str) -> None:
        """Wait for a node that was told to end, then make sure of it."""
        pid = self.pid(node_id)
        if pid is not None and not self._wait(node_id, pid):
            self.kill(node_id)
        self._children.pop(node_id, None)
        (self.home(node_id) / "node.pid").unlink(missing_ok=True)

    def _signal(self, node_id: str, number: signal.Signals) -> int:
        pid = self.pid(node_id)
        if pid is None:
            raise Refused(LocalnetReason.NOT_RUNNING, node=node_id)
        self._told_to_end.add(node_id)
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            raise Refused(LocalnetReason.NOT_RUNNING, node=node_id) from None
        return pid

    def _wait(self, node_id: str, pid: int) -> bool:
        """Until the process is gone, at most ten seconds."""
        deadline = time.monotonic() + STOP_WITHIN_S
        while time.monotonic() < deadline:
            if self.pid(node_id) != pid:
                return True
            time.sleep(0.02)
        return False


def stop_with_parent() -> None:
    """End this process in order when standard input is closed: whoever holds the other end has gone."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="with-parent", daemon=True).start()


def _answers(http_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{http_url}/health/live", timeout=2) as answer:  # http:// of our own network.json
            return bool(answer.status == 200)
    except OSError:
        return False


def command_line(pid: int) -> str:
    """The command line of a process, empty if there is none."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\x00", b" ").decode("utf-8", "replace")
    if Path("/proc/self").exists():
        return ""
    shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout


def log_tail(path: Path) -> str:
    """The end of a log, for an error message."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _import_path() -> str:
    """Where a child finds the same code as this process, whatever its working directory."""
    here = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))


def urls_of(data: Path, urls: Sequence[str]) -> list[str]:
    """The nodes to ask: `urls` as named, else those of the network in `data`."""
    return list(urls) or Localnet(data).urls
