"""The part of curl that the documents' examples need, for machines without it: `python curl.py [OPTION]... URL`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="body")
    parser.add_argument("--data-binary", dest="file", type=lambda named: Path(named.removeprefix("@")))
    for about_the_terminal in ("-s", "-S", "-N"):
        parser.add_argument(about_the_terminal, action="store_true")
    options = parser.parse_args()
    headers = [tuple(part.strip() for part in header.split(":", 1)) for header in options.headers]
    body = options.body if options.file is None else options.file.read_bytes()
    method = "GET" if body is None else "POST"
    with httpx.stream(method, options.url, headers=headers, content=body, timeout=60) as response:
        for text in response.iter_text():
            sys.stdout.write(text)


if __name__ == "__main__":
    main()
