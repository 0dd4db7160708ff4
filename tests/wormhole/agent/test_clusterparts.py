"""How the parts that know the API know each other."""

from pathlib import Path

import pytest

from applier.paths import Paths
from wormhole.agent.clusterparts import ClusterParts


@pytest.fixture
def parts(tmp_path: Path) -> ClusterParts:
    return ClusterParts(
        node="node-a",
        endpoint="",
        kubeconfig=tmp_path / "kubeconfig",
        namespace="wormhole-system",
        paths=Paths(data=tmp_path),
        wake=lambda _: None,
        count_error=lambda _: None,
        chance=lambda: 0.5,
    )


def test_a_watch_that_finds_the_server_back_lets_the_others_hurry(parts: ClusterParts) -> None:
    first, *others = parts._reflectors()
    first._on_return()
    assert [each._hurried.is_set() for each in others] == [True] * 3


def test_a_cluster_that_was_not_reached_yet_has_nothing_to_tell(parts: ClusterParts) -> None:
    assert parts.tell() == {"held_epochs": (), "api_error": "", "generation": 0}
