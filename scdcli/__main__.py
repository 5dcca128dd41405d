"""Run `scd` as `python -m scdcli`."""

from scdcli.cli import main

if __name__ == "__main__":
    main(prog_name="scd")
