"""The table of an export for the terminal."""

from __future__ import annotations

from samantic.export.proof import Proof
from samantic.measure.tables import in_columns, percent, points


def proof_table(proof: Proof) -> str:
    """The answers of an exported file compared with its model's, as text."""
    lines = {"share of pixels %": ["model", "file"]}
    lines |= {name: [percent(share) for share in both] for name, both in proof.shares.items()}
    text = [*in_columns(lines), ""]
    if proof.miou is not None:
        before, after = proof.miou
        text.append(
            f"mIoU {percent(before)} %, of the file {percent(after)} %, "
            f"{points(after - before)} points"
        )
    text.append(
        f"{proof.agreement:.3%} of the labels of {proof.source} are the model's; the confidence "
        f"differs by {proof.confidence:.2g} at most"
    )
    return "\n".join(text)
