"""How one application is set up: from its configuration file or, in tests and the demo, made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Smtp:
    """The mail server to hand mails to. `security`: none (a server on this machine), starttls, tls."""

    host: str = "127.0.0.1"
    port: int = 25
    user: str = ""
    password: str = ""
    security: str = "none"


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    base_url: str
    """Where people reach the application (`https://supplies.example.lg.jp`), without a slash at the end."""
    secret: bytes
    """At least 32 random bytes, the same over restarts: form tokens and flash cookies hang on it."""
    sender: str = "daicho@localhost"
    """The address that mails come from."""
    smtp: Smtp = field(default_factory=Smtp)
    demo: bool = False
    """Shows the demo's mailbox page and says on every page that this is a demonstration."""
    trusted_proxies: int = 0
    """How many reverse proxies stand before the application (each adds one X-Forwarded-For entry)."""
    work: bool = True
    """Whether the workers (outbox, mail, followers) run in this process."""
    smtp_sink_port: int | None = None
    """Demo: the port on this machine where the built-in mail server takes letters in (0: any free one)."""

    def __post_init__(self) -> None:
        if len(self.secret) < 32:
            raise ValueError("settings: `secret` needs at least 32 random bytes")
        if self.base_url.endswith("/") or not self.base_url.startswith(("http://", "https://")):
            raise ValueError("settings: `base_url` is an http(s) address without a slash at the end")

    @property
    def secure(self) -> bool:
        """Whether people come over TLS: then cookies are Secure and browsers are told to stay with TLS."""
        return self.base_url.startswith("https://")
