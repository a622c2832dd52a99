"""`python -m station`: the same as the command `teleloom`."""

from station.cli import main

if __name__ == "__main__":
    main(prog_name="teleloom")
