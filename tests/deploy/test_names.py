"""What the manifests call things is what the program calls them."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manifests import Object, build, one, read

from wormhole.cluster import api

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
ACCOUNT = "wormhole-agent"
BASE = build("base")
EVERYTHING = [
    *build("base", "host-pids", "load-module", "podmonitor", "userspace-wireguard"),
    *build("gitops", "psk-volume"),
    *build("admission"),
]


def test_namespace_and_secret_are_the_ones_that_agents_look_for() -> None:
    [namespace] = [found for found in BASE if found["kind"] == "Namespace"]
    secret = one(BASE, "Secret", api.PSK_SECRET)
    assert (namespace["metadata"]["name"], secret["metadata"]["namespace"]) == (
        api.NAMESPACE,
        api.NAMESPACE,
    )


def test_the_secret_is_shipped_empty_and_takes_entries() -> None:
    secret = one(BASE, "Secret", api.PSK_SECRET)
    assert (secret["immutable"], {"data", "stringData"} & secret.keys()) == (False, set())


def test_definitions_are_served_where_agents_ask() -> None:
    paths = {
        f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
        for found in BASE
        if found["kind"] == "CustomResourceDefinition"
        for spec in [found["spec"]]
        for version in spec["versions"]
    }
    assert paths == {api.MESHES, api.MESH_NODES}


def granted() -> set[tuple[str, str, str, str, str]]:
    """Return namespace ("" for all), group, resource, name ("" for all) and verb of each right."""
    rights = set()
    for found in BASE:
        for rule in found.get("rules", ()):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for name in rule.get("resourceNames", [""]):
                        for verb in rule["verbs"]:
                            place = found["metadata"].get("namespace", "")
                            rights.add((place, group, resource, name, verb))
    return rights


def test_the_rights_are_these_and_no_others() -> None:
    group = "wormhole.dev"
    assert granted() == {
        *(("", group, "meshes", "", verb) for verb in ("list", "watch")),
        *(("", group, "meshnodes", "", verb) for verb in ("list", "watch", "create", "patch")),
        ("", group, "meshnodes/status", "", "patch"),
        *(("", "", "nodes", "", verb) for verb in ("list", "watch")),
        *(
            (api.NAMESPACE, "", "secrets", api.PSK_SECRET, verb)
            for verb in ("get", "list", "watch", "update")
        ),
        ("kube-system", "", "configmaps", "kubeadm-config", "get"),
        ("default", "", "events", "", "create"),
    }


def test_rights_lie_where_agents_ask() -> None:
    places = {(place, resource) for place, _, resource, _, _ in granted() if place}
    assert {(place, f"/api/v1/namespaces/{place}/{resource}") for place, resource in places} == {
        (api.NAMESPACE, api.secrets(api.NAMESPACE)),
        ("default", api.EVENTS),
        ("kube-system", api.KUBEADM_CONFIG.rpartition("/")[0]),
    }


def test_each_role_is_bound_to_the_agent_and_to_nobody_else() -> None:
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": api.NAMESPACE}
    bindings = [found for found in BASE if found["kind"].endswith("Binding")]
    roles = [found for found in BASE if found["kind"] in ("Role", "ClusterRole")]
    assert {
        (found["roleRef"]["kind"], found["metadata"].get("namespace"), found["roleRef"]["name"])
        for found in bindings
    } == {
        (found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"])
        for found in roles
    }
    assert [found["subjects"] for found in bindings] == [[subject]] * len(roles)


def test_policies_are_about_the_agents_account() -> None:
    user = f"system:serviceaccount:{api.NAMESPACE}:{ACCOUNT}"
    policies = [found for found in EVERYTHING if found["kind"] == "ValidatingAdmissionPolicy"]
    assert [
        condition["expression"]
        for found in policies
        for condition in found["spec"]["matchConditions"]
    ] == [f"request.userInfo.username == '{user}'"] * 3


def test_each_policy_is_bound_and_denies() -> None:
    names = {
        found["metadata"]["name"]
        for found in EVERYTHING
        if found["kind"] == "ValidatingAdmissionPolicy"
    }
    bound = {
        found["spec"]["policyName"]: found["spec"]["validationActions"]
        for found in EVERYTHING
        if found["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    assert bound == {name: ["Deny"] for name in names}


def values_of(key: str, value: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever YAML holds
    """Yield each value of that key, at any depth."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name == key:
                yield each
            else:
                yield from values_of(key, each)
    elif isinstance(value, list):
        for each in value:
            yield from values_of(key, each)


def test_every_image_is_pinned_and_ours_is_this_version() -> None:
    images = {*values_of("image", EVERYTHING)}
    ours = {name for name in images if name.startswith("wormhole-mesh")}
    assert ours == {f"wormhole-mesh:{VERSION}"}
    for image in images - ours:
        assert re.fullmatch(
            r"[a-z0-9.-]+(/[a-z0-9-]+)+:v\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", image
        )


def test_the_example_is_a_mesh_of_this_version() -> None:
    [mesh] = read(ROOT / "deploy" / "mesh.example.yaml")
    assert (mesh["apiVersion"], mesh["kind"]) == ("wormhole.dev/v1alpha1", "Mesh")


def agent_of(objects: list[Object]) -> Object:
    return dict(one(objects, "DaemonSet", ACCOUNT)["spec"]["template"]["spec"])


def test_an_agent_that_follows_git_has_neither_token_nor_rights() -> None:
    objects = build("gitops")
    kinds = {found["kind"] for found in objects}
    assert kinds == {"Namespace", "ServiceAccount", "DaemonSet", "ConfigMap"}
    account = one(objects, "ServiceAccount", ACCOUNT)
    assert (
        agent_of(objects)["automountServiceAccountToken"],
        account["automountServiceAccountToken"],
    ) == (False, False)
