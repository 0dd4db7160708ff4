"""``wormhole agent``: what it refuses before it begins."""

from pathlib import Path

import pytest
from commandline import Wormhole

from schemas.problems import Problems

NAME_RULE = (
    "must be a Kubernetes name: at most 253 lower-case letters, digits, '-' and '.', where each"
    " part between dots begins and ends with a letter or digit"
)


@pytest.mark.parametrize("name", ["Node_A", "node..a", "a-", "a" * 254])
def test_a_name_that_no_node_can_have_is_refused(wormhole: Wormhole, name: str) -> None:
    code, _, stderr = wormhole("agent", "--from", "cluster", "--node", name)
    assert code == 2
    assert stderr.startswith("error: --node '")
    assert stderr.endswith(f"{NAME_RULE}\n")


@pytest.mark.parametrize(
    "option",
    [("--endpoint", "192.0.2.1"), ("--kubeconfig", "config"), ("--namespace", "elsewhere")],
    ids=lambda each: each[0],
)
def test_options_for_a_cluster_are_refused_with_a_folder(
    wormhole: Wormhole, tmp_path: Path, option: tuple[str, str]
) -> None:
    code, _, stderr = wormhole("agent", "--from", str(tmp_path), "--node", "node-a", *option)
    said = "error: --endpoint, --kubeconfig and --namespace go with --from cluster\n"
    assert (code, stderr) == (2, said)


def test_the_environment_may_name_a_namespace_for_a_folder_too(
    wormhole: Wormhole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the same for all agents of a manifest; an option was meant for this one."""

    def stop() -> None:
        raise Problems.one("nobody got further")

    monkeypatch.setenv("WORMHOLE_NAMESPACE", "elsewhere")
    monkeypatch.setattr("wormhole.thishost.require_root", stop)
    code, _, stderr = wormhole("agent", "--from", str(tmp_path), "--node", "node-a")
    assert (code, stderr) == (2, "error: nobody got further\n")
