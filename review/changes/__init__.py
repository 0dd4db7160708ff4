"""Two states of a mesh to what has changed between them, in words: causes, not lines."""
