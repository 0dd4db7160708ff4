"""Turns to what the API is told of them: the status of the MeshNode, and Events."""
