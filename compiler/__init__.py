"""Inventory to desired state: text in, documents out, nothing else. Pure.

Nothing here opens a file, reads a clock, draws a random number or starts a process; the
shell hands in :class:`compiler.source.Source` texts and writes what comes back.
"""
