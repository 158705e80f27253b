"""The command line's runs as functions of Python: `runner.train`, `runner.sweep`, `runner.runs`, and what they return.

A function here does what the command of the same words does, with the same bits. It returns or raises; nothing that
it changes in the process outlasts it.
"""
