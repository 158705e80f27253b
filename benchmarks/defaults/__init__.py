"""`python -m benchmarks defaults`: what a user gets who names data and nothing else, here and in spaCy.

corpora → cells → runs (one line each in runs.jsonl) → cells with all their runs → tables, pictures
"""
