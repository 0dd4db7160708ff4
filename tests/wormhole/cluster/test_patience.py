"""A connection whose credentials come later than whoever needs them."""

from pathlib import Path

import pytest
from kube.answers import answering

from wormhole.cluster.errors import ApiError
from wormhole.cluster.patience import PatientConnection


def test_without_credentials_every_request_says_so_and_is_counted(tmp_path: Path) -> None:
    errors: list[ApiError] = []
    api = PatientConnection(tmp_path / "kubeconfig", errors.append)
    for _ in range(2):
        with pytest.raises(ApiError, match="NoCredentials"):
            api.get("/api/v1/nodes")
    assert [error.reason for error in errors] == ["NoCredentials"] * 2
    api.close()


def test_credentials_that_come_later_are_used(tmp_path: Path) -> None:
    with answering(body=b'{"metadata": {}, "items": []}') as answers:
        later = answers.kubeconfig(tmp_path)
        hidden = later.rename(tmp_path / "not-yet")
        api = PatientConnection(later, lambda _: None)
        with pytest.raises(ApiError, match="NoCredentials"):
            api.get("/api/v1/nodes")
        hidden.rename(later)
        assert api.get("/api/v1/nodes") == {"metadata": {}, "items": []}
        api.close()


def test_a_closed_connection_refuses_even_what_was_never_connected(tmp_path: Path) -> None:
    with answering(body=b"{}") as answers:
        api = PatientConnection(answers.kubeconfig(tmp_path), lambda _: None)
        api.close()
        with pytest.raises(ApiError, match="closed by us"):
            api.get("/api/v1/nodes")
