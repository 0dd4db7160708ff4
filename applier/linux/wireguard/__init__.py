"""Live WireGuard devices, read and changed: the kernel's and userspace ones behind one door."""
