"""Weights from their release URL into the user's cache: resumed, checked, and then renamed into place."""

import re
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import requests
from filelock import FileLock, Timeout
from requests.exceptions import ChunkedEncodingError
from tqdm import tqdm

from video_harmonizer.errors import InputError
from video_harmonizer.weights import cache
from video_harmonizer.weights.registry import Weights

ATTEMPTS = 5
FIRST_PAUSE = 1.0  # seconds before the second attempt; doubles with each further one
TIMEOUT = (10.0, 30.0)  # seconds to connect, seconds without a byte
CHUNK = 1 << 13  # bytes: of one that breaks off nothing is kept
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # HTTP statuses that may pass
BY_HAND = "or download it by hand and pass --matting-weights PATH in place of --matting"


def download(weights: Weights) -> Path:
    """Fetch `weights` unless the cache holds them intact already, and return the file.

    The file gets its name only when it is complete and its checksum fits. What had come before a failure
    stays beside it as ``*.partial`` and is continued next time. Raises InputError, naming the URL.
    """
    target = cache.location(weights)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            # Asked under the lock: another process may just have finished the same download.
            if not cache.intact(weights):
                _fetch(weights, target)
    except OSError as error:
        raise InputError(
            f"{target}: can't store {weights.source} there ({error.strerror or error}); free some space, set "
            f"HARMONIZER_CACHE to another folder, {BY_HAND}"
        ) from error
    return target


def _alone(target: Path) -> AbstractContextManager[object]:
    """Held while `target` is in the making: two processes must not write one partial file."""
    lock = FileLock(target.with_name(f"{target.name}.lock"))
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print(f"{target.name}: another process is downloading it; waiting", file=sys.stderr)
        return lock.acquire()


def _fetch(weights: Weights, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    continued = _size(partial) > 0
    _transfer_with_retries(weights, partial)
    got = cache.sha256_of(partial)
    if continued and got != weights.sha256:  # what an earlier run left was of another file
        partial.unlink()
        _transfer_with_retries(weights, partial)
        got = cache.sha256_of(partial)
    if got != weights.sha256:
        partial.unlink()
        raise InputError(
            f"{weights.name}: {weights.source} gave another file: got sha256 {got}, wanted {weights.sha256}; "
            f"it was thrown away; try again, {BY_HAND}"
        )
    partial.replace(target)


def _transfer_with_retries(weights: Weights, partial: Path) -> None:
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            _transfer(weights, partial)
            return
        except requests.RequestException as error:
            failure = error
            if error.response is not None and error.response.status_code not in TRANSIENT:
                break
            if not _size(partial) and isinstance(error, requests.ConnectionError):
                break  # nothing ever came: no network, or another address; that does not pass in seconds
    raise InputError(
        f"{weights.name}: can't download {weights.source}: {_reason(failure)}; check the connection and try "
        f"again, {BY_HAND}"
    ) from failure


def _transfer(weights: Weights, partial: Path) -> None:
    """Bring `partial` to its full length in one request, or raise RequestException.

    Whether what is continued is still the same file, its checksum will tell.
    """
    offset = _size(partial)
    headers = {"Accept-Encoding": "identity"}  # ranges and lengths count the file's own bytes
    if offset:
        headers["Range"] = f"bytes={offset}-"
    with requests.get(weights.source, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{offset}":
                return  # everything had come already
            partial.unlink(missing_ok=True)
            raise ChunkedEncodingError("the file got shorter since the last attempt")
        response.raise_for_status()
        start, total = _span(response)
        if start not in (0, offset):
            partial.unlink(missing_ok=True)
            raise ChunkedEncodingError(f"asked for bytes from {offset}, got bytes from {start}")
        with (
            partial.open("ab" if start else "wb") as file,
            tqdm(desc=weights.file, initial=start, total=total, unit="B", unit_scale=True, disable=None) as progress,
        ):
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                progress.update(len(chunk))
    if total is not None and _size(partial) != total:
        raise ChunkedEncodingError(f"broke off after {_size(partial)} of {total} bytes")


def _size(partial: Path) -> int:
    """Bytes that have come."""
    return partial.stat().st_size if partial.is_file() else 0


def _span(response: requests.Response) -> tuple[int, int | None]:
    """The offset of the response's first byte in the file (-1: not told), and the file's length if told."""
    if response.status_code == requests.codes.partial_content:
        content_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not content_range:
            return -1, None
        start, total = content_range.groups()
        return int(start), None if total == "*" else int(total)
    length = response.headers.get("Content-Length")
    return 0, int(length) if length else None


def _reason(error: BaseException) -> str:
    """What was at the bottom of it: requests wraps "Connection refused" in three layers of its own."""
    if isinstance(error, requests.HTTPError):
        return f"the server said {error.response.status_code} {error.response.reason}"
    while cause := error.__cause__ or error.__context__:
        error = cause
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
