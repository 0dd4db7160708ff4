"""A real API server with all of ``deploy/base`` in it."""

from collections.abc import Iterator

import pytest
from kube.server import ApiServer
from manifests import build


@pytest.fixture(scope="session")
def installed(
    kubernetes: type[ApiServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """Return the server; whoever leaves objects in it names them after its own test."""
    with kubernetes(tmp_path_factory.mktemp("installed")) as server:
        server.apply(*build("base"))
        yield server
