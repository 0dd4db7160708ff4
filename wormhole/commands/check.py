"""``wormhole check``: prove from documents that a mesh is private and connected."""

import argparse
from typing import TYPE_CHECKING, Final

from wormhole.exit import Exit
from wormhole.options import add_format

if TYPE_CHECKING:
    from review.proof.claim import Proof

SUMMARY: Final = "Prove that everybody is reached, and nothing leaves in clear; or show a packet."
DESCRIPTION: Final = (
    "Prove from documents alone: every pod, node and host process reaches every pod through the"
    " tunnel, and back; no packet for the overlay leaves in clear, now and after each failure;"
    " nobody speaks in another's name. What cannot be proven comes with a packet, its way, and the"
    " line at fault. STATE is a state folder, an inventory, or REV:PATH. Exit code 0: proven; 1:"
    " counter-examples."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("state", metavar="STATE", help="The state to prove.")
    parser.add_argument(
        "--since",
        metavar="OLD",
        help="Prove too that nothing leaks on the way from this state to STATE: after every step"
        " of every host's plan.",
    )
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read the state, prove it, print what was found."""
    from review.proof.prove import prove  # noqa: PLC0415 - brings msgspec, as the next do
    from schemas.check import check_state  # noqa: PLC0415
    from wormhole.formats.finding import Findings  # noqa: PLC0415
    from wormhole.formats.printing import print_findings  # noqa: PLC0415
    from wormhole.proof.findings import list_check_rules, list_findings  # noqa: PLC0415
    from wormhole.proof.places import Places  # noqa: PLC0415
    from wormhole.remarks import count  # noqa: PLC0415
    from wormhole.review_sources import read_documents  # noqa: PLC0415

    documents = read_documents(arguments.state)
    proof = prove(documents)
    contradictions = check_state(documents.mesh, documents.hosts.values())
    found = list_findings(proof, contradictions, Places(arguments.state, documents))
    mesh = f"mesh {documents.mesh.name}"
    summary = (
        f"not proven: {mesh}: {count(len(found), 'fault')}, {_say_scope(proof)}"
        if found
        else f"proven: {mesh}: {_say_proof(proof)}"
    )
    report = Findings(command="check", summary=summary, findings=found, rules=list_check_rules())
    print_findings(report, arguments.format, arguments.color)
    return Exit.CHANGES if found else Exit.OK


def _say_scope(proof: "Proof") -> str:
    from wormhole.remarks import count  # noqa: PLC0415 - as above

    hosts = f"{count(proof.hosts, 'host')} in {count(proof.classes, 'class', 'classes')}"
    return f"{hosts}, {' and '.join(proof.families)}, {proof.packets:,} packets walked"


def _say_proof(proof: "Proof") -> str:
    from wormhole.remarks import count  # noqa: PLC0415 - as above

    return (
        f"{count(proof.pairs, 'pair')} reach each other through the tunnel, nothing leaves in clear"
        f" in {count(proof.situations, 'situation')}, nobody speaks in another's name;"
        f" {_say_scope(proof)}"
    )
