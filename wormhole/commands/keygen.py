"""``wormhole keygen``: this host gets its private key, once, and says the public one."""

import argparse
import json
from typing import Final

from wormhole.console import out
from wormhole.exit import Exit
from wormhole.options import add_data_dir

SUMMARY: Final = "Make this host's private key if it has none; print the public one."
DESCRIPTION: Final = (
    "Make the host's WireGuard key once: it is never overwritten, never printed, and never leaves"
    " the data folder. Prints the public key; with --node, a MeshNode to put into the inventory."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_data_dir(parser)
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
    from applier.keys import create_key  # noqa: PLC0415 - brings cryptography
    from applier.linux.files import Files  # noqa: PLC0415
    from applier.paths import Paths  # noqa: PLC0415
    from schemas.problems import Problems  # noqa: PLC0415

    if arguments.node is None and (arguments.endpoint or arguments.pod_cidrs):
        raise Problems.one("--endpoint and --pod-cidr describe a node: name it with --node")
    if arguments.node is None:
        out(create_key(Files(), Paths(data=arguments.data_dir.absolute())))
        return Exit.OK
    _check_node(_node_spec(arguments, "A" * 43 + "="), arguments.node)
    key = create_key(Files(), Paths(data=arguments.data_dir.absolute()))
    out(_spell_node(arguments.node, _node_spec(arguments, key)))
    return Exit.OK


def _node_spec(arguments: argparse.Namespace, public_key: str) -> dict[str, object]:
    spec: dict[str, object] = {"publicKey": public_key}
    if arguments.endpoint:
        spec["endpoint"] = arguments.endpoint
    if arguments.pod_cidrs:
        spec["podCIDRs"] = arguments.pod_cidrs
    return spec


def _document(name: str, spec: dict[str, object]) -> dict[str, object]:
    return {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": "MeshNode",
        "metadata": {"name": name},
        "spec": spec,
    }


def _check_node(spec: dict[str, object], name: str) -> None:
    """Refuse what validate would refuse, before a key is made for it."""
    from schemas.problems import Problem, Problems  # noqa: PLC0415 - as above
    from schemas.validate import violations  # noqa: PLC0415

    found = violations(_document(name, spec), "meshnode")
    if found:
        raise Problems(
            Problem(
                object=f"MeshNode/{name}",
                path=".".join(map(str, violation.path)),
                value=violation.value,
                rule=violation.rule,
            )
            for violation in found
        )


def _spell_node(name: str, spec: dict[str, object]) -> str:
    """Write YAML by hand: JSON's strings and lists are YAML's, and need no YAML library."""
    lines = [
        "apiVersion: wormhole.dev/v1alpha1",
        "kind: MeshNode",
        f"metadata: {{name: {json.dumps(name)}}}",
        "spec:",
        *(f"  {field}: {json.dumps(value)}" for field, value in spec.items()),
    ]
    return "\n".join(lines)
