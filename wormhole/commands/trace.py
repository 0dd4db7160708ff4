"""``wormhole trace``: one packet's story, from documents alone."""

import argparse
import sys
from typing import TYPE_CHECKING, Final

from wormhole.console import choose_paint, out, out_json
from wormhole.exit import Exit
from wormhole.options import add_any_state, add_json

if TYPE_CHECKING:
    from review.model.network import Network
    from review.model.packet import Packet, Start
    from wormhole.files.statereader import Loaded
    from wormhole.files.statetexts import StateTexts

SUMMARY: Final = "Tell what becomes of one packet, hop by hop, and what decides it."
DESCRIPTION: Final = (
    "Follow one packet through hosts that have converged to these documents: routes, firewall,"
    " tunnel, MTU, and the answer's way back. Each decision comes with the line that made it."
    " No host is asked, and nothing is sent. A pod or a host is named by an address, by NODE/pod"
    " (its first pod; pod6 for IPv6), or by NODE (the host itself). What documents are silent about"
    " is assumed and said so: a default route by a device 'underlay', no rules of others."
)

_LARGEST: Final = 65535
_SMALLEST: Final = 48
"""Bytes of an IPv6 header and a UDP header: whatever is asked for, it can be that small."""
_EPHEMERAL: Final = 49152


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_any_state(parser)
    parser.add_argument(
        "--from",
        dest="sender",
        metavar="FROM",
        required=True,
        help="Who sends: a pod's address, NODE/pod, NODE, outside:NODE (comes to it in clear), or"
        " peer:NODE (what that node encrypts).",
    )
    parser.add_argument(
        "--to", metavar="TO", required=True, help="Where to: an address, NODE/pod, or NODE."
    )
    parser.add_argument(
        "--source", metavar="IP", default="", help="The source that is written, forged or not."
    )
    parser.add_argument(
        "--protocol",
        choices=("icmp", "tcp", "udp"),
        help="What it carries; without it tcp where a port is given, else icmp. TCP opens a"
        " connection.",
    )
    parser.add_argument("--port", type=_read_port, metavar="N", help="The port that it is for.")
    parser.add_argument(
        "--size",
        type=_read_size,
        metavar="BYTES",
        default=100,
        help="How large it is, its IP header included (%(default)s).",
    )
    parser.add_argument("--df", action="store_true", help="It may not be fragmented (IPv4's DF).")
    add_json(parser, "story")


def run(arguments: argparse.Namespace) -> int:
    """Read the documents, follow the packet, tell its story."""
    from review.model.network import build_network  # noqa: PLC0415 - brings msgspec

    state = _read(arguments)
    network = build_network(state.documents)
    return _tell(arguments, state.texts, network, *_make_packet(arguments, network))


def _read(arguments: argparse.Namespace) -> "Loaded":
    """Read a state; one that contradicts itself is what somebody wants to understand."""
    from schemas.check import check_state  # noqa: PLC0415 - as above
    from wormhole.files.statereader import Reader  # noqa: PLC0415
    from wormhole.remarks import say_warnings  # noqa: PLC0415

    state = Reader().read(arguments.state)
    say_warnings(state.warnings, arguments.color)
    documents = state.documents
    say_warnings(check_state(documents.mesh, documents.hosts.values()), arguments.color)
    return state


def _make_packet(arguments: argparse.Namespace, network: "Network") -> "tuple[Packet, Start]":
    from review.model.ends import read_ends  # noqa: PLC0415 - as above
    from review.model.packet import Packet, Protocol  # noqa: PLC0415
    from schemas.problems import Problems  # noqa: PLC0415

    ends = read_ends(network, arguments.sender, arguments.to, arguments.source)
    port = arguments.port or 0
    protocol = Protocol(arguments.protocol or ("tcp" if port else "icmp"))
    with_ports = protocol is not Protocol.ICMP
    if port and not with_ports:
        raise Problems.one("icmp has no ports", path="--port", value=str(port))
    packet = Packet(
        source=ends.source,
        destination=ends.destination,
        protocol=protocol,
        source_port=_EPHEMERAL if with_ports else 0,
        destination_port=(port or 80) if with_ports else 0,
        tcp_syn=protocol is Protocol.TCP,
        size=arguments.size,
        dont_fragment=arguments.df,
    )
    return packet, ends.start


def _tell(
    arguments: argparse.Namespace,
    texts: "StateTexts",
    network: "Network",
    packet: "Packet",
    start: "Start",
) -> int:
    from review.model.trace import make_trace  # noqa: PLC0415 - as above
    from review.model.walk import walk_both_ways  # noqa: PLC0415
    from schemas.document import dump  # noqa: PLC0415
    from wormhole.views.trace import View, describe_trace, is_good  # noqa: PLC0415

    story, answer = walk_both_ways(network, packet, start)
    if arguments.json:
        out_json(dump(make_trace(story, answer, texts.line_of)).decode())
    else:
        view = View(spell=texts.spell, paint=choose_paint(arguments.color, sys.stdout))
        out(describe_trace(story, answer, start, view))
    return Exit.OK if is_good(story) else Exit.NOT_DELIVERED


def _read_port(text: str) -> int:
    return _read_number(text, 1, "a port is a number from 1 to 65535")


def _read_size(text: str) -> int:
    return _read_number(text, _SMALLEST, f"a packet has {_SMALLEST} to {_LARGEST} bytes")


def _read_number(text: str, least: int, rule: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len("65535") else -1
    if not least <= number <= _LARGEST:
        raise argparse.ArgumentTypeError(f"{rule}, not {text!r}")
    return number
