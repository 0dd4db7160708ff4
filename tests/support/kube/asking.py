"""One request as anybody may send it, to the HTTP status that answers it and why."""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from kube.server import ApiServer


class Answer(NamedTuple):
    """What the server said."""

    status: int
    message: str


class Ask(NamedTuple):
    """A request, without who sends it."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    kind: str = "application/json"
    headers: Mapping[str, str] = {}

    def send(self, server: ApiServer, token: str, *, dry: bool = False) -> Answer:
        """Send it; ``dry``: so that nothing is stored."""
        context = ssl.create_default_context(cafile=str(server.certificate))
        context.check_hostname = False
        path = self.path + (("&" if "?" in self.path else "?") + "dryRun=All") * dry
        address = urlsplit(server.url)
        connection = http.client.HTTPSConnection(
            str(address.hostname), address.port, timeout=10, context=context
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": self.kind, **self.headers}
        try:
            content = None if self.body is None else json.dumps(self.body)
            connection.request(self.method, path, content, headers)
            response = connection.getresponse()
            # A watch that is allowed does not end.
            endless = "watch" in path and response.status < http.HTTPStatus.MULTIPLE_CHOICES
            said = b"" if endless else response.read()
        finally:
            connection.close()
        return Answer(response.status, _read_message(said))


def _read_message(content: bytes) -> str:
    try:
        return str(json.loads(content).get("message", ""))
    except ValueError:
        return content.decode(errors="replace")
