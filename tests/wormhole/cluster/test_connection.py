"""Requests to a real API server, and what becomes of those that fail."""

import pytest
from kube.server import ApiServer

from wormhole.cluster.connection import connect
from wormhole.cluster.errors import ApiError

pytestmark = pytest.mark.timeout(120)


def test_a_user_without_rights_is_told_so(api_server: ApiServer) -> None:
    api_server.apply(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "nobody", "namespace": "default"},
        }
    )
    connection = connect(api_server.kubeconfig_for("nobody", "default"))
    with pytest.raises(ApiError) as caught:
        connection.get("/api/v1/nodes")
    assert str(caught.value) == (
        "GET /api/v1/nodes: 403 Forbidden: nodes is forbidden: User"
        ' "system:serviceaccount:default:nobody" cannot list resource "nodes" in API group ""'
        " at the cluster scope"
    )
