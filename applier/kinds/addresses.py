"""Addresses on our two links. All of them are ours; IPv6 link-local ones are the kernel's."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from applier.errors import HostError, Missing
from applier.host import Host
from applier.kind import Difference, Kind, Need
from applier.ownership import owned_links
from applier.plan import Action, Change, Observed
from applier.view import View
from applier.wanted import Scope, Wanted
from schemas.state import Value
from schemas.values import InterfaceAddress, is_ipv6


class LinkAddress(Value, frozen=True, kw_only=True):
    """An address on a link."""

    link: str
    address: InterfaceAddress


class AddressKind(Kind[LinkAddress]):
    """Key: the link's name and the address."""

    name: ClassVar[str] = "address"
    value_type: ClassVar[type] = LinkAddress

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, LinkAddress]:
        """Return the addresses of the WireGuard device and of the bridge."""
        del scope
        links = (wanted.host.wireguard, wanted.host.bridge)
        return _by_key(
            LinkAddress(link=link.interface, address=address)
            for link in links
            for address in link.addresses
        )

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return all addresses on links of ours."""
        return Observed(
            owned=_by_key(
                LinkAddress(link=link, address=address)
                for link in owned_links(view, scope)
                for address in view.addresses(link)
            )
        )

    def compare(
        self, desired: LinkAddress | None, observed: LinkAddress | None, last: LinkAddress | None
    ) -> Difference | None:
        """Compare presence: an address has no other properties."""
        del last
        if desired is None:
            return Difference(action=Action.DELETE)
        return Difference(action=Action.CREATE) if observed is None else None

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Make each change on its own."""
        del scope
        failures: dict[str, HostError] = {}
        for change in changes:
            try:
                if change.action is Action.DELETE:
                    with suppress(Missing):
                        host.delete_address(change.before.link, change.before.address)
                else:
                    host.add_address(change.after.link, change.after.address)
            except HostError as error:
                failures[change.key] = error
        return failures

    def needs(self, key: str, value: LinkAddress) -> tuple[Need, ...]:
        """Return the link."""
        del key
        return (Need("link", value.link),)

    def claim(self, value: LinkAddress) -> str:
        """Return an IPv6 address without its length: a link has it once.

        ``ipv6_add_addr`` (``net/ipv6/addrconf.c``) does not look at the length; IPv4 does.
        """
        bare = value.address.partition("/")[0]
        return f"{value.link} {bare}" if is_ipv6(bare) else ""

    def dies_with(self, key: str, value: LinkAddress) -> tuple[Need, ...]:
        """Return the link."""
        del key
        return (Need("link", value.link),)


ADDRESSES: Final = AddressKind()


def _by_key(addresses: Iterable[LinkAddress]) -> dict[str, LinkAddress]:
    return {_key_of(address): address for address in addresses}


def _key_of(address: LinkAddress) -> str:
    return f"{address.link} {address.address}"
