"""The node agent: a loop that keeps one host what a cluster, or a folder of documents, says."""
