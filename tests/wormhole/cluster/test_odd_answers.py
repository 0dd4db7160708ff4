"""What no API server would answer, and what stands between it and us may."""

import socket
from pathlib import Path

import pytest
from kube.answers import Answers, answering

from wormhole.cluster.api import Object
from wormhole.cluster.connection import connect
from wormhole.cluster.errors import ApiError

PATH = "/apis/cluster.test/v1/things"


def refuse(folder: Path, **answer: object) -> str:
    with answering(**answer) as server, pytest.raises(ApiError) as caught:
        connect(server.kubeconfig(folder, token="verysecret")).get(PATH)
    assert "verysecret" not in f"{caught.value!r}"
    return str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"body": b"<html>login</html>"}, "Unreadable: the answer is no JSON"),
        ({"body": b""}, "Unreadable: the answer is no JSON"),
        ({"body": b'{"a": "\xff"}'}, "Unreadable: the answer is no JSON"),
        ({"body": b"[]"}, "Unreadable: the answer is no object"),
        ({"body": b"{}", "status": 502}, "502 BadGateway"),
        ({"body": b"<html>", "status": 503}, "503 ServiceUnavailable"),
        ({"body": b'{"kind": "Status", "message": 7}', "status": 500}, "500 Unreadable"),
        (
            {"body": b'{"kind":"Status","reason":"X","details":{"causes":[7,{}]}}', "status": 500},
            "500 X",
        ),
    ],
)
def test_what_is_no_answer_of_kubernetes_is_an_error(
    tmp_path: Path, answer: dict[str, object], said: str
) -> None:
    assert refuse(tmp_path, **answer) == f"GET {PATH}: {said}"


def test_nobody_is_redirected_with_a_token(tmp_path: Path) -> None:
    with answering() as other:
        said = refuse(tmp_path, status=302, headers={"Location": other.url})
        assert other.asked == []
    assert said == f"GET {PATH}: 302 Found"


def test_who_takes_a_connection_and_says_nothing_costs_the_connect_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wormhole.cluster.connection.CONNECT_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server = Answers(url=f"https://127.0.0.1:{mute.getsockname()[1]}")
        connection = connect(server.kubeconfig(tmp_path))
        with pytest.raises(ApiError) as caught:
            connection.get(PATH)
    assert str(caught.value) == f"GET {PATH}: Silent: nothing came in time"


def test_a_cut_answer_is_an_error(tmp_path: Path) -> None:
    said = refuse(tmp_path, body=b"{}", headers={"Content-Length": "7", "Connection": "close"})
    assert said.startswith(f"GET {PATH}: Unreachable: ")


def watch(folder: Path, *chunks: bytes) -> tuple[list[Object], str]:
    """Return the events of a stream of these chunks, and how it ended."""
    events: list[Object] = []
    with answering(chunks=chunks) as server:
        connection = connect(server.kubeconfig(folder))
        try:
            with connection.watch(PATH, {}, silence=5) as stream:
                events.extend(stream)
        except ApiError as error:
            return events, str(error)
    return events, ""


FIRST, SECOND = b'{"type":"ADDED","object":{"a":1}}\n', b'{"type":"DELETED","object":{}}\n'
PARSED = [{"type": "ADDED", "object": {"a": 1}}, {"type": "DELETED", "object": {}}]


@pytest.mark.parametrize("size", [1, 2, 7, 33, 34, 35, 100])
def test_events_are_whole_wherever_the_network_cuts_them(tmp_path: Path, size: int) -> None:
    line = FIRST + SECOND
    chunks = [line[start : start + size] for start in range(0, len(line), size)]
    assert watch(tmp_path, *chunks, b"") == (PARSED, "")


def test_a_stream_that_breaks_off_is_an_error_after_its_events(tmp_path: Path) -> None:
    events, said = watch(tmp_path, FIRST)  # without the chunk that says that it ends
    assert events == PARSED[:1]
    assert said.startswith(f"WATCH {PATH}: ")


def test_a_server_that_dies_while_it_streams_is_told_in_words(tmp_path: Path) -> None:
    with answering(chunks=(FIRST,), headers={"Connection": "close"}) as server:
        connection = connect(server.kubeconfig(tmp_path))
        with (
            pytest.raises(ApiError) as caught,
            connection.watch(PATH, {}, silence=5) as stream,
        ):
            list(stream)
    assert str(caught.value) == f"WATCH {PATH}: Unreachable: the answer broke off"


def test_an_unfinished_line_at_the_end_is_no_event(tmp_path: Path) -> None:
    assert watch(tmp_path, FIRST, SECOND[:-4], b"") == (PARSED[:1], "")


def test_an_error_event_raises_what_it_says(tmp_path: Path) -> None:
    status = b'{"kind":"Status","code":410,"reason":"Expired","message":"too old"}'
    line = b'{"type":"ERROR","object":' + status + b"}\n"
    assert watch(tmp_path, FIRST + line, b"") == (
        PARSED[:1],
        f"WATCH {PATH}: 410 Expired: too old",
    )


@pytest.mark.parametrize("line", [b"7\n", b"\n", b'{"type":"ADDED"}\n', b"{\n"])
def test_a_line_that_is_no_event_is_an_error(tmp_path: Path, line: bytes) -> None:
    events, said = watch(tmp_path, line, b"")
    assert events == []
    assert said.startswith(f"WATCH {PATH}: Unreadable: ")


def test_every_request_that_failed_is_told_once(tmp_path: Path) -> None:
    status = b'{"kind":"Status","code":410,"reason":"Expired","message":"too old"}'
    told: list[ApiError] = []
    with answering(chunks=(b'{"type":"ERROR","object":' + status + b"}\n", b"")) as server:
        connection = connect(server.kubeconfig(tmp_path))
        connection.on_error = told.append
        connection.get(PATH)
        with pytest.raises(ApiError) as stream, connection.watch(PATH, {}, silence=5) as events:
            list(events)
        server.status = 503
        with pytest.raises(ApiError) as answer:
            connection.get(PATH)
        with pytest.raises(ApiError) as refused, connection.watch(PATH, {}, silence=5):
            pass
    connection.close()
    with pytest.raises(ApiError):
        connection.get(PATH)
    assert told == [stream.value, answer.value, refused.value]


def test_the_token_is_sent_as_kubernetes_wants_it(tmp_path: Path) -> None:
    with answering() as server:
        connect(server.kubeconfig(tmp_path, token="verysecret")).get(PATH, {"limit": "5"})
        assert server.asked == [(f"GET {PATH}?limit=5 HTTP/1.1", "Bearer verysecret")]


def test_a_token_that_fits_into_no_header_is_not_shown(tmp_path: Path) -> None:
    with answering() as server, pytest.raises(ApiError) as caught:
        connect(server.kubeconfig(tmp_path, token="very\nsecret")).get(PATH)
    assert str(caught.value) == (
        f"GET {PATH}: NoCredentials: the credentials do not fit into a request"
    )
    assert caught.value.__suppress_context__
