"""The real host: netlink, tools, files. The only corner that starts processes."""

from applier.linux.host import LinuxHost

__all__ = ["LinuxHost"]
