"""One resolved host's state to native text, and back. No input, no output, no decisions."""
