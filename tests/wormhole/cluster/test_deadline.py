"""Answers that never end, by byte or by size."""

import json
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from itertools import repeat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kube.answers import Answers, answering

from wormhole.cluster import connection as rules
from wormhole.cluster.connection import connect
from wormhole.cluster.errors import ApiError

PATH = "/apis/cluster.test/v1/things"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EVENT = b'{"type":"BOOKMARK","object":{"kind":"Thing"}}\n'
GIVE_UP = 10.0
LOOPBACK = IPv4Address("127.0.0.1")
PEM = "server.pem"


def drip(before: bytes, byte: bytes = b" ") -> Callable[[socket.socket], None]:
    """Return what answers with this, and then with a byte now and then."""

    def answer(client: socket.socket) -> None:
        client.sendall(before)
        until = time.monotonic() + GIVE_UP
        while time.monotonic() < until:
            client.sendall(byte)
            time.sleep(0.05)

    return answer


@contextmanager
def serving(
    answer: Callable[[socket.socket], None], folder: Path, tls: ssl.SSLContext | None = None
) -> Iterator[Path]:
    """Answer each connection so; yield a kubeconfig."""
    over = threading.Event()

    def talk(client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            if tls is not None:
                client = tls.wrap_socket(client, server_side=True)
            with closing(client):
                client.recv(65_536)
                answer(client)

    def accept(server: socket.socket) -> None:
        while not over.is_set():
            with suppress(OSError):
                client, _ = server.accept()
                threading.Thread(target=talk, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        thread = threading.Thread(target=accept, args=(server,))
        thread.start()
        try:
            scheme = "http" if tls is None else "https"
            answers = Answers(url=f"{scheme}://127.0.0.1:{server.getsockname()[1]}")
            kubeconfig = answers.kubeconfig(folder)
            content = json.loads(kubeconfig.read_text())
            if tls is not None:
                content["clusters"][0]["cluster"]["certificate-authority"] = str(folder / PEM)
            kubeconfig.write_text(json.dumps(content))
            yield kubeconfig
        finally:
            over.set()
            thread.join()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "ANSWER_TIMEOUT", 0.5)


def ask(kubeconfig: Path) -> str:
    """Ask once; return what was wrong, and make sure that it did not take long."""
    begin = time.monotonic()
    with pytest.raises(ApiError) as caught:
        connect(kubeconfig).get(PATH)
    assert time.monotonic() - begin < GIVE_UP / 2
    return str(caught.value)


def follow(kubeconfig: Path, **query: str) -> str:
    """Watch until the end; return what was wrong."""
    begin = time.monotonic()
    with (
        pytest.raises(ApiError) as caught,
        connect(kubeconfig).watch(PATH, query, silence=5) as events,
    ):
        list(events)
    assert time.monotonic() - begin < GIVE_UP / 2
    return str(caught.value)


def test_the_rules_are_these() -> None:
    assert (rules.ANSWER_TIMEOUT, rules.LIMIT) == (30, 67_108_864)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "answer",
    [
        drip(b"HTTP/1.1 200 OK\r\n", b"x"),
        drip(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        drip(HEAD + b"Content-Length: 1000000\r\n\r\n{"),
        drip(HEAD + b"Connection: close\r\n\r\n{"),
        drip(CHUNKED + b"fffff\r\n{"),
        drip(CHUNKED, b"1\r\n \r\n"),
        drip(b"HTTP/1.1 500 No\r\nContent-Length: 1000000\r\n\r\n{"),
    ],
    ids=["header", "headers", "body", "no length", "chunk", "chunks", "refusal"],
)
def test_an_answer_that_drips_is_given_up(
    answer: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    with serving(answer, tmp_path) as kubeconfig:
        assert ask(kubeconfig) == f"GET {PATH}: Silent: no whole answer came in 0.5 s"


@pytest.mark.usefixtures("hasty")
def test_a_watch_whose_headers_drip_is_given_up(tmp_path: Path) -> None:
    with serving(drip(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"), tmp_path) as kubeconfig:
        assert follow(kubeconfig) == f"WATCH {PATH}: Silent: no whole answer came in 0.5 s"


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "answer",
    [drip(CHUNKED + b"fffff\r\n"), drip(CHUNKED, b"%x\r\n%s\r\n" % (len(EVENT), EVENT))],
    ids=["in a chunk", "with events"],
)
def test_a_watch_that_outlives_its_time_is_given_up(
    answer: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    with serving(answer, tmp_path) as kubeconfig:
        assert follow(kubeconfig, timeoutSeconds="1") == (
            f"WATCH {PATH}: Silent: no whole answer came in 1.5 s"
        )


def test_an_answer_that_never_ends_costs_no_memory_beyond_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "LIMIT", 1 << 20)

    def flood(client: socket.socket) -> None:
        client.sendall(CHUNKED)
        for part in repeat(b"10000\r\n" + b" " * 0x10000 + b"\r\n", 4000):
            client.sendall(part)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with serving(flood, tmp_path) as kubeconfig:
        assert ask(kubeconfig) == f"GET {PATH}: Unreadable: the answer has more than 1 MiB"
        assert follow(kubeconfig) == f"WATCH {PATH}: Unreadable: the answer has more than 1 MiB"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_long_event_is_read_in_no_time(tmp_path: Path) -> None:
    """Joined once, not with every part of it that comes."""
    event = b'{"type":"ADDED","object":{"a":"' + b"x" * (32 << 20) + b'"}}\n'
    size = 1 << 16
    chunks = [event[start : start + size] for start in range(0, len(event), size)]
    with answering(chunks=(*chunks, b"")) as server:
        begin = time.process_time()
        with connect(server.kubeconfig(tmp_path)).watch(PATH, {}, silence=5) as events:
            (found,) = events
    assert len(found["object"]["a"]) == 32 << 20
    assert time.process_time() - begin < 2


def test_requests_in_time_leave_no_thread_and_keep_their_connection(tmp_path: Path) -> None:
    with answering(body=b'{"a": 1}') as server:
        connection = connect(server.kubeconfig(tmp_path))
        connection.get(PATH)
        threads = threading.active_count()
        for _ in range(20):
            assert connection.get(PATH) == {"a": 1}
        deadline = time.monotonic() + 5
        while threading.active_count() > threads and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() <= threads


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("before", [b"HTTP/1.1 200 OK\r\n", HEAD + b"Content-Length: 1000\r\n\r\n"])
def test_tls_is_cut_as_well(tmp_path: Path, before: bytes) -> None:
    with serving(drip(before, b"x"), tmp_path, make_context(tmp_path)) as kubeconfig:
        assert ask(kubeconfig) == f"GET {PATH}: Silent: no whole answer came in 0.5 s"


def make_context(folder: Path) -> ssl.SSLContext:
    """Return a server's context with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / PEM
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
