"""The contract between rooms: document types, their JSON Schemas, loading and dumping.

What lives here is read by the compiler, the renderers, the applier and the shell alike.
Nothing here decides, and nothing here does input or output beyond reading the schemas
that ship beside it.
"""
