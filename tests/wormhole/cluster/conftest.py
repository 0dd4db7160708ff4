"""API servers, with a kind of object in them that nobody else uses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kube.server import ApiServer
from kube.things import Things, define_things


@pytest.fixture
def things(api_server: ApiServer) -> Iterator[Things]:
    """Return things on the shared server; whatever is left of them is deleted."""
    found = define_things(api_server)
    yield found
    api_server.delete(found.path)


@pytest.fixture(scope="session")
def frail_server(
    kubernetes: type[ApiServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """Return a server that tests may stop and kill."""
    with kubernetes(tmp_path_factory.mktemp("frail")) as server:
        yield server


@pytest.fixture
def frail_things(frail_server: ApiServer) -> Iterator[Things]:
    """Return things on a server that may be stopped and killed; it runs again afterwards."""
    found = define_things(frail_server)
    yield found
    frail_server.resume()
    if not frail_server.running:
        frail_server.start_again()
    frail_server.delete(found.path)


@pytest.fixture
def nobody(api_server: ApiServer) -> Iterator[Path]:
    """Return the kubeconfig of a service account without any right."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "nobody", "namespace": "default"},
    }
    api_server.apply(account)
    yield api_server.kubeconfig_for("nobody", "default")
    api_server.delete(api_server.path(account))
