"""The Kubernetes API, as far as Wormhole speaks it: the only room that knows the client library."""
