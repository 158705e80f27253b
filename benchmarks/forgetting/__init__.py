"""What a trained model forgets while it learns: `python -m benchmarks forgetting labels|type|genre`."""
