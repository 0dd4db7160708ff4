"""Publishing on a real API server, with the shipped definitions and the agent's own rights."""

from collections.abc import Iterator, Mapping

import pytest
from kube.server import ApiServer

from schemas.values import PublicKey
from wormhole.agent.publishing.publisher import Published, Publisher
from wormhole.cluster.api import MERGE_PATCH, MESH_NODES, NODES, Object
from wormhole.cluster.connection import Connection, connect
from wormhole.cluster.errors import ApiError

KEY = PublicKey("X+zrZv/IbzjZUnhsbWlsecLbwjndTpG0ZynXOif7V+k=")
OTHER = PublicKey("mGwL0EHlNYyVGMs9ycC3BiX0MIFQNjCUPVSHfUO1OWQ=")
PATH = f"{MESH_NODES}/node-a"
EDIT = {"fieldManager": "kubectl-edit"}


class Agent:
    """What publishes, with a count of its requests."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.connection: Connection = connect(server.kubeconfig_for("wormhole-agent"))
        self.requests = 0
        self.publisher = Publisher(self, "node-a")  # type: ignore[arg-type] # it only patches

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str]) -> Object:
        self.requests += 1
        return self.connection.patch(path, body, kind, query)

    def publish(self, key: PublicKey = KEY) -> Published:
        """Publish as the loop does: with what the API has at this moment."""
        before = self.requests
        came = self.publisher.publish(self.find(PATH), self.find(f"{NODES}/node-a"), key)
        assert came.changed <= (self.requests > before)
        return came

    def find(self, path: str) -> Object | None:
        try:
            return self.server.admin.get(path)
        except ApiError as error:
            if error.missing:
                return None
            raise

    def edit(self, **spec: object) -> None:
        """Change the MeshNode as an operator does."""
        self.server.admin.patch(PATH, {"spec": spec}, MERGE_PATCH, EDIT)

    @property
    def spec(self) -> Object:
        found: Object = self.server.admin.get(PATH)["spec"]
        return found


@pytest.fixture
def agent(shipped: ApiServer) -> Iterator[Agent]:
    make_node(shipped)
    agent = Agent(shipped)
    yield agent
    for path in (PATH, f"{NODES}/node-a"):
        shipped.delete(path)


def make_node(server: ApiServer) -> str:
    """Make the Node; return its uid."""
    spec = {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}, "spec": spec}
    uid: str = server.admin.create(NODES, node)["metadata"]["uid"]
    status = {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}
    server.admin.patch(f"{NODES}/node-a/status", {"status": status}, MERGE_PATCH)
    return uid


def test_a_node_is_published_once_with_its_node_as_owner(agent: Agent) -> None:
    came = agent.publish()
    assert (came.changed, agent.requests, came.remarks) == (True, 1, ())
    found = agent.server.admin.get(PATH)
    assert found["spec"] == {
        "publicKey": KEY,
        "endpoint": "192.0.2.1",
        "podCIDRs": ["10.244.1.0/24"],
    }
    (owner,) = found["metadata"]["ownerReferences"]
    node = agent.server.admin.get(f"{NODES}/node-a")
    assert owner == {
        "apiVersion": "v1",
        "kind": "Node",
        "name": "node-a",
        "uid": node["metadata"]["uid"],
    }
    assert [each["manager"] for each in found["metadata"]["managedFields"]] == ["wormhole-agent"]
    assert (agent.publish(), agent.requests) == (Published(), 1)


def test_an_operators_endpoint_wins_until_it_goes(agent: Agent) -> None:
    agent.publish()
    agent.edit(endpoint="203.0.113.7")
    came = agent.publish()
    assert came.yielded == ("spec.endpoint",)
    assert came.remarks == (
        'spec.endpoint belongs to "kubectl-edit": 203.0.113.7 stays, not 192.0.2.1',
    )
    assert agent.spec["endpoint"] == "203.0.113.7"
    requests = agent.requests
    assert (agent.publish(), agent.requests) == (Published(), requests)

    agent.edit(endpoint=None)
    assert agent.publish().fields == ("spec.endpoint",)
    assert agent.spec["endpoint"] == "192.0.2.1"


def test_beside_an_operators_endpoint_a_new_key_goes_through(agent: Agent) -> None:
    agent.publish()
    agent.edit(endpoint="203.0.113.7")
    came = agent.publish(OTHER)
    assert (came.fields, came.yielded) == (("spec.publicKey",), ("spec.endpoint",))
    assert (agent.spec["endpoint"], agent.spec["publicKey"]) == ("203.0.113.7", OTHER)


def test_a_restarted_agent_yields_again_and_writes_nothing(agent: Agent) -> None:
    agent.publish()
    agent.edit(endpoint="203.0.113.7")
    agent.publish()
    before = agent.server.admin.get(PATH)
    again = Agent(agent.server)
    came = again.publish()
    assert (came.changed, came.yielded, again.requests) == (False, ("spec.endpoint",), 1)
    assert agent.server.admin.get(PATH) == before


def test_a_key_that_another_wrote_is_taken_back(agent: Agent) -> None:
    agent.publish()
    agent.edit(publicKey=OTHER)
    came = agent.publish()
    assert came.forced == ("spec.publicKey",)
    assert came.remarks == (
        "spec.publicKey was \"kubectl-edit\"'s: taken back, it is this node's own",
    )
    assert agent.spec["publicKey"] == KEY
    assert agent.publish() == Published()


def test_of_a_meshnode_written_by_hand_only_the_key_and_the_owner_are_ours(agent: Agent) -> None:
    spec = {
        "publicKey": OTHER,
        "endpoint": "203.0.113.7:51000",
        "podCIDRs": ["10.244.9.0/24"],
        "persistentKeepalive": 25,
    }
    api_version = "wormhole.dev/v1alpha1"
    body = {"apiVersion": api_version, "kind": "MeshNode", "metadata": {"name": "node-a"}}
    agent.server.admin.create(MESH_NODES, body | {"spec": spec})
    came = agent.publish()
    assert came.forced == ("spec.publicKey",)
    assert came.yielded == ("spec.endpoint", "spec.podCIDRs")
    assert agent.spec == spec | {"publicKey": KEY}
    assert len(agent.server.admin.get(PATH)["metadata"]["ownerReferences"]) == 1
    assert agent.requests == 2
    assert (agent.publish(), agent.requests) == (Published(), 2)


def test_a_node_made_again_takes_its_meshnode_over(agent: Agent) -> None:
    agent.publish()
    agent.server.delete(f"{NODES}/node-a")
    uid = make_node(agent.server)
    assert agent.publish().fields == ("metadata.ownerReferences",)
    owners = agent.server.admin.get(PATH)["metadata"]["ownerReferences"]
    assert [owner["uid"] for owner in owners] == [uid]
    assert agent.publish() == Published()


def test_owners_that_others_added_stay(agent: Agent) -> None:
    agent.publish()
    found = agent.server.admin.get(PATH)["metadata"]["ownerReferences"]
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u-x"}
    patch = {"metadata": {"ownerReferences": [*found, extra]}}
    agent.server.admin.patch(PATH, patch, MERGE_PATCH, EDIT)
    assert agent.publish() == Published()
    agent.publish(OTHER)
    owners = agent.server.admin.get(PATH)["metadata"]["ownerReferences"]
    assert sorted(owner["kind"] for owner in owners) == ["ConfigMap", "Node"]


def test_an_owner_that_another_spoilt_is_mended(agent: Agent) -> None:
    agent.publish()
    (owner,) = agent.server.admin.get(PATH)["metadata"]["ownerReferences"]
    patch = {"metadata": {"ownerReferences": [owner | {"name": "node-z"}]}}
    agent.server.admin.patch(PATH, patch, MERGE_PATCH, EDIT)
    came = agent.publish()
    assert came.fields == ("metadata.ownerReferences",)
    assert agent.server.admin.get(PATH)["metadata"]["ownerReferences"] == [owner]


def test_owners_that_another_removed_come_back(agent: Agent) -> None:
    agent.publish()
    agent.server.admin.patch(PATH, {"metadata": {"ownerReferences": []}}, MERGE_PATCH, EDIT)
    assert agent.publish().fields == ("metadata.ownerReferences",)
    assert len(agent.server.admin.get(PATH)["metadata"]["ownerReferences"]) == 1


def test_a_meshnode_that_was_deleted_is_published_again(agent: Agent) -> None:
    agent.publish()
    agent.server.delete(PATH)
    assert agent.publish().changed
    assert agent.spec["publicKey"] == KEY


def test_without_its_node_nothing_is_published(agent: Agent) -> None:
    agent.server.delete(f"{NODES}/node-a")
    assert (agent.publish(), agent.requests) == (Published(waiting_for="Node/node-a"), 0)
    assert agent.find(PATH) is None


def test_prefixes_that_the_node_gets_later_are_added(agent: Agent) -> None:
    agent.server.delete(f"{NODES}/node-a")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}}
    agent.server.admin.create(NODES, node)
    agent.publish()
    assert agent.spec == {"publicKey": KEY}
    patch = {"spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]}}
    agent.server.admin.patch(f"{NODES}/node-a", patch, MERGE_PATCH)
    assert agent.publish().fields == ("spec.podCIDRs",)
    assert agent.spec == {"publicKey": KEY, "podCIDRs": ["10.244.1.0/24"]}


def test_an_address_that_the_node_loses_is_taken_back(agent: Agent) -> None:
    agent.publish()
    patch: Object = {"status": {"addresses": []}}
    agent.server.admin.patch(f"{NODES}/node-a/status", patch, MERGE_PATCH)
    assert agent.publish().fields == ("spec.endpoint",)
    assert "endpoint" not in agent.spec
    assert agent.publish() == Published()
