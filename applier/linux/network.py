"""Links, addresses and routes of the running kernel, as the host's doors show them."""

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from typing import Final

from applier.errors import Exists, HostError, Missing, Unobservable, Unsupported
from applier.host import Link, LiveRoute
from applier.linux import encode
from applier.linux.decode import (
    ADDRESS_HEADER,
    IFLA_IFNAME,
    LINK_HEADER,
    ROUTE_HEADER,
    RT_TABLE_MAIN,
    RTA_TABLE,
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWLINK,
    RTM_SETLINK,
    AddressRecord,
    decode_address,
    decode_link,
    decode_route,
)
from applier.linux.framing import NetlinkError, attribute
from applier.linux.netlink import (
    NETLINK_ROUTE,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Netlink,
    OpenChannel,
    SocketChannel,
)
from applier.linux.sysctl import Sysctls
from applier.linux.writes import write
from schemas.values import InterfaceAddress, is_ipv6

_RTM_NEWADDR, _RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_RTM_NEWROUTE, _RTM_DELROUTE, _RTM_GETROUTE = 24, 25, 26
_NLM_F_REPLACE: Final = 0x100

_SOL_NETLINK: Final = 270
_NETLINK_GET_STRICT_CHK: Final = 12
_IFLA_EXT_MASK: Final = 29
_RTEXT_FILTER_SKIP_STATS: Final = 8
_U32: Final = struct.Struct("=I")
_LOOPBACK_INDEX: Final = 1  # in every network namespace (net/core/dev.c, LOOPBACK_IFINDEX)

_CLASSES: Final = {
    errno.EEXIST: Exists,
    errno.ENODEV: Missing,  # links
    errno.EADDRNOTAVAIL: Missing,  # addresses
    errno.ESRCH: Missing,  # routes
    errno.EOPNOTSUPP: Unsupported,
}


class StrictChannel(SocketChannel):
    """A channel whose dumps the kernel filters, where it can (Linux 4.20): else, we do."""

    def __init__(self, protocol: int) -> None:
        super().__init__(protocol)
        with suppress(OSError):
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)


class NetworkDoors:
    """The doors to links, addresses and routes, over one socket that is opened on first use."""

    def __init__(self, open_channel: OpenChannel = StrictChannel) -> None:
        self._open_channel = open_channel
        self._netlink: Netlink | None = None
        self._stack = ExitStack()

    def close(self) -> None:
        """Close the socket; the next door opens another."""
        self._netlink = None
        self._stack.close()

    # links

    def links(self) -> tuple[Link, ...]:
        """Return every link. Raises :class:`Unobservable`."""
        request = LINK_HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + _WITHOUT_STATISTICS
        with _reading("read", "links"):
            return tuple(map(decode_link, self._conversation().dump(RTM_GETLINK, request)))

    def link(self, name: str) -> Link | None:
        """Return one link; None when there is none of that name. Raises :class:`Unobservable`."""
        request = LINK_HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + _WITHOUT_STATISTICS
        request += attribute(IFLA_IFNAME, name.encode() + b"\0")
        with _reading("read link", name):
            try:
                (answer,) = self._conversation().request(RTM_GETLINK, request)
            except NetlinkError as error:
                if error.code == errno.ENODEV:
                    return None
                raise
            return decode_link(answer)

    def create_bridge(self, name: str, *, mac: str, mtu: int, group: int) -> None:
        """Make a bridge, down; its MTU is set apart, because only that pins it.

        Raises:
            Exists: a link of that name is already there.

        """
        with _changing("create bridge", name):
            payload = encode.new_link(name, "bridge", group=group, mac=mac)
            self._conversation().request(RTM_NEWLINK, payload, NLM_F_CREATE | NLM_F_EXCL)
        self.set_link(name, mtu=mtu)

    def set_link(
        self,
        name: str,
        *,
        mtu: int | None = None,
        mac: str | None = None,
        group: int | None = None,
        up: bool | None = None,
    ) -> None:
        """Change only what is given. Raises :class:`Missing` when there is no such link."""
        given = {"mtu": mtu, "mac": mac, "group": group, "up": up}
        words = [f"{word} {value}" for word, value in given.items() if value is not None]
        with _changing("set link", " ".join([name, *words]).lower()):
            index = _index_of(name)
            payload = encode.changed_link(index, mtu=mtu, mac=mac, group=group, up=up)
            self._conversation().request(RTM_SETLINK, payload)

    def delete_link(self, name: str) -> None:
        """Delete the link. Raises :class:`Missing` when it is not there."""
        with _changing("delete link", name):
            self._conversation().request(RTM_DELLINK, encode.link_of(_index_of(name)))

    # addresses

    def addresses(self, link: str) -> tuple[InterfaceAddress, ...]:
        """Return a link's addresses; () when there is no such link. Raises Unobservable."""
        with _reading("read addresses of", link):
            records = self._address_records(link)
        return tuple(record.address for record in records if not record.link_local)

    def add_address(self, link: str, address: InterfaceAddress) -> None:
        """Add an address. Raises :class:`Exists`, or :class:`Missing` without the link."""
        with _changing("add address", f"{address} to {link}"):
            payload = encode.new_address(_index_of(link), address)
            self._conversation().request(_RTM_NEWADDR, payload, NLM_F_CREATE | NLM_F_EXCL)

    def delete_address(self, link: str, address: InterfaceAddress) -> None:
        """Delete exactly this address. Raises :class:`Missing` when it is not there.

        With an IPv4 subnet's first address, the kernel deletes the others, and every route that
        needs them, unless the link promotes the next one. So it is told to first.
        """
        with _changing("delete address", f"{address} from {link}"):
            records = self._address_records(link)
            record = next((record for record in records if record.address == address), None)
            if record is None:
                raise NetlinkError(errno.EADDRNOTAVAIL)
            if any(other.secondary for other in records) and not record.secondary:
                _promote_secondaries(link)
            payload = encode.old_address(_index_of(link), record)
            self._conversation().request(_RTM_DELADDR, payload)

    def _address_records(self, link: str) -> list[AddressRecord]:
        try:
            index = _index_of(link)
            request = ADDRESS_HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, index)
            parts = self._conversation().dump(_RTM_GETADDR, request)
        except NetlinkError as error:
            if error.code == errno.ENODEV:
                return []
            raise
        return [record for part in parts if (record := decode_address(part, index))]

    # routes

    def routes(self) -> tuple[LiveRoute, ...]:
        """Return the main table, IPv4 first. Raises :class:`Unobservable`."""
        device_name = cache(_name_of)  # for this dump only: an index may be given again
        with _reading("read", "routes"):
            return tuple(
                route
                for family in (socket.AF_INET, socket.AF_INET6)
                for part in self._main_table(family)
                if (route := decode_route(part, device_name))
            )

    def _main_table(self, family: int) -> list[bytes]:
        request = ROUTE_HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        request += attribute(RTA_TABLE, _U32.pack(RT_TABLE_MAIN))
        try:
            return self._conversation().dump(_RTM_GETROUTE, request)
        except NetlinkError as error:
            if error.code == errno.ENOENT:  # a table is made with its first route
                return []
            if error.code == errno.EAFNOSUPPORT and family == socket.AF_INET6:
                return []  # booted with ipv6.disable=1
            raise

    def add_route(self, route: LiveRoute) -> None:
        """Add a route. Raises :class:`Exists` when anybody holds its destination and metric."""
        with _changing("add route", _describe(route)):
            payload = encode.new_route(route, _route_index(route))
            self._conversation().request(_RTM_NEWROUTE, payload, NLM_F_CREATE | NLM_F_EXCL)

    def replace_route(self, route: LiveRoute) -> None:
        """Put this route in the place of the one at its destination and metric."""
        with _changing("replace route", _describe(route)):
            payload = encode.new_route(route, _route_index(route))
            self._conversation().request(_RTM_NEWROUTE, payload, NLM_F_CREATE | _NLM_F_REPLACE)

    def delete_route(self, route: LiveRoute) -> None:
        """Delete exactly this route. Raises :class:`Missing` when it is not there.

        IPv6 compares no type on deletion (``ip6_route_del``, ``net/ipv6/route.c``), but the
        device, which is loopback for every rejecting route and for hardly any other.
        """
        with _changing("delete route", _describe(route)):
            rejecting = route.type != "unicast" and is_ipv6(route.destination)
            index = _LOOPBACK_INDEX if rejecting else _route_index(route)
            self._conversation().request(_RTM_DELROUTE, encode.old_route(route, index))

    def _conversation(self) -> Netlink:
        if self._netlink is None:
            netlink = Netlink(NETLINK_ROUTE, self._open_channel)
            self._netlink = self._stack.enter_context(netlink)
        return self._netlink


_WITHOUT_STATISTICS: Final = attribute(_IFLA_EXT_MASK, _U32.pack(_RTEXT_FILTER_SKIP_STATS))
"""A link's counters are most of its message."""


@contextmanager
def _reading(operation: str, target: str) -> Iterator[None]:
    """Turn whatever goes wrong while reading into :class:`Unobservable`."""
    try:
        yield
    except NetlinkError as error:
        raise Unobservable(operation, target, error.reason, error.code) from error
    except (OSError, ValueError, KeyError, struct.error) as error:
        reason = f"the kernel's answer could not be understood: {error!r}"
        raise Unobservable(operation, target, reason, errno.EBADMSG) from error


@contextmanager
def _changing(operation: str, target: str) -> Iterator[None]:
    """Log one change, and say by class what the kernel refused."""
    with write(operation, target):
        try:
            yield
        except NetlinkError as error:
            kind = _CLASSES.get(error.code, HostError)
            raise kind(operation, target, error.reason, error.code) from error
        except (OSError, ValueError, KeyError, struct.error) as error:
            reason = f"could not be put into a message: {error}"
            raise HostError(operation, target, reason, errno.EINVAL) from error


def _index_of(link: str) -> int:
    """Return a link's index. Raises ``NetlinkError`` with ``ENODEV``, as the kernel would."""
    try:
        return socket.if_nametoindex(link)
    except OSError as error:
        raise NetlinkError(errno.ENODEV, f"link {link}") from error


def _name_of(index: int) -> str:
    """Return a link's name; as ``ip`` does, ``if7`` for one that has just gone."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"if{index}"


def _route_index(route: LiveRoute) -> int:
    """Return the index of a route's device, 0 for none."""
    if "," in route.device or "," in route.gateway:
        raise ValueError("a route over several next hops is nothing that we make or delete")
    return _index_of(route.device) if route.device else 0


def _promote_secondaries(link: str) -> None:
    key = f"net/ipv4/conf/{link}/promote_secondaries"
    sysctls = Sysctls()
    if sysctls.read_sysctl(key) == "0":
        sysctls.write_sysctl(key, "1")


def _describe(route: LiveRoute) -> str:
    words = [route.type, route.destination, f"metric {route.metric}", f"proto {route.protocol}"]
    words += [f"via {route.gateway}"] if route.gateway else []
    words += [f"dev {route.device}"] if route.device else []
    return " ".join(words)
