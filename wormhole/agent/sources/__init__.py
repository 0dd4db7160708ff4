"""What the agent follows, and what wakes it: a cluster or a folder, files, the kernel, time."""
