"""``wormhole agent``: this host keeps itself what the cluster, or a state folder, says."""

import argparse
import os
from pathlib import Path
from typing import Final

from wormhole.options import add_host_folders

SUMMARY: Final = "Keep this host what a cluster, or a state folder, says; for a DaemonSet."
DESCRIPTION: Final = (
    "Watch where the desired state comes from and this host's kernel, and converge whenever one of"
    " them changes; nothing is written when nothing changed. With --from cluster the node publishes"
    " its public key in its MeshNode, meets its peers through the Kubernetes API and compiles its"
    " own documents; with --from STATE it follows a folder that compile wrote, such as a checkout"
    " of git. While the source is away or makes no sense, the host keeps and heals what it has."
    " Ending the agent leaves the network as it is: 'wormhole destroy' removes it."
)

CLUSTER: Final = "cluster"
_OF_CLUSTERS: Final = ("endpoint", "kubeconfig", "namespace")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="cluster|STATE",
        required=True,
        help="Where the desired state comes from: the Kubernetes API, or a state folder.",
    )
    parser.add_argument(
        "--node",
        metavar="NODE",
        default=os.environ.get("WORMHOLE_NODE") or os.uname().nodename.lower(),
        help="This host's node name (WORMHOLE_NODE; now %(default)s).",
    )
    parser.add_argument(
        "--listen",
        metavar="IP:PORT",
        default="127.0.0.1:9807",
        help="Where /metrics, /healthz and /readyz are served (now %(default)s); 'none': nowhere.",
    )
    parser.add_argument(
        "--log-format",
        choices=["text", "json"],
        default="text",
        help="How log lines are written to standard error (now %(default)s).",
    )
    _add_cluster_options(parser.add_argument_group("with --from cluster"))
    add_host_folders(parser)


def _add_cluster_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--endpoint",
        metavar="IP[:PORT]",
        help="Where other nodes reach this one, in place of the Node's InternalIP or ExternalIP.",
    )
    group.add_argument(
        "--kubeconfig",
        metavar="FILE",
        type=Path,
        help="How to reach the API; without it the pod's own account, or outside a pod what kubectl"
        " would use.",
    )
    group.add_argument(
        "--namespace",
        metavar="NAME",
        help="Where the Secret wormhole-psk is (WORMHOLE_NAMESPACE, else wormhole-system).",
    )


def find_namespace() -> str:
    """Return the namespace without an option; the environment may be one that all agents have."""
    return os.environ.get("WORMHOLE_NAMESPACE") or "wormhole-system"


def check_node(name: str) -> None:
    """Refuse a name that no node can have: it would be waited for for ever.

    Raises:
        Problems: it is not a Kubernetes name.

    """
    from schemas.problems import Problem, Problems  # noqa: PLC0415 - as below
    from schemas.validate import violations  # noqa: PLC0415

    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    found = violations(node, "node")
    if found:
        raise Problems(Problem(object="--node", value=each.value, rule=each.rule) for each in found)


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or Ctrl-C."""
    from schemas.problems import Problems  # noqa: PLC0415 - only the agent pays for its parts
    from wormhole import thishost  # noqa: PLC0415
    from wormhole.agent.assembly import Options, run_agent  # noqa: PLC0415

    check_node(arguments.node)
    if arguments.origin != CLUSTER and any(getattr(arguments, name) for name in _OF_CLUSTERS):
        raise Problems.one("--endpoint, --kubeconfig and --namespace go with --from cluster")
    thishost.require_root()
    return run_agent(
        Options(
            state=None if arguments.origin == CLUSTER else Path(arguments.origin),
            node=arguments.node,
            listen="" if arguments.listen == "none" else arguments.listen,
            log_format=arguments.log_format,
            endpoint=arguments.endpoint,
            kubeconfig=arguments.kubeconfig,
            namespace=arguments.namespace or find_namespace(),
            paths=thishost.paths_from(arguments),
        )
    )
