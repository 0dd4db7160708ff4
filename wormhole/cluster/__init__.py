"""The Kubernetes API, as far as Wormhole speaks it: the one corner that knows the client library."""
