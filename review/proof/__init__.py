"""The documents of a mesh to a proof that it is private and connected, or to counter-examples."""
