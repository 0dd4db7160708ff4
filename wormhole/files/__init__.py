"""The folders and files that the commands read and write."""
