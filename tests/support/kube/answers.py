"""A plain HTTP server that answers as it is told: what no API server would answer."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Answers:
    """What is answered to every request, and what was asked."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    chunks: tuple[bytes, ...] = ()
    """Sent one by one instead of the body, as a stream."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Request line and ``Authorization`` of each request."""

    def kubeconfig(self, folder: Path, **user: object) -> Path:
        """Write a kubeconfig for this server."""
        path = folder / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                    "users": [{"name": "u", "user": user}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )
        return path


@contextmanager
def answering(**answer: object) -> Iterator[Answers]:
    """Serve on a free port of the loopback while the context is open."""
    answers = Answers(**answer)  # type: ignore[arg-type] # the caller's, by name

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answers.asked.append((self.requestline, self.headers.get("Authorization", "")))
            self.send_response(answers.status)
            for name, value in answers.headers.items():
                self.send_header(name, value)
            if answers.chunks:
                self.send_header("Transfer-Encoding", "chunked")
            elif "Content-Length" not in answers.headers:
                self.send_header("Content-Length", str(len(answers.body)))
            self.end_headers()
            self.wfile.write(answers.body if not answers.chunks else b"")
            for chunk in answers.chunks:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        answers.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield answers
        finally:
            server.shutdown()
            thread.join()
