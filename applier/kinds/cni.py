"""The CNI configuration file: pods start once it is there, so it comes last and goes first."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from applier.errors import HostError, Missing
from applier.host import Host
from applier.kind import Difference, Kind, Need
from applier.plan import Action, Change, Observed
from applier.view import View
from applier.wanted import Scope, Wanted
from renderers.cni import read, write
from schemas.marks import NETWORK_NAME

_MODE: Final = 0o644
"""A container runtime may read it as another user; there is no secret in it."""

_TEXT: Final = "utf-8"


class CniKind(Kind[str]):
    """Key: the file's name; value: its text."""

    name: ClassVar[str] = "cni"
    value_type: ClassVar[type] = str

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, str]:
        """Return the configuration, as CNI's specification has it."""
        del scope
        return {wanted.host.cni.file_name: write(wanted.host.cni.config)}

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return files of our names, by the network's name inside."""
        owned = {}
        foreign = {}
        for name in scope.cni_files:
            content = view.read_file(scope.paths.cni / name)
            if content is None:
                continue
            network = _network_of(content)
            if network == NETWORK_NAME or (network is None and name in scope.written_cni_files):
                owned[name] = content.decode(_TEXT, "replace")
            elif scope.names is not None and name == scope.names.cni_file:
                foreign[name] = _describe(network)
        return Observed(owned=owned, foreign=foreign)

    def compare(
        self, desired: str | None, observed: str | None, last: str | None
    ) -> Difference | None:
        """Compare bytes: the file is wholly ours."""
        del last
        if desired is None:
            return Difference(action=Action.DELETE, note="no new pods can start")
        if observed is None:
            return Difference(action=Action.CREATE, note="pods can start from here on")
        return None if desired == observed else Difference(action=Action.UPDATE)

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Write the file whole, or remove it."""
        failures: dict[str, HostError] = {}
        for change in changes:
            path = scope.paths.cni / change.key
            try:
                if change.action is Action.DELETE:
                    with suppress(Missing):
                        host.remove_file(path)
                else:
                    host.write_file(path, change.after.encode(_TEXT), _MODE)
            except HostError as error:
                failures[change.key] = error
        return failures

    def needs(self, key: str, value: str) -> tuple[Need, ...]:
        """Return what a pod needs: the plumbing, and the rules that keep it private."""
        del key, value
        return tuple(map(Need, ("guard", "sysctl", "link", "address", "up", "firewall")))


CNI: Final = CniKind()


def _network_of(content: bytes) -> str | None:
    """Return the network's name; None when the file is no CNI configuration any more."""
    try:
        return str(read(content).get("name", ""))
    except ValueError:
        return None


def _describe(network: str | None) -> str:
    if network is None:
        return "a file of this name that is no CNI configuration is there, and we did not write it"
    return f"a file of this name configures the CNI network {network!r}, not {NETWORK_NAME!r}"
