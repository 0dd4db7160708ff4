"""Requests to a real API server, and what becomes of those that fail."""

import json
import logging
import subprocess
import sys
import threading
import time
from base64 import b64encode
from pathlib import Path

import pytest
from kube.server import ApiServer
from kube.things import Things, spell_thing

from wormhole.cluster import connection as rules
from wormhole.cluster.api import APPLY, FIELD_MANAGER, MERGE_PATCH, Object
from wormhole.cluster.connection import connect
from wormhole.cluster.errors import ApiError, FieldCause

pytestmark = pytest.mark.timeout(
    240
)  # a server starts in four seconds, or in forty when all is busy


def test_an_object_is_created_read_replaced_and_patched(things: Things) -> None:
    connection, path = things.connect(), f"{things.path}/one"
    created = connection.create(things.path, spell_thing("one", size=1))
    assert connection.get(path) == created
    replaced = connection.replace(path, created | {"spec": {"size": 2}})
    assert replaced["spec"] == {"size": 2}
    patched = connection.patch(path, {"spec": {"colour": "red"}}, MERGE_PATCH)
    assert patched["spec"] == {"size": 2, "colour": "red"}


def test_a_replacement_of_an_old_version_is_a_conflict(things: Things) -> None:
    connection, path = things.connect(), f"{things.path}/one"
    old = connection.create(things.path, spell_thing("one", size=1))
    connection.replace(path, old | {"spec": {"size": 2}})
    with pytest.raises(ApiError) as caught:
        connection.replace(path, old | {"spec": {"size": 3}})
    assert (caught.value.conflict, caught.value.reason) == (True, "Conflict")
    assert connection.get(path)["spec"] == {"size": 2}


def test_a_field_that_another_owns_is_named(things: Things) -> None:
    connection, path = things.connect(), f"{things.path}/one"
    connection.patch(path, spell_thing("one", size=1), APPLY, {"fieldManager": "operator"})
    with pytest.raises(ApiError) as caught:
        connection.patch(path, spell_thing("one", size=2), APPLY, {"fieldManager": FIELD_MANAGER})
    error = caught.value
    assert (error.request, error.status, error.conflict) == (f"PATCH {path}", 409, True)
    cause = FieldCause(
        reason="FieldManagerConflict",
        field=".spec.size",
        message=error.causes[0].message,  # servers differ in what follows the name
    )
    assert error.causes == (cause,)
    assert cause.message.startswith('conflict with "operator"')


def test_what_is_not_there_is_missing(things: Things) -> None:
    with pytest.raises(ApiError) as caught:
        things.connect().get(f"{things.path}/none")
    assert caught.value.missing
    assert str(caught.value) == (
        f'GET {things.path}/none: 404 NotFound: things.cluster.test "none" not found'
    )


def test_what_breaks_the_schema_is_refused_with_its_field(things: Things) -> None:
    with pytest.raises(ApiError) as caught:
        things.connect().create(things.path, spell_thing("one", size="huge"))
    error = caught.value
    assert (error.status, error.reason) == (422, "Invalid")
    assert [cause.field for cause in error.causes] == ["spec.size"]


def test_a_user_without_rights_is_told_so(nobody: Path) -> None:
    with pytest.raises(ApiError) as caught:
        connect(nobody).get("/api/v1/nodes")
    assert str(caught.value) == (
        "GET /api/v1/nodes: 403 Forbidden: nodes is forbidden: User"
        ' "system:serviceaccount:default:nobody" cannot list resource "nodes" in API group ""'
        " at the cluster scope"
    )


def test_a_token_that_the_server_does_not_know_is_refused_and_not_shown(
    api_server: ApiServer, tmp_path: Path
) -> None:
    path = give_token(api_server, tmp_path, {"token": "verysecret"})
    with pytest.raises(ApiError) as caught:
        connect(path).get("/api/v1/nodes")
    assert str(caught.value) == "GET /api/v1/nodes: 401 Unauthorized: Unauthorized"


def test_a_token_file_is_read_again_when_its_token_is_refused(nobody: Path) -> None:
    document = json.loads(nobody.read_text())
    file = Path(document["users"][0]["user"]["tokenFile"])
    good = file.read_text()
    file.write_text("expired\n")
    connection = connect(nobody)
    with pytest.raises(ApiError, match="401 Unauthorized"):
        connection.get("/api")
    file.write_text(good + "\n")
    assert connection.get("/api")["kind"] == "APIVersions"


def test_a_pod_finds_its_server_and_its_account(
    api_server: ApiServer, nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = json.loads(nobody.read_text())["users"][0]["user"]["tokenFile"]
    loader = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{loader}.SERVICE_TOKEN_FILENAME", token)
    monkeypatch.setattr(f"{loader}.SERVICE_CERT_FILENAME", str(api_server.certificate))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", api_server.address)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api_server.port))
    connection = connect(None)
    assert connection.url == api_server.url
    with pytest.raises(ApiError, match='User "system:serviceaccount:default:nobody" cannot list'):
        connection.get("/api/v1/nodes")


def test_a_secret_that_is_refused_is_not_quoted(
    api_server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = connect(api_server.kubeconfig())
    path = "/api/v1/namespaces/default/secrets"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "psk"}}
    with pytest.raises(ApiError) as caught:
        connection.create(path, secret | {"data": {"one": "no*base64*atall"}})
    assert "base64" not in f"{caught.value!r} {caught.value.causes}"
    assert str(caught.value) == (
        f"POST {path}: 400 BadRequest: the answer may quote a secret and is not shown"
    )
    value = b64encode(b"sesame, open up").decode()
    stored = connection.create(path, secret | {"data": {"one": value}})
    api_server.delete(f"{path}/psk")
    assert stored["data"] == {"one": value}
    token = json.loads(api_server.kubeconfig().read_text())["users"][0]["user"]["token"]
    for hidden in (value, token, "base64*at"):
        assert hidden not in caplog.text + repr(connection)


def test_a_watch_yields_events_until_its_time_is_over(things: Things) -> None:
    connection = things.connect()
    version = connection.get(things.path)["metadata"]["resourceVersion"]
    things.add("one", size=1)
    things.change("one", {"spec": {"size": 2}})
    things.delete("one")
    query = {"resourceVersion": version, "timeoutSeconds": "3", "allowWatchBookmarks": "true"}
    with connection.watch(things.path, query, silence=10) as events:
        seen = [(event["type"], event["object"].get("spec")) for event in events]
    assert seen[:3] == [
        ("ADDED", {"size": 1}),
        ("MODIFIED", {"size": 2}),
        ("DELETED", {"size": 2}),
    ]
    assert {kind for kind, _ in seen[3:]} <= {"BOOKMARK"}


def test_a_watch_from_a_forgotten_version_is_gone(frail_things: Things) -> None:
    frail_things.add("one", size=1)
    version = frail_things.connect().get(frail_things.path)["metadata"]["resourceVersion"]
    frail_things.change("one", {"spec": {"size": 2}})
    frail_things.server.kill()
    frail_things.server.start_again()
    query = {"resourceVersion": version, "timeoutSeconds": "5"}
    with pytest.raises(ApiError) as caught:
        list_events(frail_things, query)
    assert caught.value.gone
    assert (caught.value.request, caught.value.reason) == (f"WATCH {frail_things.path}", "Expired")


def list_events(things: Things, query: dict[str, str]) -> list[Object]:
    with things.connect().watch(things.path, query, silence=10) as events:
        return list(events)


def test_a_stream_that_falls_silent_ends_with_an_error(frail_things: Things) -> None:
    connection = frail_things.connect()
    with connection.watch(frail_things.path, {"timeoutSeconds": "60"}, silence=1) as events:
        frail_things.server.pause()
        begun = time.monotonic()
        with pytest.raises(ApiError) as caught:
            next(events)
    assert str(caught.value) == f"WATCH {frail_things.path}: Silent: nothing came in time"
    assert 0.5 < time.monotonic() - begun < 30


def test_a_server_that_hangs_costs_a_request_its_read_timeout(
    frail_things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (rules.CONNECT_TIMEOUT, rules.READ_TIMEOUT) == (5, 10)
    monkeypatch.setattr(rules, "READ_TIMEOUT", 0.5)
    connection = frail_things.connect()
    connection.get(frail_things.path)
    frail_things.server.pause()
    with pytest.raises(ApiError) as caught:
        connection.get(frail_things.path)
    assert str(caught.value) == f"GET {frail_things.path}: Silent: nothing came in time"
    frail_things.server.resume()
    assert connection.get(frail_things.path)["items"] == []


def test_a_server_that_went_away_is_unreachable_and_found_again(frail_things: Things) -> None:
    connection = frail_things.connect()
    connection.get(frail_things.path)
    frail_things.server.kill()
    with pytest.raises(ApiError) as caught:
        connection.get(frail_things.path)
    assert str(caught.value) == f"GET {frail_things.path}: Unreachable: connection refused"
    frail_things.server.start_again()
    assert connection.get(frail_things.path)["items"] == []


def test_a_server_with_another_certificate_is_not_trusted(
    api_server: ApiServer, tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key", tmp_path / "other.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    document = json.loads(api_server.kubeconfig().read_text())
    document["clusters"][0]["cluster"]["certificate-authority"] = str(certificate)
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document))
    with pytest.raises(ApiError) as caught:
        connect(path).get("/version")
    assert (caught.value.status, caught.value.reason) == (0, "Untrusted")


def test_closing_ends_a_stream_that_another_thread_waits_for(things: Things) -> None:
    connection = things.connect()
    waiting = threading.Event()
    ended: list[ApiError] = []

    def wait() -> None:
        try:
            with connection.watch(things.path, {}, silence=60) as events:
                waiting.set()
                list(events)
        except ApiError as error:
            ended.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert waiting.wait(10)
    connection.close()
    thread.join(5)
    assert [error.status for error in ended] == [0]
    with pytest.raises(ApiError) as caught:
        connection.get(things.path)
    assert str(caught.value) == (f"GET {things.path}: Unreachable: the connection was closed by us")


def test_only_who_connects_pays_for_the_client_library() -> None:
    script = (
        "import sys, wormhole.cluster.connection, wormhole.cluster.reflector;"
        " sys.exit('kubernetes' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def give_token(server: ApiServer, folder: Path, user: Object) -> Path:
    document = json.loads(server.kubeconfig().read_text())
    document["users"][0]["user"] = user
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path
