"""The live app: a webcam's person in another scene. See ``python run_webcam.py --help``."""

import sys

from video_harmonizer.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["live", *sys.argv[1:]]))
