"""What the agent writes to the API beside its status: its MeshNode, and the masters of keys."""
