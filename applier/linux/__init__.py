"""The real host: netlink, tools, files. The only corner with pyroute2 and subprocess."""
