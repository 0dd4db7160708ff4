"""``wormhole check``: prove from documents that a mesh is private and connected."""

import argparse
import sys
from typing import TYPE_CHECKING, Final

from wormhole.console import choose_paint, out
from wormhole.exit import Exit
from wormhole.options import add_any_state, add_format

if TYPE_CHECKING:
    from review.proof.claim import Proof
    from schemas.state import Documents
    from wormhole.proof.imagine import Imagined

SUMMARY: Final = "Prove that pods are reached and nothing leaves in clear, or show a packet."
DESCRIPTION: Final = (
    "Prove from documents alone: every pod, node and host process reaches every pod through the"
    " tunnel, and back; no packet for the overlay leaves in clear, now and after each failure;"
    " nobody speaks in another's name. What cannot be proven comes with a packet, its way, and the"
    " line at fault. STATE is a state folder, an inventory, or REV:PATH. docs/proof.md says what is"
    " assumed. Exit code 0: proven; 1: counter-examples."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_any_state(parser)
    parser.add_argument(
        "--since",
        metavar="OLD",
        help="Prove also that nothing leaves in clear on the way from this state to STATE: after"
        " every step of every host's plan.",
    )
    parser.add_argument(
        "--without",
        metavar="NODE",
        action="append",
        default=[],
        help="What if this node were gone, and the others did not know? May be repeated.",
    )
    parser.add_argument(
        "--nat",
        metavar="NODE",
        action="append",
        default=[],
        help="What if nobody could speak first to this node? May be repeated.",
    )
    parser.add_argument(
        "--mtu",
        metavar="A-B=BYTES",
        action="append",
        default=[],
        help="What if the underlay carried no larger packets between these two nodes? May be"
        " repeated.",
    )
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read the state, prove it, print what was found."""
    from schemas.check import check_state  # noqa: PLC0415 - brings msgspec, as the next do
    from wormhole.files.statereader import open_reader  # noqa: PLC0415
    from wormhole.formats.finding import Findings  # noqa: PLC0415
    from wormhole.formats.printing import print_findings  # noqa: PLC0415
    from wormhole.proof.findings import list_check_rules, list_findings  # noqa: PLC0415
    from wormhole.proof.imagine import imagine  # noqa: PLC0415
    from wormhole.remarks import say_warnings  # noqa: PLC0415

    reader = open_reader(arguments.state, arguments.since)
    state = reader.read(arguments.state)
    say_warnings(state.warnings, arguments.color)
    documents = state.documents
    old = None if arguments.since is None else reader.read(arguments.since).documents
    imagined = imagine(documents, arguments)
    proof = _prove(imagined, old)
    # What a what-if takes away is no contradiction of those who wrote the documents.
    problems = check_state(documents.mesh, documents.hosts.values())
    found = list_findings(proof, problems, state.texts)
    claims = () if found else _list_claims(proof, documents)
    summary = _summarise(documents, imagined, proof, len(found))
    if arguments.format == "text":
        paint = choose_paint(arguments.color, sys.stdout)
        for title, claim in claims:
            out(f"{paint('good', f'{title:<9}')} {claim}")
    elif claims:
        summary = f"{summary}; {'; '.join(claim for _, claim in claims)}"
    report = Findings(command="check", summary=summary, findings=found, rules=list_check_rules())
    print_findings(report, arguments.format, arguments.color)
    return Exit.CHANGES if found else Exit.OK


def _prove(imagined: "Imagined", old: "Documents | None") -> "Proof":
    from review.proof.prove import prove  # noqa: PLC0415 - as above
    from wormhole.proof.since import prove_rollout  # noqa: PLC0415

    proof = prove(imagined.documents, path_mtus=imagined.path_mtus)
    return proof if old is None else prove_rollout(old, imagined.documents, proof)


def _list_claims(proof: "Proof", documents: "Documents") -> tuple[tuple[str, str], ...]:
    """Say what was proven: the name of each claim, and its sentence."""
    from wormhole.remarks import count  # noqa: PLC0415 - as above

    gone = len(documents.hosts) * (len(documents.hosts) - 1) - proof.pairs + proof.lost
    kept = proof.pairs - proof.lost
    pairs = f"{kept:,} {'pair reaches' if kept == 1 else 'pairs reach'} each other"
    left = f" ({gone:,} are gone with their hosts)" if gone else ""
    steps = f" and {count(proof.steps, 'step')} of a rollout" if proof.steps else ""
    situations = count(proof.situations, "situation")
    return (
        ("reach", f"{pairs} through the tunnel{left}"),
        ("privacy", f"nothing leaves in clear in {situations}{steps}"),
        ("identity", "nobody speaks in another's name"),
    )


def _summarise(documents: "Documents", imagined: "Imagined", proof: "Proof", faults: int) -> str:
    """Say in one line whether it was proven, or how much was not, and of how much."""
    from wormhole.remarks import count  # noqa: PLC0415 - as above

    hosts = f"{count(proof.hosts, 'host')} in {count(proof.classes, 'class', 'classes')}"
    scope = f"{hosts}, {' and '.join(proof.families)}, {proof.packets:,} packets walked"
    about = ", ".join((f"mesh {documents.mesh.name}", *imagined.words))
    if not faults:
        return f"proven: {about}: {scope}"
    pairs = len(documents.hosts) * (len(documents.hosts) - 1)
    reach = f"{pairs - proof.pairs + proof.lost:,} of {count(pairs, 'pair')} lose something"
    return f"not proven: {about}: {count(faults, 'fault')}; {reach}; {scope}"
