"""Files and folders of khabar's own as they are made: private, and their folder's.

What root makes in a folder of another user belongs to that user. One command as root
(`sudo khabar crawl`) before the first start, or on a new day, left a lock, a database
or a WARC file that the service could not open any more.
"""

import os
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def open_own_file(path: Path, flags: int) -> int:
    """A descriptor of a file of ours, which is made with mode 0600 where it lacks.

    Raises OSError. `flags` are those of `os.open`, without O_CREAT and O_CLOEXEC.
    """
    file = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        found = os.fstat(file)
        # Only what has just been made: an owner that somebody chose stays.
        if os.geteuid() == 0 and found.st_size == 0 and found.st_uid == 0:
            folder = path.parent.stat()
            os.fchown(file, folder.st_uid, folder.st_gid)
    except BaseException:
        os.close(file)
        raise
    return file


def make_own_folder(folder: Path) -> None:
    """Make a folder and those above it, mode 0700. Raises OSError."""
    if folder.is_dir():
        return
    make_own_folder(folder.parent)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    if os.geteuid() == 0:
        above = folder.parent.stat()
        os.chown(folder, above.st_uid, above.st_gid)
