"""`python -m xpmd`."""

from xpmd.cli import main

if __name__ == "__main__":
    main()
