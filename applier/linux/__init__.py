"""The real host: netlink, processes, files. The only corner that imports pyroute2 and subprocess."""
