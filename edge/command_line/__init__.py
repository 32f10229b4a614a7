"""The commands of `daicho`, a module for each subject; `cli.py` puts them together and hands in the contracts."""
