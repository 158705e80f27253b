"""The errors a user meets: a place, a fact and a next move, in at most two lines.

A broken invariant of the project itself is an `assert`, never one of these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from runner.foreign import shown, shown_name
from runner.secrets import masked

_LONGEST = 600  # characters of a line; longer lines are cut, so that messages may quote any value


class RunnerError(Exception):
    """A mistake that the user can mend: a config key, a file, a name. Exit code 2.

    >>> print(RunnerError("tag 'I-LOC' follows 'O'", place="train.iob:412", hint="Open the entity with B-LOC."))
    train.iob:412: tag 'I-LOC' follows 'O'
      Open the entity with B-LOC.
    """

    exit_code = 2

    def __init__(self, fact: str, *, place: str | None = None, hint: str | None = None) -> None:
        super().__init__(fact)
        self.fact = fact
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        first = f"{self.place}: {self.fact}" if self.place else self.fact
        text = masked(f"{first}\n  {self.hint}" if self.hint else first)
        lines = [
            shown(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 150]} … {line[-150:]}")
            for line in text.splitlines()
            if line.strip()
        ]
        return "\n".join([lines[0], "  " + " ".join(line.strip() for line in lines[1:])][: len(lines)])

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.fact, self.place, self.hint)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: a mistake of the user's is told by its message."""
        return [f"{type(self).__name__}: {self}"]

    def at(self, place: str) -> RunnerError:
        """The same error, at `place` if it has no place yet."""
        return self if self.place else type(self)(self.fact, place=place, hint=self.hint)


class RunFailed(RunnerError):
    """A run failed although its config is fine (a loss that is not finite, a full disk). Exit code 1."""

    exit_code = 1


AFTER_DIVERGENCE = (
    "Lower optimizer.learn_rate or optimizer.grad_clip, or go back and halve the rate: training.max_rollbacks=3. "
    "The weights before this step are untouched."
)


class Diverged(RunFailed):
    """A loss, gradient, weight or score that is not finite. The weights before that step are untouched."""

    def at_step(self, step: int) -> Diverged:
        """The same error with its step in the text, in place of any other step.

        >>> print(Diverged("the loss of ner is nan").at_step(3).at_step(8))
        the loss of ner is nan at step 8
        """
        return Diverged(f"{self.fact.partition(' at step ')[0]} at step {step}", place=self.place, hint=self.hint)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM. Not an Exception: handlers save what must be saved, then raise it again. Exit code 130 or 143."""

    def __init__(self, exit_code: int = 130) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code

    def __str__(self) -> str:
        return "terminated" if self.exit_code == 143 else "interrupted"


def _rebuild(kind: type[RunnerError], fact: str, place: str | None, hint: str | None) -> RunnerError:
    return kind(fact, place=place, hint=hint)


_MAX_KNOWN = 50  # names that an error lists
_MAX_NAME = 80  # characters shown of the nearest name


def suggest(name: str, known: Iterable[str]) -> str:
    """A clause that teaches: the nearest known name, then all of them.

    >>> suggest("warmup_liner", ["constant", "warmup_linear"])
    "did you mean 'warmup_linear'? (known: constant, warmup_linear)"
    """
    names = sorted(known)
    lowered = {known_name.lower(): known_name for known_name in reversed(names)}
    near = difflib.get_close_matches(name, names, n=1)
    near = near or [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered, n=1)]
    listed = [shown_name(known_name) for known_name in names[:_MAX_KNOWN]]
    more = f", and {len(names) - _MAX_KNOWN} more" if len(names) > _MAX_KNOWN else ""
    listing = f"known: {', '.join(listed)}{more}" if names else "none is known"
    return f"did you mean {near[0][:_MAX_NAME]!r}? ({listing})" if near else f"({listing})"
