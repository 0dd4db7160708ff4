"""Observe one host, diff it with its desired state, converge it, verify, revert.

Pure modules (``plan``, ``kinds``) decide; ``host`` names the only doors to the world;
``linux`` opens them on a real kernel and ``fake`` in memory. The compiler is unknown here.
"""
