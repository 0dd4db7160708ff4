"""The CNI configuration: pods start once runtimes can read it, so it comes last and goes first.

The name in the runtimes' folder is a symbolic link into our run folder, which a boot empties. So
after a boot no runtime has a network until an apply has put everything else in place: a plain file
would outlive the guards, and pods that start before the agent would send in clear.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

from applier.errors import HostError, Missing
from applier.host import Host
from applier.kind import Difference, Kind, Need
from applier.paths import Paths
from applier.plan import Action, Change, Observed
from applier.view import View
from applier.wanted import Scope, Wanted
from renderers.cni import read, write
from schemas.marks import NETWORK_NAME
from schemas.state import Value

_MODE: Final = 0o644
"""A container runtime may read it as another user; there is no secret in it."""

_TEXT: Final = "utf-8"


class CniFile(Value, frozen=True, kw_only=True):
    """A configuration, and what is under its name where runtimes look."""

    link: str = ""
    """Where the name leads; empty: it is no link, or there is nothing under it."""
    text: str | None = None
    """What is in our run folder; None: nothing."""
    plain: str | None = None
    """What is under the name itself, in a file that outlives a boot; None: no such file."""

    @property
    def has_name(self) -> bool:
        """Whether there is anything under the name."""
        return bool(self.link) or self.plain is not None

    @property
    def is_read(self) -> bool:
        """Whether runtimes find a configuration."""
        return self.plain is not None or (bool(self.link) and self.text is not None)


class CniKind(Kind[CniFile]):
    """Key: the file's name."""

    name: ClassVar[str] = "cni"
    value_type: ClassVar[type] = CniFile

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, CniFile]:
        """Return the configuration, as CNI's specification has it, behind a link."""
        cni = wanted.host.cni
        link = str(scope.paths.configuration(cni.file_name))
        return {cni.file_name: CniFile(link=link, text=write(cni.config))}

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return what has our names and leads to us, or has the network's name inside."""
        owned = {}
        foreign = {}
        for name in scope.cni_files:
            found, whose = _look_at(view, scope, name)
            if found != _NOTHING:
                owned[name] = found
            if whose and scope.names is not None and name == scope.names.cni_file:
                foreign[name] = whose
        return Observed(owned=owned, foreign=foreign)

    def compare(
        self, desired: CniFile | None, observed: CniFile | None, last: CniFile | None
    ) -> Difference | None:
        """Compare bytes: the file is wholly ours."""
        del last
        if desired is None:
            return Difference(action=Action.DELETE, note="no new pods can start")
        if desired == observed:
            return None
        if observed is None or not observed.is_read:
            return Difference(action=Action.CREATE, note="pods can start from here on")
        goes = desired.plain is None and observed.plain is not None
        note = "a boot takes it away until all else is in place" if goes else ""
        return Difference(action=Action.UPDATE, note=note)

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Make each change on its own."""
        failures: dict[str, HostError] = {}
        for change in changes:
            before, after = change.before or _NOTHING, change.after or _NOTHING
            try:
                _make(host, scope.paths, change.key, before, after)
            except HostError as error:
                failures[change.key] = error
        return failures

    def needs(self, key: str, value: CniFile) -> tuple[Need, ...]:
        """Return what a pod needs: the plumbing, and the rules that keep it private."""
        del key, value
        return tuple(map(Need, ("guard", "sysctl", "link", "address", "up", "firewall")))


CNI: Final = CniKind()

_NOTHING: Final = CniFile()


def _look_at(view: View, scope: Scope, name: str) -> tuple[CniFile, str]:
    """Return what of a name is ours, and whose the rest is; empty when there is no such rest."""
    path, target = scope.paths.cni / name, scope.paths.configuration(name)
    link, text = view.read_link(path), view.read_file(target)
    leads_here = link is not None and _is_same_file(link, target)
    content = text if leads_here else view.read_file(path)
    plain = None if link is not None else content
    found = CniFile(link=link or "", text=_decode(text), plain=_decode(plain))
    network = None if content is None else _network_of(content)
    written = leads_here or name in scope.written_cni_files
    if not found.has_name or network == NETWORK_NAME or (network is None and written):
        return found, ""
    # Somebody may have written through our link; what lies in our folder otherwise is ours.
    rest = _NOTHING if leads_here else CniFile(text=found.text)
    return rest, _describe(link if content is None else None, network)


def _is_same_file(link: str, target: Path) -> bool:
    """Whether a link leads to our file, from wherever we see that.

    A container that removes what is ours may see the host's folders below another one.
    """
    return link.startswith("/") and str(target).endswith(link)


def _make(host: Host, paths: Paths, name: str, before: CniFile, after: CniFile) -> None:
    """Go from one to the other, so that runtimes find a whole configuration or none.

    They watch nothing but the folder that the name is in. So the name comes last, anew even if it
    is the same link: that is what makes them look again.
    """
    path, target = paths.cni / name, paths.configuration(name)
    if before.has_name and not after.has_name:
        _remove(host, path)
    if after.text is None and before.text is not None:
        _remove(host, target)
    elif after.text is not None and after.text != before.text:
        host.write_file(target, after.text.encode(_TEXT), _MODE)
    if after.plain is not None:
        host.write_file(path, after.plain.encode(_TEXT), _MODE)
    elif after.link:
        host.replace_link(path, after.link)


def _remove(host: Host, path: Path) -> None:
    with suppress(Missing):
        host.remove_file(path)


def _decode(content: bytes | None) -> str | None:
    return None if content is None else content.decode(_TEXT, "replace")


def _network_of(content: bytes) -> str | None:
    """Return the network's name; None when the file is no CNI configuration any more."""
    try:
        return str(read(content).get("name", ""))
    except ValueError:
        return None


def _describe(link: str | None, network: str | None) -> str:
    if link is not None:
        return f"a link of this name leads to {link}, where nothing is, and we did not make it"
    if network is None:
        return "a file of this name that is no CNI configuration is there, and we did not write it"
    return f"a file of this name configures the CNI network {network!r}, not {NETWORK_NAME!r}"
