"""Kubeconfigs that cannot be used say why and never what is secret in them; tokens stay fresh."""

import json
import traceback
from pathlib import Path

import pytest

from wormhole.cluster.connection import connect
from wormhole.cluster.credentials import TokenFile
from wormhole.cluster.errors import ApiError

TOKEN = "verysecret"


def explain(path: Path | None) -> str:
    """Return how connecting fails, having looked for the token in all that may be printed."""
    with pytest.raises(ApiError) as caught:
        connect(path)
    shown = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in shown + repr(caught.value)
    return str(caught.value)


def write(folder: Path, user: object, **parts: object) -> Path:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
        **parts,
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    assert explain(tmp_path / "none") == (
        f"kubeconfig {tmp_path / 'none'}: NoCredentials: there is no kubeconfig: name one with"
        " --kubeconfig, or in KUBECONFIG"
    )


def test_a_kubeconfig_that_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(f"users:\n- name: u\n  token: {TOKEN}\n wrong: [\n")
    assert explain(path) == f"kubeconfig {path}: NoCredentials: no YAML: line 4"


@pytest.mark.parametrize(
    ("user", "parts"),
    [
        # The library names the whole user, with the token, as the place of what is missing.
        ({"token": TOKEN, "auth-provider": {"name": "oidc", "config": {}}}, {}),
        ({"token": {"a": TOKEN}}, {"clusters": None}),
        ({"token": TOKEN}, {"current-context": "other"}),
        ({"token": TOKEN}, {"contexts": [{"name": "x"}]}),
        ({"token": TOKEN}, {"contexts": [{"name": "x", "context": {"user": "u"}}]}),
        ({"token": TOKEN, "client-certificate": "none"}, {}),
        ({"client-key-data": TOKEN, "client-certificate-data": TOKEN}, {}),
        ([TOKEN], {}),
        (TOKEN, {}),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_not_quoted(
    tmp_path: Path, user: object, parts: dict[str, object]
) -> None:
    path = write(tmp_path, user, **parts)
    assert explain(path).startswith(f"kubeconfig {path}: NoCredentials: ")


def test_outside_a_cluster_and_without_a_kubeconfig_there_is_no_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    loader = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(loader, str(tmp_path / "none"))
    assert explain(None).startswith("credentials: NoCredentials: there is no kubeconfig: name one")


def test_a_pod_without_a_service_account_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    name = "kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME"
    monkeypatch.setattr(name, "/nonexistent/token")
    assert explain(None) == "credentials: NoCredentials: Service token file does not exist."


def test_a_token_is_read_once_a_minute(tmp_path: Path) -> None:
    now = 1000.0
    file = TokenFile(tmp_path / "token", lambda: now)
    (tmp_path / "token").write_text("one\n")
    assert file.read() == "one"
    (tmp_path / "token").write_text("two\n")
    assert file.read() == "one"
    now += 60
    assert file.read() == "two"


def test_a_token_that_was_refused_is_read_again(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "token", lambda: 1000.0)
    (tmp_path / "token").write_text("one")
    assert file.read() == "one"
    (tmp_path / "token").write_text("two")
    file.expire()
    assert file.read() == "two"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_token_in_the_middle_of_its_replacement_stays(
    tmp_path: Path, content: bytes | None
) -> None:
    now = 1000.0
    path = tmp_path / "token"
    file = TokenFile(path, lambda: now)
    path.write_text("one")
    assert file.read() == "one"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    now += 60
    assert file.read() == "one"
    path.write_text("two")
    assert file.read() == "two"


def test_a_token_that_never_was_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ApiError) as caught:
        TokenFile(tmp_path / "token").read()
    assert str(caught.value) == (
        f"token {tmp_path / 'token'}: NoCredentials: no such file or directory"
    )


def test_a_token_file_shows_its_path_alone(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "token")
    (tmp_path / "token").write_text(TOKEN)
    assert file.read() == TOKEN
    assert repr(file) == f"TokenFile('{tmp_path / 'token'}')"
