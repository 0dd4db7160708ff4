"""kubeadm's ConfigMap to the prefixes that the cluster's pods take their addresses from.

kubeadm keeps what the cluster was made with in ``kube-system``'s ``kubeadm-config``, under
``ClusterConfiguration`` (``kubeadm.k8s.io``), whose ``networking.podSubnet`` is one prefix, or
one of each family with a comma between them.
"""

from ipaddress import ip_network
from typing import Any, Final

from compiler.source import Source
from compiler.text import read_source
from schemas.problems import Problem, Problems
from schemas.wording import show
from wormhole.cluster.api import KUBEADM_CONFIG, Api, Object

_OBJECT: Final = "ConfigMap/kubeadm-config"
_ENTRY: Final = "ClusterConfiguration"
_FIELD: Final = f"data.{_ENTRY} networking.podSubnet"
_HINT: Final = "give the Mesh its own overlayCIDRs"


def fetch_pod_subnet(api: Api) -> tuple[str, ...]:
    """Ask the cluster for its pod subnet: prefixes, one or one of each family.

    Raises:
        ApiError: there was no answer, or there is no such ConfigMap.
        Problems: it is there, and holds none.

    """
    return parse_pod_subnet(api.get(KUBEADM_CONFIG))


def parse_pod_subnet(config_map: Object) -> tuple[str, ...]:
    """Read the pod subnet out of kubeadm's ConfigMap; host bits, which kubeadm allows, are masked.

    Raises:
        Problems: it holds none, or one that is no prefix.

    """
    subnet = _section(_read_configuration(config_map), "networking").get("podSubnet")
    if not isinstance(subnet, str) or not subnet.strip():
        raise _problem(f"is not set: {_HINT}")
    return tuple(_parse_prefix(text.strip()) for text in subnet.split(","))


def _read_configuration(config_map: Object) -> dict[str, Any]:
    text = _section(config_map, "data").get(_ENTRY)
    if not isinstance(text, str):
        raise _problem(f"is not there: {_HINT}", path=f"data.{_ENTRY}")
    reading = read_source(Source(name=f"{_ENTRY}.yaml", text=text))
    for fault in reading.faults:
        raise _problem(f"line {fault.line} {fault.rule}", path=f"data.{_ENTRY}")
    for document in reading.documents:
        if isinstance(document.value, dict):
            return document.value
    raise _problem(f"is empty: {_HINT}", path=f"data.{_ENTRY}")


def _parse_prefix(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise _problem("must be one IP prefix, or one of each family", value=text) from None


def _section(document: Object, name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _problem(rule: str, *, path: str = _FIELD, value: str = "") -> Problems:
    return Problems([Problem(object=_OBJECT, path=path, value=show(value), rule=rule)])
