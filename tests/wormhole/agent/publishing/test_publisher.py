"""What an agent publishes: with an API that follows a script, and with a real API server."""

from collections.abc import Mapping

import pytest
from no_api import NoApi

from schemas.problems import Problems
from schemas.values import PublicKey
from wormhole.agent.publishing.identity import wanted_object
from wormhole.agent.publishing.publisher import Published, Publisher
from wormhole.cluster.api import APPLY, FIELD_MANAGER, Object
from wormhole.cluster.errors import ApiError, FieldCause

KEY = PublicKey("X+zrZv/IbzjZUnhsbWlsecLbwjndTpG0ZynXOif7V+k=")
OTHER = PublicKey("mGwL0EHlNYyVGMs9ycC3BiX0MIFQNjCUPVSHfUO1OWQ=")
PATH = "/apis/wormhole.dev/v1alpha1/meshnodes/node-a"
NODE = {
    "metadata": {"name": "node-a", "uid": "u-1"},
    "spec": {"podCIDRs": ["10.244.1.0/24"]},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
}


class ScriptedApi(NoApi):
    """Answers each PATCH with the next line of its script: an error, or an object, or the body."""

    def __init__(self, *script: Exception | Object | None) -> None:
        self.script = list(script)
        self.bodies: list[Object] = []
        self.queries: list[Mapping[str, str]] = []

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str] = {}) -> Object:
        assert (path, kind) == (PATH, APPLY)
        self.bodies.append(body)
        self.queries.append(dict(query))
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return body if answer is None else answer


def conflict(*fields: str, manager: str = "kubectl-edit") -> ApiError:
    causes = tuple(
        FieldCause(
            reason="FieldManagerConflict",
            field=f".{field}",
            message=f'conflict with "{manager}" using wormhole.dev/v1alpha1',
        )
        for field in fields
    )
    return ApiError(f"PATCH {PATH}", 409, "Conflict", "Apply failed with conflicts", causes)


def meshnode(**spec: object) -> Object:
    wanted = wanted_object(NODE, KEY)
    return wanted | {"spec": wanted["spec"] | spec}


def test_a_node_that_is_not_published_is_applied_without_force() -> None:
    api = ScriptedApi(None)
    came = Publisher(api, "node-a").publish(None, NODE, KEY)
    assert api.bodies == [wanted_object(NODE, KEY)]
    assert api.queries == [{"fieldManager": FIELD_MANAGER}]
    fields = ("spec.publicKey", "spec.endpoint", "spec.podCIDRs", "metadata.ownerReferences")
    assert came == Published(changed=True, fields=fields)


def test_what_is_published_already_costs_no_request() -> None:
    api = ScriptedApi()
    assert Publisher(api, "node-a").publish(meshnode(), NODE, KEY) == Published()
    assert api.bodies == []


def test_without_its_node_nothing_is_published() -> None:
    came = Publisher(ScriptedApi(), "node-a").publish(None, None, KEY)
    assert came == Published(waiting_for="Node/node-a")


def test_a_new_key_is_one_request() -> None:
    api = ScriptedApi(None)
    came = Publisher(api, "node-a").publish(meshnode(), NODE, OTHER)
    assert came == Published(changed=True, fields=("spec.publicKey",))
    assert len(api.bodies) == 1


def test_an_operators_endpoint_stays_and_is_said_once() -> None:
    api = ScriptedApi(conflict("spec.endpoint"))
    publisher = Publisher(api, "node-a")
    theirs = meshnode(endpoint="203.0.113.7")
    came = publisher.publish(theirs, NODE, KEY)
    assert came == Published(
        yielded=("spec.endpoint",),
        remarks=('spec.endpoint belongs to "kubectl-edit": 203.0.113.7 stays, not 192.0.2.1',),
    )
    assert publisher.publish(theirs, NODE, KEY) == Published()
    assert len(api.bodies) == 1


def test_beside_a_yielded_field_the_others_go_on() -> None:
    api = ScriptedApi(conflict("spec.endpoint"), meshnode(endpoint="203.0.113.7", publicKey=OTHER))
    came = Publisher(api, "node-a").publish(meshnode(endpoint="203.0.113.7"), NODE, OTHER)
    assert (came.changed, came.fields) == (True, ("spec.publicKey",))
    assert came.yielded == ("spec.endpoint",)
    assert "endpoint" not in api.bodies[1]["spec"]
    assert api.queries[1] == {"fieldManager": FIELD_MANAGER}


def test_when_the_operators_endpoint_goes_the_nodes_comes_back() -> None:
    api = ScriptedApi(conflict("spec.endpoint"), None)
    publisher = Publisher(api, "node-a")
    publisher.publish(meshnode(endpoint="203.0.113.7"), NODE, KEY)
    without = meshnode()
    del without["spec"]["endpoint"]
    came = publisher.publish(without, NODE, KEY)
    assert came == Published(changed=True, fields=("spec.endpoint",))
    assert api.bodies[1]["spec"]["endpoint"] == "192.0.2.1"


def test_an_operators_next_endpoint_is_yielded_to_again() -> None:
    api = ScriptedApi(conflict("spec.endpoint"), conflict("spec.endpoint"))
    publisher = Publisher(api, "node-a")
    publisher.publish(meshnode(endpoint="203.0.113.7"), NODE, KEY)
    came = publisher.publish(meshnode(endpoint="203.0.113.8"), NODE, KEY)
    assert came.remarks == (
        'spec.endpoint belongs to "kubectl-edit": 203.0.113.8 stays, not 192.0.2.1',
    )


def test_a_key_that_another_wrote_is_taken_back() -> None:
    api = ScriptedApi(conflict("spec.publicKey"), None)
    came = Publisher(api, "node-a").publish(meshnode(publicKey=OTHER), NODE, KEY)
    assert api.queries == [
        {"fieldManager": FIELD_MANAGER},
        {"fieldManager": FIELD_MANAGER, "force": "true"},
    ]
    assert came == Published(
        changed=True,
        fields=("spec.publicKey",),
        forced=("spec.publicKey",),
        remarks=("spec.publicKey was \"kubectl-edit\"'s: taken back, it is this node's own",),
    )


def test_force_is_never_used_on_what_was_yielded() -> None:
    api = ScriptedApi(conflict("spec.publicKey", "spec.endpoint", "spec.podCIDRs"), None)
    published = meshnode(publicKey=OTHER, endpoint="203.0.113.7", podCIDRs=["10.244.9.0/24"])
    came = Publisher(api, "node-a").publish(published, NODE, KEY)
    assert api.queries[1]["force"] == "true"
    assert api.bodies[1]["spec"] == {"publicKey": KEY}
    assert came.forced == ("spec.publicKey",)
    assert came.yielded == ("spec.endpoint", "spec.podCIDRs")


def test_an_owner_reference_is_recognised_in_a_conflict() -> None:
    field = 'metadata.ownerReferences[uid="u-1"].name'
    api = ScriptedApi(conflict(field), None)
    came = Publisher(api, "node-a").publish(None, NODE, KEY)
    assert came.forced == ("metadata.ownerReferences",)


def test_a_node_that_was_made_again_owns_it_from_now_on() -> None:
    api = ScriptedApi(None)
    again = NODE | {"metadata": {"name": "node-a", "uid": "u-2"}}
    came = Publisher(api, "node-a").publish(meshnode(), again, KEY)
    assert came == Published(changed=True, fields=("metadata.ownerReferences",))
    (reference,) = api.bodies[0]["metadata"]["ownerReferences"]
    assert reference["uid"] == "u-2"


def test_an_endpoint_that_only_another_wants_stays() -> None:
    theirs = meshnode(endpoint="203.0.113.7")
    api = ScriptedApi(theirs)
    nowhere = NODE | {"status": {}}
    publisher = Publisher(api, "node-a")
    came = publisher.publish(theirs, nowhere, KEY)
    assert came.yielded == ("spec.endpoint",)
    assert came.remarks == ("spec.endpoint belongs to another field manager: 203.0.113.7 stays",)
    assert publisher.publish(theirs, nowhere, KEY) == Published()


def test_three_requests_are_the_most() -> None:
    script = [conflict("spec.publicKey")] * 5
    api = ScriptedApi(*script)
    with pytest.raises(ApiError):
        Publisher(api, "node-a").publish(None, NODE, KEY)
    assert len(api.bodies) == 3


def test_what_is_no_conflict_is_not_tried_again() -> None:
    api = ScriptedApi(ApiError(f"PATCH {PATH}", 403, "Forbidden", "no"))
    with pytest.raises(ApiError):
        Publisher(api, "node-a").publish(None, NODE, KEY)
    assert len(api.bodies) == 1


def test_an_endpoint_override_is_published_and_a_wrong_one_refused() -> None:
    api = ScriptedApi(None)
    Publisher(api, "node-a", "203.0.113.7:51000").publish(None, NODE, KEY)
    assert api.bodies[0]["spec"]["endpoint"] == "203.0.113.7:51000"
    with pytest.raises(Problems) as caught:
        Publisher(api, "node-a", "192.0.2.1:")
    assert str(caught.value) == "--endpoint '192.0.2.1:': ends in ':' without a port"


def test_a_name_in_a_refusal_cannot_command_the_terminal() -> None:
    api = ScriptedApi(conflict("spec.endpoint", manager="\x1b[2J"))
    came = Publisher(api, "node-a").publish(meshnode(endpoint="203.0.113.7"), NODE, KEY)
    assert came.remarks == (
        'spec.endpoint belongs to "\\x1b[2J": 203.0.113.7 stays, not 192.0.2.1',
    )
