"""What the agent's pod may do, has and is asked; anything more has to be written here too."""

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
from manifests import Object, build, one

from applier.paths import Paths
from wormhole.__main__ import build_parser
from wormhole.cluster import api
from wormhole.commands.agent import find_namespace
from wormhole.thishost import paths_from

AGENT = "wormhole-agent"


def pod_of(folder: str, *components: str) -> Object:
    found = one(build(folder, *components), "DaemonSet", AGENT)
    return dict(found["spec"]["template"]["spec"])


def containers_of(pod: Object) -> dict[str, Object]:
    return {found["name"]: found for found in (*pod["initContainers"], *pod["containers"])}


EVERYTHING = containers_of(pod_of("gitops", "load-module", "podmonitor", "userspace-wireguard"))


@pytest.mark.parametrize("name", EVERYTHING)
def test_no_container_is_privileged_or_can_become_so(name: str) -> None:
    security = EVERYTHING[name]["securityContext"]
    assert {
        key: security.get(key)
        for key in ("privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem")
    } == {"privileged": None, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
    assert security["capabilities"]["drop"] == ["ALL"]


def test_each_container_has_these_capabilities_and_no_others() -> None:
    assert {
        name: found["securityContext"]["capabilities"].get("add", [])
        for name, found in EVERYTHING.items()
    } == {
        "install-cni": ["DAC_OVERRIDE"],
        "load-module": ["SYS_MODULE"],
        "agent": ["NET_ADMIN", "NET_RAW", "DAC_OVERRIDE"],
        "git-sync": [],
    }


def test_only_the_checkout_runs_as_somebody_else_than_root() -> None:
    assert {name: found["securityContext"]["runAsUser"] for name, found in EVERYTHING.items()} == {
        "install-cni": 0,
        "load-module": 0,
        "agent": 0,
        "git-sync": 65533,
    }


def host_paths(pod: Object) -> dict[str, tuple[str, str]]:
    return {
        volume["name"]: (volume["hostPath"]["path"], volume["hostPath"]["type"])
        for volume in pod["volumes"]
        if "hostPath" in volume
    }


@pytest.mark.parametrize("folder", ["base", "gitops"])
def test_these_places_of_the_host_are_seen_and_no_others(folder: str) -> None:
    assert host_paths(pod_of(folder)) == {
        "data": ("/var/lib/wormhole", "DirectoryOrCreate"),
        "run": ("/run/wormhole", "DirectoryOrCreate"),
        "cni-conf": ("/etc/cni/net.d", "DirectoryOrCreate"),
        "cni-bin": ("/opt/cni/bin", "DirectoryOrCreate"),
        "xtables-lock": ("/run/xtables.lock", "FileOrCreate"),
        "proc-sys-net": ("/proc/sys/net", "Directory"),
    }


@pytest.mark.parametrize("folder", ["base", "gitops"])
def test_what_the_link_in_the_cni_folder_leads_to_is_where_the_host_has_it(folder: str) -> None:
    pod = pod_of(folder)
    [place] = [
        mount["mountPath"]
        for mount in containers_of(pod)["agent"]["volumeMounts"]
        if mount["name"] == "run"
    ]
    assert place == str(Paths().run) == host_paths(pod)["run"][0]


@pytest.mark.parametrize("folder", ["base", "gitops"])
def test_only_its_network_is_the_hosts(folder: str) -> None:
    pod = pod_of(folder)
    assert {key: pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")} == {
        "hostNetwork": True,
        "hostPID": None,
        "hostIPC": None,
    }


def test_masters_out_of_a_secret_are_for_the_agents_eyes() -> None:
    pod = pod_of("gitops", "psk-volume")
    [volume] = [found["secret"] for found in pod["volumes"] if found["name"] == "psk"]
    [mount] = [
        found for found in containers_of(pod)["agent"]["volumeMounts"] if found["name"] == "psk"
    ]
    assert (volume["secretName"], oct(volume["defaultMode"])) == (api.PSK_SECRET, "0o400")
    assert Path(mount["mountPath"]) == paths_from(parse(pod, "agent")).masters


def test_every_volume_is_mounted_and_every_mount_has_one() -> None:
    for pod in (pod_of("base"), pod_of("gitops", "load-module", "userspace-wireguard")):
        mounted = {
            mount["name"]
            for found in containers_of(pod).values()
            for mount in found["volumeMounts"]
        }
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_a_node_that_is_not_ready_gets_an_agent() -> None:
    pod = pod_of("base")
    assert (pod["tolerations"], pod["hostNetwork"], pod["dnsPolicy"], pod["priorityClassName"]) == (
        [{"operator": "Exists"}],
        True,
        "Default",
        "system-node-critical",
    )


def test_an_update_goes_through_the_cluster_bit_by_bit() -> None:
    found = one(build("base"), "DaemonSet", AGENT)["spec"]
    assert found["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": "10%"}
    assert found["selector"]["matchLabels"] == found["template"]["metadata"]["labels"]


def probes_of(pod: Object) -> dict[str, Any]:
    agent = containers_of(pod)["agent"]
    return {name: agent[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}


def test_the_kubelet_asks_where_the_agent_listens() -> None:
    place = {"host": "127.0.0.1", "port": 9807}
    assert probes_of(pod_of("base")) == {
        "startup": place | {"path": "/healthz"},
        "liveness": place | {"path": "/healthz"},
        "readiness": place | {"path": "/readyz"},
    }


def test_who_exports_metrics_is_asked_at_the_same_address() -> None:
    pod = pod_of("base", "podmonitor")
    assert "--listen=$(HOST_IP):9807" in containers_of(pod)["agent"]["args"]
    assert {probe.get("host") for probe in probes_of(pod).values()} == {None}


@pytest.mark.parametrize("name", EVERYTHING)
def test_memory_is_bounded_and_the_processor_is_not(name: str) -> None:
    resources = EVERYTHING[name]["resources"]
    assert {*resources["requests"]} == {"cpu", "memory"}
    assert {*resources["limits"]} == {"memory"}


def test_an_agent_may_use_300_megabytes() -> None:
    assert EVERYTHING["agent"]["resources"]["limits"] == {"memory": "300Mi"}


VALUES = {"NODE_NAME": "node-a", "HOST_IP": "192.0.2.1", "STATE_FOLDER": "state"}


def arguments_of(container: Object) -> list[str]:
    """Return a container's arguments as the kubelet fills them in."""
    names = {found["name"] for found in container.get("env", ())}
    filled = container["args"]
    for name in names & VALUES.keys():
        filled = [argument.replace(f"$({name})", VALUES[name]) for argument in filled]
    return filled


def parse(pod: Object, name: str) -> argparse.Namespace:
    container = containers_of(pod)[name]
    assert container["command"] == ["wormhole"]
    return build_parser().parse_args(arguments_of(container))


@pytest.mark.parametrize(
    ("folder", "components", "origin", "listen"),
    [
        ("base", (), "cluster", "127.0.0.1:9807"),
        ("gitops", (), "/state/current/state", "127.0.0.1:9807"),
        ("base", ("podmonitor",), "cluster", "192.0.2.1:9807"),
        ("gitops", ("podmonitor",), "/state/current/state", "192.0.2.1:9807"),
    ],
)
def test_the_agent_takes_its_arguments(
    folder: str, components: tuple[str, ...], origin: str, listen: str
) -> None:
    parsed = parse(pod_of(folder, *components), "agent")
    assert (parsed.command, parsed.origin, parsed.node, parsed.listen, parsed.namespace) == (
        *("agent", origin, "node-a", listen),
        None,
    )


def test_the_agent_finds_the_secret_in_the_namespace_of_the_manifests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WORMHOLE_NAMESPACE", raising=False)
    daemon_set = one(build("base"), "DaemonSet", AGENT)
    assert find_namespace() == api.NAMESPACE == daemon_set["metadata"]["namespace"]


def test_the_agent_keeps_its_files_on_the_host() -> None:
    pod = pod_of("base")
    parsed = parse(pod, "agent")
    mounts = {
        mount["name"]: Path(mount["mountPath"])
        for mount in containers_of(pod)["agent"]["volumeMounts"]
        if not mount.get("readOnly")
    }
    kept = {"data": parsed.data_dir, "run": parsed.run_dir, "cni-conf": parsed.cni_conf_dir}
    assert {name: mounts[name] for name in kept} == kept


def test_the_plugins_go_where_the_runtime_looks() -> None:
    pod = pod_of("base")
    parsed = parse(pod, "install-cni")
    mounts = {
        Path(mount["mountPath"]): host_paths(pod)[mount["name"]][0]
        for mount in containers_of(pod)["install-cni"]["volumeMounts"]
    }
    assert (mounts[parsed.target], mounts[parsed.cni_conf_dir]) == (
        "/opt/cni/bin",
        "/etc/cni/net.d",
    )


def test_every_name_in_an_argument_is_one_of_the_container() -> None:
    unknown = {
        (name, used)
        for name, container in EVERYTHING.items()
        for argument in container["args"]
        for used in re.findall(r"\$\((\w+)\)", argument)
        if used not in {found["name"] for found in container.get("env", ())}
    }
    assert unknown == set()
