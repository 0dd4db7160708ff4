"""What the proof of documents needs of the rest: plans, files, words."""
