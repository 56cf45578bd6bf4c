"""`python -m salesbot_pipelines` is the same door as `salesbot`."""

from salesbot_pipelines.cli import main

if __name__ == "__main__":
    main()
