"""The documents of a mesh to what its hosts would do with a packet."""
