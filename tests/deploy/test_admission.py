"""An agent writes its own MeshNode, adds entries to the Secret, and nothing else."""

from typing import Any

import pytest
from admission import judge
from manifests import Object, build, one

from schemas.state import API_VERSION
from wormhole.cluster.api import NAMESPACE, PSK_SECRET

AGENT = f"system:serviceaccount:{NAMESPACE}:wormhole-agent"
NODE_NAME = "authentication.kubernetes.io/node-name"
POLICIES = build("admission")
OWN_NODE = one(POLICIES, "ValidatingAdmissionPolicy", "wormhole-own-meshnode")
PSK = one(POLICIES, "ValidatingAdmissionPolicy", "wormhole-psk")
EPOCH = one(POLICIES, "ValidatingAdmissionPolicy", "wormhole-psk-epoch")


def user(node: str | None = "node-a", name: str = AGENT) -> Object:
    """Return the user as the API server sees who brings a pod's token."""
    extra = {"authentication.kubernetes.io/pod-name": ["wormhole-agent-x7k2p"]}
    if node is not None:
        extra[NODE_NAME] = [node]
    return {"username": name, "uid": "1", "groups": ["system:serviceaccounts"], "extra": extra}


def about_node(operation: str, name: str, who: Object, part: str = "") -> Object:
    found = {"metadata": {"name": name}, "spec": {"publicKey": "x"}}
    return {
        "operation": operation,
        "resource": {"group": "wormhole.dev", "version": "v1alpha1", "resource": "meshnodes"},
        "subResource": part,
        "name": name,
        "namespace": "",
        "userInfo": who,
        "object": None if operation == "DELETE" else found,
        "oldObject": None if operation == "CREATE" else found,
    }


WRITES = [("CREATE", ""), ("UPDATE", ""), ("DELETE", ""), ("UPDATE", "status")]
NO_NODE = "this token names no node; an agent's token is the one that the kubelet puts into its pod"


@pytest.mark.parametrize(("operation", "part"), WRITES)
def test_an_agent_writes_its_own_node(operation: str, part: str) -> None:
    assert judge(OWN_NODE, about_node(operation, "node-a", user(), part)) == []


@pytest.mark.parametrize("name", ["node-b", "node-a.example", "node-", "a"])
@pytest.mark.parametrize(("operation", "part"), WRITES)
def test_an_agent_writes_no_other_node(operation: str, part: str, name: str) -> None:
    assert judge(OWN_NODE, about_node(operation, name, user(), part)) == [
        f"an agent writes only its own MeshNode: node-a, not {name}"
    ]


@pytest.mark.parametrize(("operation", "part"), WRITES)
@pytest.mark.parametrize(
    "who",
    [
        user(node=None),
        {key: value for key, value in user().items() if key != "extra"},
        user() | {"extra": {NODE_NAME: []}},
    ],
    ids=["pod without node", "no extra", "empty"],
)
def test_a_token_without_a_node_writes_none(who: Object, operation: str, part: str) -> None:
    assert judge(OWN_NODE, about_node(operation, "node-a", who, part)) == [NO_NODE]


@pytest.mark.parametrize(("operation", "part"), WRITES)
@pytest.mark.parametrize(
    "name",
    [
        "kubernetes-admin",
        "system:serviceaccount:default:wormhole-agent",
        f"{AGENT}-2",
        "system:admin",
    ],
)
def test_whoever_else_may_write_is_not_held_up(name: str, operation: str, part: str) -> None:
    who = user(node=None, name=name)
    assert judge(OWN_NODE, about_node(operation, "node-b", who, part)) == []


def about_secret(
    before: Object, after: Object | None, who: Object | None = None, name: str = PSK_SECRET
) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {
        "operation": "DELETE" if after is None else "UPDATE",
        "resource": {"group": "", "version": "v1", "resource": "secrets"},
        "subResource": "",
        "name": name,
        "namespace": NAMESPACE,
        "userInfo": user() if who is None else who,
        "object": None if after is None else {"metadata": metadata, **after},
        "oldObject": {"metadata": metadata, **before},
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"data": {"1": "bWFzdGVy"}}),
        ({"data": {}}, {"data": {"1": "bWFzdGVy"}}),
        ({"data": {"1": "bQ=="}}, {"data": {"1": "bQ==", "2026-11": "bg=="}}),
        ({"data": {"1": "bQ=="}}, {"data": {"1": "bQ=="}}),
        ({"immutable": False}, {"immutable": False, "data": {"1": "bQ=="}}),
        ({}, {}),
    ],
)
def test_an_agent_adds_entries(before: Object, after: Object) -> None:
    assert judge(PSK, about_secret(before, after)) == []


REMOVED = "an agent removes no entry of the Secret wormhole-psk"
CHANGED = "an agent changes no entry of the Secret wormhole-psk that is there already"
DELETED = "an agent does not delete the Secret wormhole-psk"
IMMUTABLE = "an agent does not make the Secret wormhole-psk immutable"
OWNED = "an agent gives the Secret wormhole-psk no owner, with whom it would be deleted"
ENTRY: dict[str, Any] = {"data": {"1": "bQ=="}}


@pytest.mark.parametrize(
    ("after", "messages"),
    [
        ({"data": {"1": "bg=="}}, [CHANGED]),
        ({"data": {"1": ""}}, [CHANGED]),
        ({"data": {"2": "bQ=="}}, [REMOVED]),
        ({"data": {"1": "bg==", "2": "bQ=="}}, [CHANGED]),
        ({"data": {}}, [REMOVED]),
        ({}, [REMOVED]),
        (None, [DELETED, REMOVED]),
        (ENTRY | {"immutable": True}, [IMMUTABLE]),
    ],
)
def test_an_agent_changes_no_entry(after: Object | None, messages: list[str]) -> None:
    assert judge(PSK, about_secret(ENTRY, after)) == messages


def owned(document: Object, *owners: str) -> Object:
    references = [{"kind": "Node", "name": name, "uid": name} for name in owners]
    metadata = {"name": PSK_SECRET, "namespace": NAMESPACE, "ownerReferences": references}
    return document | {"metadata": metadata}


def test_an_agent_has_the_secret_collected_by_nobody() -> None:
    assert judge(PSK, about_secret(ENTRY, owned(ENTRY, "node-a"))) == [OWNED]
    assert judge(PSK, about_secret(owned(ENTRY, "an-app"), owned(ENTRY, "node-a"))) == [OWNED]
    assert judge(PSK, about_secret(owned(ENTRY, "an-app"), owned(ENTRY, "an-app"))) == []


ALTERED = "an agent changes no label, annotation or finalizer of the Secret wormhole-psk"


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("annotations", {}, {"wormhole.dev/rotating-to": "2099-12-31"}),
        ("annotations", {"wormhole.dev/rotating-to": "1"}, {"wormhole.dev/rotating-to": "2"}),
        ("annotations", {"wormhole.dev/rotating-to": "1"}, {}),
        ("labels", {}, {"argocd.argoproj.io/instance": "x"}),
        ("labels", {"a": "b"}, None),
        ("finalizers", None, ["example.org/never"]),
        ("finalizers", ["example.org/backup"], []),
    ],
)
def test_an_agent_notes_no_rotation_and_hangs_nothing_on_the_secret(
    field: str, before: object, after: object
) -> None:
    assert judge(PSK, about_secret(with_metadata(field, before), with_metadata(field, after))) == [
        ALTERED
    ]
    admin = user(node=None, name="kubernetes-admin")
    same = about_secret(with_metadata(field, before), with_metadata(field, before))
    operators = about_secret(with_metadata(field, before), with_metadata(field, after), admin)
    assert [judge(PSK, each) for each in (same, operators)] == [[], []]


def with_metadata(field: str, value: object) -> Object:
    metadata = {"name": PSK_SECRET, "namespace": NAMESPACE}
    return ENTRY | {"metadata": metadata | ({} if value is None else {field: value})}


def entries(*epochs: str) -> Object:
    return {"data": dict.fromkeys(epochs, "bQ==")}


def test_an_agent_adds_one_entry_at_a_time_and_no_flood() -> None:
    several = "an agent adds one entry to the Secret wormhole-psk at a time"
    full = (
        "the Secret wormhole-psk has 8 entries, and an agent adds no more: remove some, or run"
        " wormhole psk rotate"
    )
    eight, nine = (entries(*map(str, range(count))) for count in (8, 9))
    assert judge(PSK, about_secret(entries("1"), entries("1", "2", "3"))) == [several]
    assert judge(PSK, about_secret(entries(*map(str, range(7))), eight)) == []
    assert judge(PSK, about_secret(eight, nine)) == [full]
    assert judge(PSK, about_secret(nine, nine)) == []


def mesh(**spec: str) -> Object:
    return {"metadata": {"name": "demo"}, "spec": spec}


def test_an_agent_adds_no_entry_but_that_which_the_mesh_names() -> None:
    refused = "an agent adds the entry that the Mesh names to the Secret wormhole-psk, and no other"
    added = about_secret(entries("2026-11"), entries("2026-11", "2099-12-31"))
    assert judge(EPOCH, added, mesh(presharedKeyEpoch="2026-11")) == [refused]
    assert judge(EPOCH, added, mesh()) == [refused]
    assert judge(EPOCH, added, {"metadata": {"name": "demo"}}) == [refused]
    assert judge(EPOCH, added, mesh(presharedKeyEpoch="2099-12-31")) == []
    both = about_secret({}, entries("2026-11", "2099-12-31"))
    assert judge(EPOCH, both, mesh(presharedKeyEpoch="2026-11")) == [refused]
    same = about_secret(entries("1", "2"), entries("1", "2"))
    assert judge(EPOCH, same, mesh()) == []


def test_an_operator_adds_the_entry_before_the_mesh_names_it() -> None:
    admin = user(node=None, name="kubernetes-admin")
    added = about_secret(entries("2026-11"), entries("2026-11", "2026-12"), admin)
    assert judge(EPOCH, added, mesh(presharedKeyEpoch="2026-11")) == []


def test_the_mesh_is_asked_and_without_one_nobody_is_locked_out() -> None:
    """What a binding does without an object of the kind, it does to everybody, operators too."""
    assert EPOCH["spec"]["paramKind"] == {"apiVersion": API_VERSION, "kind": "Mesh"}
    binding = one(POLICIES, "ValidatingAdmissionPolicyBinding", "wormhole-psk-epoch")
    assert binding["spec"]["paramRef"] == {"selector": {}, "parameterNotFoundAction": "Allow"}
    # While the kind is not known, every request that the policy is about is refused, to everybody:
    # so a namespace can be deleted after the definitions.
    assert EPOCH["spec"]["matchConstraints"]["resourceRules"][0]["operations"] == ["UPDATE"]


def test_every_policy_is_bound_and_denies() -> None:
    policies = {
        found["metadata"]["name"]
        for found in POLICIES
        if found["kind"] == "ValidatingAdmissionPolicy"
    }
    bindings = {
        found["spec"]["policyName"]: found["spec"]["validationActions"]
        for found in POLICIES
        if found["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    assert bindings == {policy: ["Deny"] for policy in policies}


def test_an_operator_rotates_and_other_secrets_are_other_peoples() -> None:
    admin = user(node=None, name="kubernetes-admin")
    assert judge(PSK, about_secret(ENTRY, {"data": {"2": "bQ=="}}, admin)) == []
    assert judge(PSK, about_secret(ENTRY, None, admin)) == []
    assert judge(PSK, about_secret(ENTRY, {"data": {}}, name="another")) == []


def test_whatever_cannot_be_evaluated_is_refused() -> None:
    assert {found["spec"]["failurePolicy"] for found in (OWN_NODE, PSK, EPOCH)} == {"Fail"}


def test_the_secret_is_looked_for_where_it_is() -> None:
    for policy in (PSK, EPOCH):
        constraints = policy["spec"]["matchConstraints"]
        labels = constraints["namespaceSelector"]["matchLabels"]
        assert labels == {"kubernetes.io/metadata.name": NAMESPACE}
        assert constraints["resourceRules"][0]["resourceNames"] == [PSK_SECRET]


def test_every_write_that_the_agent_is_granted_is_judged() -> None:
    """A right to write that no policy narrows has to be written here, with its reason."""
    writes = {
        (group, resource)
        for found in build("base")
        for rule in found.get("rules", ())
        if {*rule["verbs"]} - {"get", "list", "watch"}
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    judged = {
        (group, resource)
        for found in (OWN_NODE, PSK)
        for rule in found["spec"]["matchConstraints"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    # Events expire within the hour, and only tell.
    assert writes - judged == {("", "events")}
