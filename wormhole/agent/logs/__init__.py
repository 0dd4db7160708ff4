"""Turns to lines of a log."""
