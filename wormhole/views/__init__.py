"""What the commands found and did, as text for a reader."""
