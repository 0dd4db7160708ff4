"""Turns to what is served over HTTP: metrics, and health."""
