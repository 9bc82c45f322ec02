"""`aichat completion`: prints what teaches a shell the commands and options."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
_aichat() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command= word words=
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$command $word" in {commands}) command="$command $word" ;; esac
  done
  case "$command:$before" in
{values}
  esac
  case "$command" in
{words}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _aichat aichat
"""


@dataclass(slots=True)
class _Command:
    """One command, such as "conversations show"; its name is empty for `aichat` itself."""

    name: str
    about: str
    actions: dict[str, str] = field(default_factory=dict)
    options: list[argparse.Action] = field(default_factory=list)


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """Returns the script for a shell."""
    commands = list(_commands(parser, "", ""))
    if shell == "fish":
        return "\n".join(_fish(commands)) + "\n"
    begin = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return begin + _bash(commands)


def _commands(parser: argparse.ArgumentParser, name: str, about: str) -> Iterator[_Command]:
    found = _Command(name, about)
    yield found
    for action in parser._actions:
        if action.option_strings:
            found.options.append(action)
        elif isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for word, inner in action.choices.items():
                found.actions[word] = helps[word]
                yield from _commands(inner, f"{name} {word}".strip(), helps[word])
        elif action.choices:
            found.actions.update({str(choice): "" for choice in action.choices})


def _bash(commands: list[_Command]) -> str:
    values, words = [], []
    for command in commands:
        path = f" {command.name}" if command.name else ""
        for option in command.options:
            if option.nargs != 0:
                names = "|".join(f'"{path}:{name}"' for name in option.option_strings)
                choices = " ".join(map(str, option.choices or ()))
                # Without choices, bash completes the names of files.
                offer = f'COMPREPLY=($(compgen -W "{choices}" -- "$current"))' if choices else "COMPREPLY=()"
                values.append(f"    {names}) {offer}; return ;;")
        offered = [*command.actions, *(name for option in command.options for name in option.option_strings)]
        words.append(f'    "{path}") words="{" ".join(offered)}" ;;')
    names = "|".join(f'" {command.name}"' for command in commands if command.name)
    return _BASH.format(commands=names, values="\n".join(values), words="\n".join(words))


def _fish(commands: list[_Command]) -> Iterator[str]:
    for command in commands:
        words = command.name.split()
        seen = [f"__fish_seen_subcommand_from {word}" for word in words]
        if not words:
            seen = ["__fish_use_subcommand"]
        elif command.actions:
            seen.append(f"not __fish_seen_subcommand_from {' '.join(command.actions)}")
        for word, about in command.actions.items():
            yield f"complete -c aichat -f -n {shlex.quote('; and '.join(seen))} -a {word} -d {shlex.quote(about)}"
        when = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in words)
        for option in command.options:
            yield " ".join(["complete -c aichat", *(["-n", shlex.quote(when)] if when else []), *_fish_option(option)])


def _fish_option(option: argparse.Action) -> Iterator[str]:
    for name in option.option_strings:
        yield f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
    if option.choices and len(list(option.choices)) < 20:
        yield f"-x -a {shlex.quote(' '.join(map(str, option.choices)))}"
    elif option.nargs != 0:
        yield "-r"
    yield f"-d {shlex.quote(option.help or '')}"
