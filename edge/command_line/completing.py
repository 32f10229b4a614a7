"""`daicho completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script by which a shell completes commands and options with the tab key.

    \b
    Examples:
      daicho completion bash > ~/.local/share/bash-completion/completions/daicho
      daicho completion zsh > ~/.zfunc/_daicho
      daicho completion fish > ~/.config/fish/completions/daicho.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"click cannot complete in {shell}")
    click.echo(kind(context.find_root().command, {}, "daicho", "_DAICHO_COMPLETE").source())
