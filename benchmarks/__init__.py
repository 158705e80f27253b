"""Measurements, by one's own hand: words per second, memory and accuracy beside spaCy's; see README.md in this folder."""
