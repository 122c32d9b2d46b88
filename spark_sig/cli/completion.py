"""The command ``completion``: what a shell has to know to complete commands and flags."""

from __future__ import annotations

import os
from enum import Enum
from typing import Annotated

import typer
from typer.completion import (  # type: ignore[attr-defined]  # from modules that typer calls its own
    completion_init,
    get_completion_script,
)

from spark_sig.cli.console import say

# The program, and the variable by which its shell function calls it.
PROGRAM = "spark-sig"
_VARIABLE = "_SPARK_SIG_COMPLETE"


class Shell(Enum):
    """A shell that completes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion_command(shell: Annotated[Shell, typer.Argument(help="Your shell.")]) -> None:
    """Print what makes a shell complete commands and flags.

    Examples:

        eval "$(spark-sig completion bash)"

        spark-sig completion fish > ~/.config/fish/completions/spark-sig.fish
    """
    say(get_completion_script(prog_name=PROGRAM, complete_var=_VARIABLE, shell=shell.value))


def answer_shells() -> None:
    """Let the program answer what the shell's function asks, where that has called it."""
    if _VARIABLE in os.environ:
        completion_init()
