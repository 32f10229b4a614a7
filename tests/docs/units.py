"""A service manager for tests: it runs the unit file that is shipped, as far as a process needs it.

`ExecStart=` with `%i`, `ExecReload=` with `$MAINPID`, `LoadCredential=`, and sd_notify: a start or a reload has
happened when the process says so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 30.0


class Unit:
    """One instance of a template unit. `places` maps paths of the unit file to those of the test."""

    def __init__(self, file: Path, instance: str, folder: Path, places: Mapping[str, str], program: list[str]) -> None:
        self.said: list[str] = []
        self._settings: dict[str, str] = {}
        for line in file.read_text(encoding="utf-8").splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                for there, here in {"%i": instance, **places}.items():
                    value = value.replace(there, here)
                self._settings[name] = value
        self._program = program
        self._log = folder / f"{instance}.log"
        self._socket_path = folder / f"{instance}.notify"
        self._credentials = folder / f"{instance}.credentials"
        self._store = Path(places["/etc/credstore"])
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def start(self) -> None:
        if self.running:
            return
        words = self._settings["ExecStart"].split()
        self._socket_path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._socket_path))
        self._socket.settimeout(READY_WITHIN_S)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DAICHO_")}
        environment["NOTIFY_SOCKET"] = str(self._socket_path)
        environment["WATCHDOG_USEC"] = "2000000"
        credential = self._settings["LoadCredential"]
        if (self._store / credential).exists():
            self._credentials.mkdir(mode=0o700, exist_ok=True)
            shutil.copy(self._store / credential, self._credentials / credential)
            environment["CREDENTIALS_DIRECTORY"] = str(self._credentials)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._program, *words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self._settings["WorkingDirectory"],
                start_new_session=True,
            )
        self._until("READY=1")

    def reload(self) -> None:
        assert self._process is not None
        # What it said meanwhile fills the queue, and a full queue takes nothing more.
        self._drain()
        words = self._settings["ExecReload"].replace("$MAINPID", str(self._process.pid)).split()
        subprocess.run(words, check=True)
        self._until("RELOADING=1")
        self._until("READY=1")

    def stop(self) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOPPED_WITHIN_S)
        if self._socket is not None:
            self._socket.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        if self._process is not None and self.running:
            self._process.kill()
            self._process.wait()

    def _drain(self) -> None:
        assert self._socket is not None
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.said.append(self._socket.recv(4096).decode())
        self._socket.settimeout(READY_WITHIN_S)

    def lives(self) -> None:
        """Until it says so to the watchdog."""
        self._drain()
        self._until("WATCHDOG=1")

    def _until(self, word: str) -> None:
        assert self._socket is not None
        while True:
            try:
                said = self._socket.recv(4096).decode()
            except TimeoutError:
                raise AssertionError(f"it did not say {word}:\n{self.log()[-3000:]}") from None
            self.said.append(said)
            if word in said.splitlines():
                return


class Manager:
    """`systemctl` for the units of a folder."""

    def __init__(self, unit_file: Path, folder: Path, places: Mapping[str, str], program: list[str]) -> None:
        self._unit_file = unit_file
        self._folder = folder
        self._places = dict(places)
        self._program = program
        self.units: dict[str, Unit] = {}

    def __call__(self, *words: str) -> None:
        """`systemctl VERB [--now] NAME@INSTANCE ...`"""
        verb, *rest = words
        for name in (w for w in rest if not w.startswith("--")):
            template, _, instance = name.partition("@")
            assert self._unit_file.name == f"{template}@.service", name
            if instance not in self.units:
                self.units[instance] = Unit(self._unit_file, instance, self._folder, self._places, self._program)
            unit = self.units[instance]
            {"enable": unit.start, "start": unit.start, "stop": unit.stop, "restart": unit.restart,
             "reload": unit.reload}[verb]()  # fmt: skip

    def kill_all(self) -> None:
        for unit in self.units.values():
            unit.kill()
