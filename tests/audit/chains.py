"""The sample chain as auditors meet it: an archive of either form, a stopped node's home, a node over HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
from click.testing import CliRunner, Result

from cli import main
from consensus.messages import Prepare
from edge.archive import Form, write_archive
from edge.config import load_config
from edge.init import CONFIG_NAME
from edge.journal import FileJournal
from edge.stopped import leave_mark
from ledger.audit import StoredBlock
from ledger.chain import header_of
from ledger.genesis import dump_genesis
from ledger.kv import Reader
from ledger.store import LevelDb
from tests.independent.chain import Sample, make_chain

NODE = "hachioji"


def run(*arguments: str | Path) -> Result:
    """A command of `daicho`; no traceback, whatever it finds."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output + result.stderr
    return result


def verify(genesis: Path, *arguments: str | Path) -> Result:
    return run("verify", "--parallel", "1", "--json", "--genesis", genesis, *arguments)


def fault(result: Result) -> tuple[int | None, str]:
    """Height and rule of the fault that was found."""
    assert result.exit_code == 1, result.output + result.stderr
    found = json.loads(result.stdout)
    assert found["ok"] is False
    return found["height"], found["rule"]


class Chains:
    """The sample chain in a folder, in all its forms."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sample: Sample = make_chain()
        self.blocks = list(self.sample.blocks())
        self.head = len(self.blocks) - 1
        self.genesis = folder / "genesis.json"
        self.genesis.write_text(dump_genesis(self.sample.genesis), encoding="utf-8")

    def archive(self, name: str, blocks: Sequence[StoredBlock] | None = None, form: Form = "archive") -> Path:
        """An archive of these blocks, with all its sums right."""
        path = self.folder / name
        write_archive(path, form, self.sample.genesis.chain_id, self.blocks if blocks is None else blocks)
        return path

    def new_home(self, name: str) -> Path:
        """The home of a node that has never run, with the empty journal that `daicho init` makes."""
        home = self.folder / name
        home.mkdir()
        (home / CONFIG_NAME).write_text(
            f'node_id = "{NODE}"\npeer_listen = "127.0.0.1:1"\nhttp_listen = "127.0.0.1:2"\n', encoding="utf-8"
        )
        (home / "genesis.json").write_bytes(self.genesis.read_bytes())
        config = load_config(home / CONFIG_NAME)
        config.data_dir.mkdir()
        FileJournal.create(config.journal)
        return home

    def home(self, name: str, kv: Reader | None = None, height: int | None = None) -> Path:
        """The home of a node that has stopped cleanly, with tables, a log and a vote in its journal."""
        home = self.new_home(name)
        config = load_config(home / CONFIG_NAME)
        rows = list((kv or self.sample.kv).scan(b"", b"\xff" * 8))
        # A store that is opened again makes a table of its log; so there is one of each.
        for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            with contextlib.closing(LevelDb(config.store)) as store:
                store.write(dict(part))
        with contextlib.closing(FileJournal(config.journal)) as journal:
            journal.append([Prepare(self.head + 1, 0, bytes(32), NODE, bytes(64))])
        leave_mark(config.store, self.head if height is None else height, self.sample.chain.head.hash)
        return home


@contextlib.contextmanager
def served(blocks: Sequence[StoredBlock], *, says: int | None = None, token: str | None = None) -> Iterator[str]:
    """A node that shows these blocks at /v1/archive; `says`: the height that it claims to be at."""
    pages = [
        msgspec.msgpack.encode([b.raw, b.certificate or b"", list(b.receipts or ()), b.validators or b""])
        for b in blocks
    ]
    height = len(blocks) - 1 if says is None else says
    status = {"height": height, "chain_id": header_of(blocks[0].raw).chain_id.hex()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path)
            if token is not None and self.headers["Authorization"] != f"Bearer {token}":
                self.answer(401, json.dumps({"error": {"message": "a token is needed"}}).encode())
            elif path.path == "/v1/status":
                self.answer(200, json.dumps(status).encode())
            else:
                asked = {name: int(values[0]) for name, values in parse_qs(path.query).items()}
                page = pages[asked["from"] : asked["from"] + min(asked["limit"], 4)]
                self.answer(200, b"".join(len(p).to_bytes(4, "big") + p for p in page))

        def answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("X-Daicho-Height", str(height))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
