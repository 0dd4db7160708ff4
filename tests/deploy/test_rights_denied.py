"""What an agent's token cannot do, each thing by its name: on a real API server, with the rights
of the shipped manifests. What an administrator asks in the same words is carried out."""

import copy
from collections.abc import Iterator
from dataclasses import replace

import pytest
from admission import judge
from inventories import make_key
from kube.asking import Ask
from kube.rights import Object, Right, read_rights
from kube.server import ADMIN, ApiServer
from manifests import build, one

from schemas.state import API_VERSION
from wormhole.__main__ import run
from wormhole.cluster.api import (
    APPLY,
    EVENTS,
    KUBEADM_CONFIG,
    MERGE_PATCH,
    MESH_NODES,
    MESHES,
    NAMESPACE,
    NODES,
    PSK_SECRET,
    secrets,
)
from wormhole.cluster.connection import connect
from wormhole.psk.epochs import encode_master

BASE = build("base")
POLICIES = build("admission")
RESOURCES = {"Secret": "secrets", "MeshNode": "meshnodes"}
OURS, THEIRS = secrets(NAMESPACE), secrets("kube-system")
PSK = f"{OURS}/{PSK_SECRET}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
SYSTEM = "/api/v1/namespaces/kube-system"
HOME = f"/api/v1/namespaces/{NAMESPACE}"
DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

MINE, OTHER = "rights-a", "rights-b"
"""Two nodes. Which one is an agent's own, RBAC does not know; see ``deploy/admission``."""
AGENT = f"system:serviceaccount:{NAMESPACE}:wormhole-agent"
LABEL = {"metadata": {"labels": {"mischief": "managed"}}}
TO_AGENT = [{"kind": "ServiceAccount", "name": "wormhole-agent", "namespace": NAMESPACE}]


def name(kind: str, called: str, **fields: object) -> Object:
    return {"kind": kind, "metadata": {"name": called}, **fields}


def bind(kind: str, role: str) -> Object:
    group = "rbac.authorization.k8s.io"
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": role}
    return name(kind, "rights-mine", roleRef=reference, subjects=TO_AGENT)


def patch(path: str, body: object = LABEL) -> Ask:
    return Ask("PATCH", path, body, MERGE_PATCH)  # type: ignore[arg-type] # whatever JSON


def pick(query: str) -> str:
    """Return a query that picks by field; ``%3D`` is ``=``, as clients write it."""
    return f"?fieldSelector=metadata.name{query}"


def apply_rule(**rule: object) -> Ask:
    """Ask to apply a role of one's own."""
    role = name("ClusterRole", "wormhole-agent", apiVersion="rbac.authorization.k8s.io/v1")
    path = f"{RBAC}/clusterroles/wormhole-agent?fieldManager=rights&force=true"
    return Ask("PATCH", path, role | {"rules": [rule]}, APPLY)


SECRET = name("Secret", "rights-new")
POD = name("Pod", "rights-new", spec={"containers": [{"name": "a", "image": "a"}]})
EVENT = {
    **name("Event", "rights-new"),
    "involvedObject": {"kind": "Pod", "name": "a", "namespace": NAMESPACE},
}
TOKEN: Object = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {}}
SIGNER = "kubernetes.io/kube-apiserver-client"

DENIED = {
    # Secrets: one by its name, and of that one neither birth nor death.
    "read another Secret beside ours": Ask("GET", f"{OURS}/rights-other"),
    "read a Secret of kube-system": Ask("GET", f"{THEIRS}/rights-other"),
    "read a Secret of our name elsewhere": Ask("GET", f"{THEIRS}/{PSK_SECRET}"),
    "list Secrets": Ask("GET", OURS),
    "list Secrets elsewhere": Ask("GET", THEIRS),
    "list all Secrets": Ask("GET", "/api/v1/secrets"),
    "list our Secret in all namespaces": Ask("GET", f"/api/v1/secrets{pick(f'%3D{PSK_SECRET}')}"),
    "list another Secret by its name": Ask("GET", OURS + pick("%3Drights-other")),
    "list Secrets by another field": Ask("GET", f"{OURS}?fieldSelector=type%3DOpaque"),
    "list all Secrets but ours": Ask("GET", OURS + pick(f"!%3D{PSK_SECRET}")),
    "list Secrets by a label": Ask("GET", f"{OURS}?labelSelector=a"),
    "watch Secrets": Ask("GET", f"{OURS}?watch=true"),
    "watch another Secret": Ask("GET", f"{OURS}{pick('%3Drights-other')}&watch=true"),
    "watch Secrets by the old path": Ask("GET", f"/api/v1/watch/namespaces/{NAMESPACE}/secrets"),
    "create a Secret": Ask("POST", OURS, SECRET),
    "create a Secret elsewhere": Ask("POST", THEIRS, SECRET),
    "change another Secret": patch(f"{OURS}/rights-other"),
    "patch our Secret": patch(PSK),
    "apply our Secret": Ask(
        "PATCH", f"{PSK}?fieldManager=a", name("Secret", PSK_SECRET, apiVersion="v1"), APPLY
    ),
    "delete our Secret": Ask("DELETE", PSK),
    "delete our Secret as a collection": Ask("DELETE", OURS + pick(f"%3D{PSK_SECRET}")),
    "delete Secrets": Ask("DELETE", OURS),
    # Nodes are read, and never written.
    "create a Node": Ask("POST", NODES, name("Node", "rights-new")),
    "patch a Node": patch(f"{NODES}/{MINE}"),
    "replace a Node": Ask("PUT", f"{NODES}/{MINE}", name("Node", MINE)),
    "patch a Node's status": patch(f"{NODES}/{MINE}/status"),
    "delete a Node": Ask("DELETE", f"{NODES}/{MINE}"),
    "reach a kubelet": Ask("GET", f"{NODES}/{MINE}/proxy/pods"),
    "evict from a Node by taint": patch(f"{NODES}/{MINE}", {"spec": {"unschedulable": True}}),
    # The Mesh is the operators'.
    "create a Mesh": Ask(
        "POST", MESHES, name("Mesh", "rights-new", apiVersion=API_VERSION, spec={})
    ),
    "patch the Mesh": patch(f"{MESHES}/rights"),
    "switch the Mesh's epoch": patch(f"{MESHES}/rights", {"spec": {"presharedKeyEpoch": "x"}}),
    "delete the Mesh": Ask("DELETE", f"{MESHES}/rights"),
    "delete all Meshes": Ask("DELETE", MESHES),
    # MeshNodes are written, and go with their Node.
    "delete its MeshNode": Ask("DELETE", f"{MESH_NODES}/{MINE}"),
    "delete another's MeshNode": Ask("DELETE", f"{MESH_NODES}/{OTHER}"),
    "delete all MeshNodes": Ask("DELETE", MESH_NODES),
    # Everything else there is.
    "read another ConfigMap of kube-system": Ask("GET", f"{SYSTEM}/configmaps/rights-other"),
    "list ConfigMaps of kube-system": Ask("GET", f"{SYSTEM}/configmaps"),
    "list kubeadm's ConfigMap": Ask("GET", f"{SYSTEM}/configmaps{pick('%3Dkubeadm-config')}"),
    "change kubeadm's ConfigMap": patch(KUBEADM_CONFIG),
    "list ConfigMaps beside ours": Ask("GET", f"{HOME}/configmaps"),
    "list pods": Ask("GET", f"{HOME}/pods"),
    "list all pods": Ask("GET", "/api/v1/pods"),
    "read a pod": Ask("GET", f"{HOME}/pods/rights-other"),
    "create a pod": Ask("POST", f"{HOME}/pods", POD),
    "create a pod elsewhere": Ask("POST", f"{SYSTEM}/pods", POD),
    "delete a pod": Ask("DELETE", f"{HOME}/pods/rights-other"),
    "run a command in a pod": Ask("POST", f"{HOME}/pods/rights-other/exec?command=id&stdout=1"),
    "change its DaemonSet": patch(f"{DAEMON_SETS}/wormhole-agent"),
    "list namespaces": Ask("GET", "/api/v1/namespaces"),
    "delete its namespace": Ask("DELETE", f"/api/v1/namespaces/{NAMESPACE}"),
    "list Events": Ask("GET", EVENTS),
    "tell an Event in kube-system": Ask(
        "POST", f"{SYSTEM}/events", EVENT | {"involvedObject": {"namespace": "kube-system"}}
    ),
    "tell an Event beside ours": Ask("POST", f"{HOME}/events", EVENT),
    "delete Events": Ask("DELETE", EVENTS),
    "change a schema": patch(f"{CRDS}/meshnodes.wormhole.dev"),
    "delete a schema": Ask("DELETE", f"{CRDS}/meshnodes.wormhole.dev"),
    "put a webhook before the API": Ask(
        "POST", WEBHOOKS, name("ValidatingWebhookConfiguration", "rights-new", webhooks=[])
    ),
    # Ways to more rights.
    "read its role": Ask("GET", f"{RBAC}/clusterroles/wormhole-agent"),
    "widen its role": apply_rule(apiGroups=["*"], resources=["*"], verbs=["*"]),
    "apply its role as it is": apply_rule(
        apiGroups=["wormhole.dev"], resources=["meshes"], verbs=["list"]
    ),
    "widen its role for the Secret": patch(
        f"{RBAC}/namespaces/{NAMESPACE}/roles/wormhole-agent-psk"
    ),
    "bind itself to cluster-admin": Ask(
        "POST", f"{RBAC}/clusterrolebindings", bind("ClusterRoleBinding", "cluster-admin")
    ),
    "bind itself to admin at home": Ask(
        "POST", f"{RBAC}/namespaces/{NAMESPACE}/rolebindings", bind("RoleBinding", "admin")
    ),
    "bind itself to what it has": Ask(
        "POST", f"{RBAC}/clusterrolebindings", bind("ClusterRoleBinding", "wormhole-agent")
    ),
    "be an administrator": Ask(
        "GET", THEIRS, headers={"Impersonate-User": ADMIN, "Impersonate-Group": "system:masters"}
    ),
    "be another account": Ask(
        "GET", "/api", headers={"Impersonate-User": f"system:serviceaccount:{NAMESPACE}:default"}
    ),
    "be itself, in another group": Ask(
        "GET", NODES, headers={"Impersonate-User": AGENT, "Impersonate-Group": "system:masters"}
    ),
    "be a node": Ask("GET", "/api", headers={"Impersonate-User": f"system:node:{MINE}"}),
    "get a token of its own account": Ask(
        "POST", f"{HOME}/serviceaccounts/wormhole-agent/token", TOKEN
    ),
    "get a token of another account": Ask(
        "POST", f"{SYSTEM}/serviceaccounts/rights-other/token", TOKEN
    ),
    "create an account": Ask(
        "POST", f"{HOME}/serviceaccounts", name("ServiceAccount", "rights-new")
    ),
    "have a token examined": Ask("POST", REVIEWS, {"kind": "TokenReview", "spec": {"token": "x"}}),
    "have a certificate signed": Ask("GET", CSRS),
}
EXEMPT = {"reach a kubelet", "run a command in a pod"}
"""What nobody answers here, since there is no kubelet: an administrator gets as far as that."""


@pytest.fixture(scope="module")
def furnished(installed: ApiServer) -> Iterator[ApiServer]:
    """Return the server with something in each place at which an agent might grasp."""
    spec = {"publicKey": make_key(OTHER)}
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    objects = [
        *(place(secret("rights-other"), where) for where in (NAMESPACE, "kube-system")),
        place(secret(PSK_SECRET), "kube-system"),
        place(account | name("ServiceAccount", "rights-other"), "kube-system"),
        place({"apiVersion": "v1"} | name("ConfigMap", "rights-other"), "kube-system"),
        place({"apiVersion": "v1"} | name("ConfigMap", "kubeadm-config"), "kube-system"),
        place({"apiVersion": "v1"} | POD | name("Pod", "rights-other"), NAMESPACE),
        *({"apiVersion": "v1"} | name("Node", called) for called in (MINE, OTHER)),
        *(
            {"apiVersion": API_VERSION} | name("MeshNode", called, spec=spec)
            for called in (MINE, OTHER)
        ),
        {"apiVersion": API_VERSION} | name("Mesh", "rights", spec={"presharedKeyEpoch": "2026-11"}),
    ]
    installed.apply(*objects)
    yield installed
    for found in objects:
        installed.delete(installed.path(found))


def secret(called: str) -> Object:
    return {"apiVersion": "v1"} | name("Secret", called)


def place(document: Object, namespace: str) -> Object:
    return document | {"metadata": document["metadata"] | {"namespace": namespace}}


@pytest.fixture(scope="module")
def token(furnished: ApiServer) -> str:
    """Return a token of the agent's account."""
    return furnished.token(NAMESPACE, "wormhole-agent")


@pytest.mark.parametrize("what", DENIED)
def test_an_agent_cannot(furnished: ApiServer, token: str, what: str) -> None:
    answer = DENIED[what].send(furnished, token)
    assert (answer.status, f'User "{AGENT}" cannot' in answer.message) == (403, True), answer


@pytest.mark.parametrize("what", DENIED)
def test_an_administrator_can(furnished: ApiServer, what: str) -> None:
    """Or the refusal above would prove nothing: there might be no such thing."""
    answer = DENIED[what].send(furnished, furnished._tokens[ADMIN], dry=True)
    if what in EXEMPT:
        assert answer.status not in (401, 403, 404, 405), answer
    else:
        assert answer.status in range(200, 300), answer


def rules_of(server: ApiServer, token: str, namespace: str) -> set[Right]:
    """Return every right that the server knows of who asks, in a namespace and everywhere."""
    review = {"kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    status = connect(server.kubeconfig_for(token, NAMESPACE)).create(path, review)["status"]
    assert not status["incomplete"]
    roles = [{"metadata": {}, "rules": status["resourceRules"]}]
    return set(read_rights(roles))


@pytest.mark.parametrize("namespace", ["default", "kube-system", NAMESPACE, "kube-public"])
def test_an_agent_has_the_rights_of_the_manifests_beside_what_all_have(
    furnished: ApiServer, namespace: str
) -> None:
    nobody = place({"apiVersion": "v1"} | name("ServiceAccount", "rights-nobody"), NAMESPACE)
    furnished.apply(nobody)
    given = {
        replace(right, namespace="")
        for right in read_rights(BASE)
        if right.namespace in ("", namespace)
    }
    common = rules_of(furnished, "rights-nobody", namespace)
    assert rules_of(furnished, "wormhole-agent", namespace) - common == given
    assert {right.resource for right in common} == {
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
    }
    furnished.delete(furnished.path(nobody))


def test_an_agent_cannot_rotate_the_keys(
    furnished: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may add a master, as for the Mesh's epoch; which one is used, operators say."""
    kubeconfig = furnished.kubeconfig_for("wormhole-agent")
    before = copy.deepcopy(furnished.admin.get(f"{MESHES}/rights"))
    code = run(
        (
            *("psk", "rotate", "--epoch", "2026-12", "--kubeconfig", str(kubeconfig)),
            *("--without", MINE, OTHER),
        )
    )
    said = capsys.readouterr()
    assert code != 0
    assert 'cannot patch resource "meshes" in API group "wormhole.dev"' in said.err
    assert furnished.admin.get(f"{MESHES}/rights") == before
    furnished.admin.patch(PSK, {"data": None}, MERGE_PATCH)


def judge_update(policy: str, group: str, before: Object, after: Object) -> list[str]:
    """Return what an admission policy has against an agent's change of an object."""
    metadata = before["metadata"]
    request = {
        "operation": "UPDATE",
        "resource": {"group": group, "version": "v1", "resource": RESOURCES[before["kind"]]},
        "subResource": "",
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
        "userInfo": {
            "username": AGENT,
            "extra": {"authentication.kubernetes.io/node-name": [MINE]},
        },
        "oldObject": before,
        "object": after,
    }
    return judge(one(POLICIES, "ValidatingAdmissionPolicy", policy), request)


def test_what_rbac_cannot_deny_the_policies_do(furnished: ApiServer) -> None:
    """All agents have one account, and who may update a Secret may empty it."""
    agent = connect(furnished.kubeconfig_for("wormhole-agent"))
    furnished.admin.patch(PSK, {"data": {"2026-11": encode_master(bytes(range(32)))}}, MERGE_PATCH)
    full = agent.get(PSK)
    empty = agent.request("PUT", PSK, {"dryRun": "All"}, full | {"data": {}})
    assert judge_update("wormhole-psk", "", full, empty) == [
        "an agent removes no entry of the Secret wormhole-psk"
    ]
    furnished.admin.patch(PSK, {"data": None}, MERGE_PATCH)

    theirs = furnished.admin.get(f"{MESH_NODES}/{OTHER}")
    change = {"spec": {"publicKey": make_key(MINE)}}
    path, query = f"{MESH_NODES}/{OTHER}", {"dryRun": "All"}
    changed = agent.patch(path, change, MERGE_PATCH, query)
    assert judge_update("wormhole-own-meshnode", "wormhole.dev", theirs, changed) == [
        f"an agent writes only its own MeshNode: {MINE}, not {OTHER}"
    ]
