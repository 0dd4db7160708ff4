"""The real host: netlink, tools, files. The only corner with pyroute2 and subprocess."""

from applier.linux.host import LinuxHost

__all__ = ["LinuxHost"]
