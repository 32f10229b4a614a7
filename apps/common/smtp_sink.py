"""The demonstration's own mail server: takes letters in on this machine and keeps them for the mailbox page.

It speaks just enough of SMTP (RFC 5321) for our own client, listens on the loopback address only, and is not meant for
anything else: a municipality sets its real mail server.
"""

from __future__ import annotations

import asyncio
import email
import logging
from email.message import EmailMessage
from email.policy import default

from apps.common.database import Database
from apps.common.language import Clock
from apps.common.tables import Letter

MAX_LINE = 4_096
MAX_LETTER_BYTES = 1_000_000
IDLE_S = 60.0
NO_SUCH_USER = "no-such-user"
"""Letters to this local part are refused for good, so that the demonstration can show what an officer then sees."""

log = logging.getLogger(__name__)


class SmtpSink:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1; `port` 0 takes any free one, `self.port` says which."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=MAX_LINE)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(IDLE_S):
                await _Conversation(self, reader, writer).run()
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            log.info("a conversation with the demonstration's mail server broke off")
        finally:
            writer.close()

    async def keep(self, recipients: list[str], data: bytes) -> None:
        """Store a letter, once for each recipient."""
        message = email.message_from_bytes(data, EmailMessage, policy=default)
        part = message.get_body(("plain",))
        letters = [
            Letter(
                message_id=str(message.get("Message-ID", ""))[:200],
                recipient=recipient[:254],
                subject=str(message.get("Subject", ""))[:200],
                body=part.get_content() if part is not None else "",
                received_ms=self._clock(),
            )
            for recipient in recipients
        ]
        await self._database.write(lambda session: session.add_all(letters))


class _Conversation:
    def __init__(self, sink: SmtpSink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sink = sink
        self._reader = reader
        self._writer = writer
        self._recipients: list[str] = []

    async def run(self) -> None:
        await self._say("220 localhost demonstration mail server")
        while line := await self._reader.readline():
            verb, _, rest = line.decode("ascii", "replace").strip().partition(" ")
            match verb.upper():
                case "EHLO":
                    await self._say("250-localhost", f"250 SIZE {MAX_LETTER_BYTES}")
                case "HELO" | "NOOP" | "MAIL":
                    await self._say("250 OK")
                case "RCPT":
                    await self._recipient(rest)
                case "DATA":
                    await self._letter()
                case "RSET":
                    self._recipients = []
                    await self._say("250 OK")
                case "QUIT":
                    await self._say("221 bye")
                    return
                case _:
                    await self._say("502 not known here")

    async def _recipient(self, rest: str) -> None:
        address = rest.partition("<")[2].partition(">")[0].lower()
        if address.partition("@")[0] == NO_SUCH_USER:
            await self._say("550 no such mailbox")
        elif "@" not in address or len(self._recipients) >= 100:
            await self._say("553 that is not an address")
        else:
            self._recipients.append(address)
            await self._say("250 OK")

    async def _letter(self) -> None:
        if not self._recipients:
            return await self._say("503 to whom?")
        await self._say("354 go on")
        data = bytearray()
        while (line := await self._reader.readline()) not in (b".\r\n", b""):
            data += line[1:] if line.startswith(b"..") else line
            if len(data) > MAX_LETTER_BYTES:
                raise ConnectionError("the letter is too large")
        await self._sink.keep(self._recipients, bytes(data))
        self._recipients = []
        await self._say("250 kept")

    async def _say(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()
