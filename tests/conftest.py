"""What all tests share: effort, signals, and one API server for all that do not break it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from effort import set_effort
from kube.requirements import missing
from signals import heed_signals

if TYPE_CHECKING:
    from kube.server import ApiServer

set_effort()
heed_signals()


@pytest.fixture(scope="session")
def kubernetes() -> "type[ApiServer]":
    """Return the way to an API server of one's own; skip, with the reasons, where there is none."""
    if reasons := missing():
        pytest.skip(f"no API server here: {'; '.join(reasons)}")
    from kube.server import ApiServer  # noqa: PLC0415 - most runs of some tests need none

    return ApiServer


@pytest.fixture(scope="session")
def api_server(
    kubernetes: "type[ApiServer]", tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[ApiServer]":
    """Return the server that all tests share: leave no object in it, do not stop it."""
    with kubernetes(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server
