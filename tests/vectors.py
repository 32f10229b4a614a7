"""The test vectors of `docs/vectors/`, made by the code: `python -m tests.vectors` compares, `--rewrite` writes them.

What they show is described in `docs/wire-format.md`, section by section.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from edge.archive import write_archive
from ledger.genesis import dump_genesis
from tests.independent.chain import Sample, make_chain
from tests.vector_files import as_text, forms, proofs

FOLDER = Path(__file__).parents[1] / "docs" / "vectors"

MAKERS: dict[str, Callable[[Sample], object]] = {
    "encoding": lambda sample: forms.encoding(),
    "hashes": lambda sample: forms.hashes(),
    "signatures": lambda sample: forms.signatures(),
    "transactions": forms.transactions,
    "receipts": forms.receipts,
    "genesis": forms.genesis,
    "headers": forms.headers,
    "validators": forms.validators,
    "quorum": lambda sample: forms.quorum(),
    "leaders": lambda sample: forms.leaders(),
    "votes": proofs.votes,
    "certificates": proofs.certificates,
    "merkle": lambda sample: proofs.merkle_trees(),
    "state": proofs.state,
    "inclusion": proofs.inclusion,
}


def make() -> Iterator[tuple[str, bytes]]:
    """Each file of the folder with its content."""
    sample = make_chain()
    for name, maker in MAKERS.items():
        yield f"{name}.json", as_text(maker(sample))
    yield "proof.json", proofs.proof_file(sample)
    yield "chain/genesis.json", dump_genesis(sample.genesis).encode()
    yield "chain/expected.json", as_text(proofs.expected(sample))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "archive"
        write_archive(target, "archive", sample.chain.chain_id, sample.blocks())
        yield "chain/chain.daicho", target.read_bytes()
        write_archive(target, "jsonl", sample.chain.chain_id, sample.blocks())
        yield "chain/chain.jsonl", target.read_bytes()


def differing(folder: Path = FOLDER) -> list[str]:
    """The files that are not what the code makes, and those that it does not make."""
    made = dict(make())
    present = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return sorted(name for name in made.keys() | present.keys() if made.get(name) != present.get(name))


def rewrite(folder: Path = FOLDER) -> None:
    for name, content in make():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    if "--rewrite" in sys.argv[1:]:
        rewrite()
    found = differing()
    for name in found:
        print(f"{FOLDER / name} is not what the code makes", file=sys.stderr)
    if found:
        sys.exit(
            "Remedy: python -m tests.vectors --rewrite, and read the difference: is the wire format meant to change?"
        )
