"""``wormhole keygen``: this host gets its private key, or a new one, and says the public half."""

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from wormhole.console import out
from wormhole.exit import Exit
from wormhole.options import add_data_dir

if TYPE_CHECKING:
    from schemas.problems import Problem

SUMMARY: Final = "Make this host's private key if it has none; print the public one."
DESCRIPTION: Final = (
    "Make the host's WireGuard key once: it is never overwritten unless --rotate asks for it, never"
    " printed, and never leaves the data folder. Prints the public key; with --node, a MeshNode to"
    " put into the inventory."
)

_ANY_PORT: Final = 9806
"""The mesh's own is not known here, and any will do to check an endpoint."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_data_dir(parser)
    parser.add_argument(
        "--rotate",
        action="store_true",
        help="Put a new key in place of the old one, which is gone then. All sessions of this host"
        " end once, and its peers answer only when they know the new public key: a running agent"
        " applies and publishes it by itself; without one, put it into the inventory, compile, and"
        " apply everywhere.",
    )
    parser.add_argument(
        "--node", metavar="NODE", help="Print a MeshNode of this name instead of the bare key."
    )
    parser.add_argument(
        "--endpoint",
        metavar="IP[:PORT]",
        help="Where other nodes reach this one; without a port, the mesh's listen port.",
    )
    parser.add_argument(
        "--pod-cidr",
        metavar="CIDR",
        dest="pod_cidrs",
        action="append",
        default=[],
        help="A prefix for this node's pods; give it once for each.",
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the key unless it is there, and print what was asked for."""
    from applier.keys import create_key, rotate_key  # noqa: PLC0415 - brings cryptography
    from applier.linux.files import Files  # noqa: PLC0415
    from applier.paths import Paths  # noqa: PLC0415
    from schemas.problems import Problems  # noqa: PLC0415

    if arguments.node is None and (arguments.endpoint or arguments.pod_cidrs):
        raise Problems.one("--endpoint and --pod-cidr describe a node: name it with --node")
    if arguments.node is not None:
        _check_node(arguments)
    make_key = rotate_key if arguments.rotate else create_key
    key = make_key(Files(), Paths(data=arguments.data_dir.absolute()))
    out(key if arguments.node is None else _spell_node(_describe_node(arguments, key)))
    return Exit.OK


def _check_node(arguments: argparse.Namespace) -> None:
    """Refuse what validate would refuse, before a key is made for it."""
    from schemas.problems import Problem, Problems  # noqa: PLC0415 - as above
    from schemas.validate import violations  # noqa: PLC0415

    placeholder = _describe_node(arguments, "A" * 43 + "=")
    problems = [
        Problem(object="--node", value=violation.value, rule=violation.rule)
        for violation in violations(placeholder, "meshnode")
    ]
    if problems := problems or list(_find_wrong_networks(arguments)):
        raise Problems(problems)


def _find_wrong_networks(arguments: argparse.Namespace) -> Iterator["Problem"]:
    from compiler.networks import InvalidTextError, parse_endpoint, parse_network  # noqa: PLC0415
    from schemas.problems import Problem  # noqa: PLC0415 - as above

    try:
        if arguments.endpoint:
            parse_endpoint(arguments.endpoint, _ANY_PORT)
    except InvalidTextError as error:
        yield Problem(object="--endpoint", value=arguments.endpoint, rule=str(error))
    for cidr in arguments.pod_cidrs:
        try:
            parse_network(cidr)
        except InvalidTextError as error:
            yield Problem(object="--pod-cidr", value=cidr, rule=str(error))


def _describe_node(arguments: argparse.Namespace, public_key: str) -> dict[str, Any]:
    spec = {
        "publicKey": public_key,
        "endpoint": arguments.endpoint,
        "podCIDRs": arguments.pod_cidrs,
    }
    return {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": "MeshNode",
        "metadata": {"name": arguments.node},
        "spec": {field: value for field, value in spec.items() if value},
    }


def _spell_node(node: dict[str, Any]) -> str:
    """Write YAML by hand: JSON's strings, lists and mappings are YAML's."""
    lines = [
        f"apiVersion: {node['apiVersion']}",
        f"kind: {node['kind']}",
        f"metadata: {json.dumps(node['metadata'])}",
        "spec:",
        *(f"  {field}: {json.dumps(value)}" for field, value in node["spec"].items()),
    ]
    return "\n".join(lines)
