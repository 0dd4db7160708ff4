"""What the tests of the agent on a real API server share: six hosts that found each other."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Final

import pytest
from kube.requirements import missing as missing_server
from lab.cluster import ClusterLab
from lab.requirements import missing as missing_hosts
from lab.six import EPOCH, Six, start_six

_RUNNING: Final[list[ClusterLab]] = []
"""The clusters whose logs are shown beside a failure."""


@pytest.fixture(scope="session")
def make_cluster(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., ClusterLab]]:
    """Return what makes a cluster without nodes; skip, with all reasons, where there is none."""
    if reasons := (*missing_hosts(), *missing_server()):
        pytest.skip(f"no cluster here: {'; '.join(reasons)}")
    with ExitStack() as stack:

        def make(name: str, **mesh: object) -> ClusterLab:
            cluster = ClusterLab(tmp_path_factory.mktemp(name), **mesh)
            _RUNNING.append(cluster)
            return stack.enter_context(cluster)

        yield make


@pytest.fixture(scope="session")
def six(make_cluster: Callable[..., ClusterLab]) -> Six:
    """Return six hosts with a pod each that had nothing but a kubeconfig."""
    return start_six(make_cluster("six", presharedKeyEpoch=EPOCH))


@pytest.fixture
def cluster(six: Six) -> Iterator[ClusterLab]:
    """Return the cluster of six, which must be whole before and after each test."""
    six.cluster.await_peers()
    yield six.cluster
    six.cluster.await_peers()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the last words of every agent of the youngest cluster beside a failure."""
    report = yield
    if call.excinfo is not None and report.failed and _RUNNING:
        report.sections.append((f"agents, at {item.name}", _RUNNING[-1].logs()))
    return report
