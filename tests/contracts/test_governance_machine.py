"""Random governance by honest, careless and greedy operators: what no sequence of calls may break.

The validator set is never empty and moves by one at a height; no change is made without a quorum of the organisations;
every organisation keeps an operator who can sign; the indexes and counts are true; a refusal changes nothing.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.governance.changes import OPEN_COUNTS, PROPOSALS, Proposal
from contracts.governance.contract import organisations_quorum
from ledger.encoding import Value
from ledger.registry import ACCOUNTS, NODES, OPERATOR, OPERATORS, ORGANISATIONS, Account, Node, put_account, validators
from ledger.types import Receipt
from ledger.votes import in_sync_payload
from tests.contracts.bench import Bench
from tests.contracts.world import HACHIOJI, OSHIMA, TACHIKAWA, key_of

CODES = (HACHIOJI, TACHIKAWA, OSHIMA, "132039", "132047")
NODE_IDS = [f"node-{i}" for i in range(1, 6)]
EVERYTHING = 10_000

codes = st.sampled_from(CODES)
node_ids = st.sampled_from(NODE_IDS)


class Network(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        people = [Account(f"op-{c}", c, (OPERATOR,), (key_of(c).public_key,), False) for c in CODES[:3]]
        people += [Account(f"clerk-{c}", c, (), (key_of(f"clerk{c}").public_key,), False) for c in CODES[:3]]
        self.bench = Bench({code: code for code in CODES[:3]}, people)
        node = Node("node-1", HACHIOJI, key_of("node-1").public_key, "localhost:1", "validator")
        NODES.put(self.bench.state, "node-1", node)
        self.bench.state.keep()
        self.keys = Counter[str]()
        self.changed_at = -1

    # -- help ----------------------------------------------------------------------------------------------------------

    def account(self, account_id: str) -> Account | None:
        found = ACCOUNTS.get(self.bench.state, account_id)
        return found if found and not found.revoked and self.is_member(found.organisation) else None

    def is_member(self, code: str) -> bool:
        return ORGANISATIONS.get(self.bench.state, code) is not None

    def accounts(self) -> list[Account]:
        return [a for _, a in ACCOUNTS.page(self.bench.state, limit=EVERYTHING)]

    def run(self, sender: str, method: str, **args: Value) -> Receipt | None:
        """The receipt; None if the ledger would not let the sender into a block."""
        account = self.account(sender)
        if account is None:
            return None
        self.bench.accounts[sender] = account
        before, set_before = dict(self.bench.state.writes), validators(self.bench.state).ids
        receipt = self.bench.run(sender, "governance", method, args)
        if not receipt.done:
            assert dict(self.bench.state.writes) == before and receipt.reason in self.bench.runtime.reasons()
        set_after = validators(self.bench.state).ids
        if set_after != set_before:
            gone, come = set(set_before) - set(set_after), set(set_after) - set(set_before)
            assert len(gone) <= 1 and len(come) <= 1
            assert self.changed_at < self.bench.height, "two changes of the set at one height"
            self.changed_at = self.bench.height
        return receipt

    def operator(self, data: st.DataObject) -> str:
        named = [a.account_id for a in self.accounts() if OPERATOR in a.roles]
        return data.draw(st.sampled_from(named))

    def propose(self, data: st.DataObject, method: str, **args: Value) -> None:
        """Propose, and let some of the operators approve at once, so that changes come about."""
        receipt = self.run(self.operator(data), method, **args)
        for _ in range(data.draw(st.sampled_from([0, 4])) if receipt and receipt.done else 0):
            assert receipt is not None
            proposal_id = str(receipt.result["proposal"])
            before = PROPOSALS.get(self.bench.state, proposal_id)
            assert before is not None
            self.judge(self.operator(data), "approve", proposal_id, before)

    def statement(self, node: str, key: str) -> dict[str, Value]:
        height = max(0, self.bench.height - 1)
        signed = key_of(key).sign(in_sync_payload(bytes(32), node, height, bytes(32)))
        return {"height": height, "block_hash": bytes(32), "signature": signed}

    def key_name(self, node: str) -> str:
        return f"{node}-{self.keys[node]}" if self.keys[node] else node

    # -- proposals -----------------------------------------------------------------------------------------------------

    @rule(data=st.data(), node=node_ids, code=codes, fresh=st.booleans())
    def propose_node(self, data: st.DataObject, node: str, code: str, fresh: bool) -> None:
        if fresh:
            self.keys[node] += 1
        public_key = key_of(self.key_name(node)).public_key
        self.propose(data, "propose_node", node_id=node, organisation=code, public_key=public_key,
                 address="host:7000")  # fmt: skip

    @rule(data=st.data(), node=node_ids, leaving=st.none() | node_ids)
    def propose_validator(self, data: st.DataObject, node: str, leaving: str | None) -> None:
        found = NODES.get(self.bench.state, node)
        names = [node, *(f"{node}-{i}" for i in range(1, self.keys[node] + 1))]
        right = [n for n in names if found and key_of(n).public_key == found.public_key]
        statement = self.statement(node, data.draw(st.sampled_from(right * 3 + names)))
        if leaving is None:
            self.propose(data, "propose_validator", node_id=node, **statement)
        else:
            self.propose(data, "propose_replacement", leaving=leaving, node_id=node, **statement)

    @rule(data=st.data(), node=node_ids, method=st.sampled_from(["propose_demotion", "propose_node_removal"]))
    def propose_leaving(self, data: st.DataObject, node: str, method: str) -> None:
        self.propose(data, method, node_id=node)

    @rule(data=st.data(), node=node_ids)
    def propose_node_key(self, data: st.DataObject, node: str) -> None:
        name = f"{node}-{self.keys[node] + 1}"
        self.keys[node] += 1
        self.propose(data, "propose_node_key", node_id=node, public_key=key_of(name).public_key,
                 **self.statement(node, name))  # fmt: skip

    @rule(data=st.data(), code=codes, removal=st.booleans())
    def propose_organisation(self, data: st.DataObject, code: str, removal: bool) -> None:
        if removal:
            self.propose(data, "propose_organisation_removal", code=code)
        else:
            name = f"op-{code}-{self.bench.height}"
            self.propose(data, "propose_organisation", code=code, name_ja=code, name_en=code, operator=name,
                     operator_key=key_of(name).public_key)  # fmt: skip

    @rule(data=st.data(), removal=st.booleans())
    def propose_operator(self, data: st.DataObject, removal: bool) -> None:
        account = data.draw(st.sampled_from(self.accounts())).account_id
        method = "propose_operator_removal" if removal else "propose_operator"
        self.propose(data, method, account=account)

    @precondition(lambda self: bool(PROPOSALS.page(self.bench.state, limit=1)))
    @rule(data=st.data(), method=st.sampled_from(["approve"] * 6 + ["withdraw", "sweep"]), same_block=st.booleans())
    def act_on_proposal(self, data: st.DataObject, method: str, same_block: bool) -> None:
        rows = PROPOSALS.page(self.bench.state, limit=EVERYTHING)
        lively = [r for r in rows if r[1].status == "open"]
        proposal_id, before = data.draw(st.sampled_from(lively * 6 + rows))
        sender = self.operator(data)
        if same_block:
            self.bench.height -= 1
        self.judge(sender, method, proposal_id, before)

    def judge(self, sender: str, method: str, proposal_id: str, before: Proposal) -> None:
        account = self.account(sender)
        needed = organisations_quorum(self.bench.state)
        members = {code for code in CODES if self.is_member(code)}
        receipt = self.run(sender, method, proposal=proposal_id)
        if receipt is None or not receipt.done:
            return
        assert account is not None and before.status == "open" and OPERATOR in account.roles
        after = PROPOSALS.get(self.bench.state, proposal_id)
        assert after is not None
        if method == "withdraw":
            assert after.status == "withdrawn" and before.proposer == account.organisation
        elif method == "approve":
            assert account.organisation not in before.approvals
            agreed = len({*before.approvals, account.organisation} & members)
            assert (after.status == "done") == (agreed >= needed)
        else:
            raise AssertionError("nothing has expired in this test")

    # -- an organisation's own affairs ---------------------------------------------------------------------------------

    @rule(data=st.data(), method=st.sampled_from(["revoke_account", "restore_account"]))
    def own_accounts(self, data: st.DataObject, method: str) -> None:
        sender, account = self.operator(data), data.draw(st.sampled_from(self.accounts()))
        acting = ACCOUNTS.get(self.bench.state, sender)
        receipt = self.run(sender, method, account=account.account_id)
        if receipt is not None and receipt.done:
            assert acting is not None and acting.organisation == account.organisation

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def somebody_votes(self) -> None:
        assert len(validators(self.bench.state)) >= 1

    @invariant()
    def every_organisation_has_an_operator_who_can_sign(self) -> None:
        able = {a.organisation for a in self.accounts() if OPERATOR in a.roles and not a.revoked}
        assert {code for code, _ in ORGANISATIONS.page(self.bench.state, limit=100)} <= able
        assert any(self.is_member(code) for code in CODES)

    @invariant()
    def every_node_belongs_to_a_member_and_has_its_own_key(self) -> None:
        nodes = [n for _, n in NODES.page(self.bench.state, limit=100)]
        assert all(self.is_member(n.organisation) for n in nodes if n.standing != "removed")
        assert len({n.public_key for n in nodes}) == len(nodes)

    @invariant()
    def indexes_and_counts_are_true(self) -> None:
        listed = {row_id for row_id, _ in OPERATORS.page(self.bench.state, limit=EVERYTHING)}
        assert listed == {f"{a.organisation}/{a.account_id}" for a in self.accounts() if OPERATOR in a.roles}
        proposals = [p for _, p in PROPOSALS.page(self.bench.state, limit=EVERYTHING)]
        counted = Counter(p.proposer for p in proposals if p.status == "open")
        assert {c: r.count for c, r in OPEN_COUNTS.page(self.bench.state, limit=100) if r.count} == counted
        assert all(len(set(p.approvals)) == len(p.approvals) for p in proposals)


def test_an_account_that_loses_the_role_leaves_the_index_of_operators() -> None:
    bench = Bench({}, [Account("a", HACHIOJI, (OPERATOR,), (), False)])
    put_account(bench.state, Account("a", HACHIOJI, (), (), False))
    assert OPERATORS.page(bench.state, limit=10) == []


TestNetwork = Network.TestCase
TestNetwork.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
