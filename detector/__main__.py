"""`python -m detector` is the same program as the `detector` command."""

from detector.cli import main

if __name__ == "__main__":
    main()
