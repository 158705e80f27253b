"""`python -m benchmarks forgetting COMMAND`: measure what is missing in FOLDER, and print the table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.forgetting import genres, labels, new_type

COMMANDS = {"labels": labels, "type": new_type, "genre": genres}


def main(argv: Sequence[str]) -> int:
    """Run one of the experiments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks forgetting", description="What a trained model forgets while it learns."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="labels|type|genre")
    for name, module in COMMANDS.items():
        about = (module.__doc__ or "").partition("\n")[0]
        one = commands.add_parser(
            name, help=about, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        one.add_argument("--folder", required=True, help="where runs and results go; what is there is not repeated")
        one.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2), metavar="N")
        one.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of every training")
        module.add_arguments(one)
    args = parser.parse_args(argv)
    print(COMMANDS[args.command].run(args))
    return 0
