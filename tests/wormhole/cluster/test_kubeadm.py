from collections.abc import Mapping

import pytest

from schemas.problems import Problems
from wormhole.cluster.api import KUBEADM_CONFIG, Object
from wormhole.cluster.kubeadm import fetch_pod_subnet, parse_pod_subnet

CONFIGURATION = """\
apiServer:
  extraArgs:
    authorization-mode: Node,RBAC
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
kubernetesVersion: v1.29.0
networking:
  dnsDomain: cluster.local
  podSubnet: SUBNET
  serviceSubnet: 10.96.0.0/12
scheduler: {}
"""


def config_map(configuration: object) -> Object:
    metadata = {"name": "kubeadm-config", "namespace": "kube-system"}
    data = {"ClusterConfiguration": configuration}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.mark.parametrize(
    ("subnet", "cidrs"),
    [
        ("10.244.0.0/16", ("10.244.0.0/16",)),
        ("10.244.0.0/16,fd00:244::/48", ("10.244.0.0/16", "fd00:244::/48")),
        ("FD00:244:0::/48, 10.244.0.0/16", ("fd00:244::/48", "10.244.0.0/16")),
        ("10.244.0.1/16", ("10.244.0.0/16",)),
    ],
)
def test_pod_subnet_is_one_prefix_or_one_of_each_family(
    subnet: str, cidrs: tuple[str, ...]
) -> None:
    assert parse_pod_subnet(config_map(CONFIGURATION.replace("SUBNET", subnet))) == cidrs


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            config_map(CONFIGURATION.replace("SUBNET", '""')),
            (
                "data.ClusterConfiguration networking.podSubnet: is not set: give the Mesh its own "
                "overlayCIDRs"
            ),
        ),
        (
            config_map("kind: ClusterConfiguration"),
            (
                "data.ClusterConfiguration networking.podSubnet: is not set: give the Mesh its own "
                "overlayCIDRs"
            ),
        ),
        (
            config_map(CONFIGURATION.replace("SUBNET", "10.244.0.0/16,")),
            (
                "data.ClusterConfiguration networking.podSubnet: must be one IP prefix, or one of "
                "each family"
            ),
        ),
        (
            config_map(CONFIGURATION.replace("SUBNET", "ten")),
            (
                "data.ClusterConfiguration networking.podSubnet 'ten': must be one IP prefix, or "
                "one of each family"
            ),
        ),
        (
            config_map("a: [b"),
            (
                "data.ClusterConfiguration: line 2 is not YAML: did not find expected ',' or ']', "
                "while parsing a flow sequence begun in line 1"
            ),
        ),
        (
            config_map("- a"),
            "data.ClusterConfiguration: is empty: give the Mesh its own overlayCIDRs",
        ),
        (
            {"data": None},
            "data.ClusterConfiguration: is not there: give the Mesh its own overlayCIDRs",
        ),
        (
            config_map(7),
            "data.ClusterConfiguration: is not there: give the Mesh its own overlayCIDRs",
        ),
    ],
)
def test_config_map_without_pod_subnet_says_what_to_do(found: Object, said: str) -> None:
    with pytest.raises(Problems) as caught:
        parse_pod_subnet(found)
    assert str(caught.value) == f"ConfigMap/kubeadm-config {said}"


class OneObject:
    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        assert (path, query) == (KUBEADM_CONFIG, {})
        return config_map(CONFIGURATION.replace("SUBNET", "10.244.0.0/16"))


def test_pod_subnet_is_fetched_from_kube_system() -> None:
    assert fetch_pod_subnet(OneObject()) == ("10.244.0.0/16",)  # type: ignore[arg-type]  # it only asks
