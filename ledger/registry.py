"""Who may do what: organisations, accounts, nodes and parameters, as the state holds them.

The rules of the ledger read these tables; only the `governance` contract (and the genesis) writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from ledger.encoding import Wire
from ledger.kv import Reader
from ledger.table import Mark, Table, Writer
from ledger.types import (
    AccountId,
    Height,
    MunicipalCode,
    Name,
    NodeId,
    PublicKey,
    TimeMs,
    Validator,
    ValidatorSet,
    whole,
)

Role = Annotated[str, whole(r"[a-z][a-z0-9_.]{0,47}")]
"""`<contract>.<role>`, as in `donations.shelter`; `operator` belongs to the ledger itself."""

OPERATOR: Role = "operator"
"""Signs for its organisation in governance."""

MAX_KEYS = 8
MAX_ROLES = 32
MAX_VALIDATORS = 64


class Organisation(Wire, frozen=True):
    code: MunicipalCode
    name_ja: str
    name_en: str


class Account(Wire, frozen=True):
    """An organisation, roles, and one or more keys, so that a key is rotated without losing the identity."""

    account_id: AccountId
    organisation: MunicipalCode
    roles: tuple[Role, ...]
    keys: tuple[PublicKey, ...]
    revoked: bool


Standing = Literal["validator", "observer", "removed"]


class Node(Wire, frozen=True):
    """A node that may connect. `standing` says whether it votes. `address` is `host:port` of its peer port."""

    node_id: NodeId
    organisation: MunicipalCode
    public_key: PublicKey
    address: str
    standing: Standing


class Parameters(Wire, frozen=True):
    """What all nodes must agree on, set in the genesis and changed by governance."""

    leader_term_blocks: int
    max_block_transactions: int
    max_block_bytes: int
    heartbeat_ms: int
    """An empty block is proposed when nothing has happened for this long."""


DEFAULT_PARAMETERS = Parameters(
    leader_term_blocks=1_000, max_block_transactions=1_000, max_block_bytes=1_048_576, heartbeat_ms=60_000
)


class ContractVersion(Wire, frozen=True):
    """From `from_height` on, `contract` runs in `version`."""

    contract: Name
    version: int
    from_height: Height


class ContractVersions(Wire, frozen=True):
    """All activations of one contract, in rising height; the last that has begun is in force."""

    versions: tuple[ContractVersion, ...]

    def at(self, height: int) -> int | None:
        begun = [v.version for v in self.versions if v.from_height <= height]
        return begun[-1] if begun else None


class RecoveryKeys(Wire, frozen=True):
    """Keys held offline, of which `threshold` can name a new validator set once the quorum is lost for good."""

    threshold: int
    keys: tuple[PublicKey, ...]


class GenesisFact(Wire, frozen=True):
    network: str
    time_ms: TimeMs
    recovery: RecoveryKeys


ORGANISATIONS = Table("governance", "organisation", Organisation)
ACCOUNTS = Table("governance", "account", Account)
OPERATORS = Table("governance", "operator", Mark)
"""`<organisation>/<account>` of every account with the role operator, revoked or not."""
NODES = Table("governance", "node", Node)
PARAMETERS = Table("governance", "parameters", Parameters)
CONTRACT_VERSIONS = Table("governance", "contract", ContractVersions)
GENESIS_FACT = Table("governance", "genesis", GenesisFact)

ONLY = "only"
"""The id of the one row of a table that has one row."""


def put_account(state: Writer, account: Account) -> None:
    """Write an account; those with the role operator stand in the index of their organisation."""
    ACCOUNTS.put(state, account.account_id, account)
    place = f"{account.organisation}/{account.account_id}"
    listed = OPERATORS.get(state, place) is not None
    if OPERATOR in account.roles and not listed:
        OPERATORS.put(state, place, Mark())
    elif listed and OPERATOR not in account.roles:
        OPERATORS.delete(state, place)


def validators(state: Reader) -> ValidatorSet:
    """The validator set that the state names."""
    nodes = [node for _, node in NODES.page(state, limit=10_000)]
    return ValidatorSet.of(
        [Validator(n.node_id, n.organisation, n.public_key) for n in nodes if n.standing == "validator"]
    )


def parameters(state: Reader) -> Parameters:
    return PARAMETERS.get(state, ONLY) or DEFAULT_PARAMETERS


def check_parameters(parameters_: Parameters, refusal: Callable[[str], Exception]) -> None:
    """Raises `refusal(name)` for the first parameter out of its range: a network must not lock itself out."""
    ranges = {
        "leader_term_blocks": (1, 1_000_000),
        "max_block_transactions": (1, 10_000),
        "max_block_bytes": (131_072, 8 * 1024 * 1024),
        "heartbeat_ms": (1_000, 24 * 60 * 60 * 1000),
    }
    for name, (least, most) in ranges.items():
        if not least <= getattr(parameters_, name) <= most:
            raise refusal(name)
