"""Builds what is published, from the last commit: ``python -m tests.package.building dist``.

Two builds of one commit are the same, byte for byte. Nothing is fetched.
"""

import gzip
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent.parent


def build(dist):
    """Put the source distribution and the wheel that is built from it into *dist*."""
    committed_at = int(git("log", "-1", "--format=%ct"))
    with TemporaryDirectory() as source:
        # The files have the time of the commit.
        with tarfile.open(fileobj=BytesIO(git("archive", "HEAD"))) as archive:
            archive.extractall(source, filter="data")
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, source],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"SOURCE_DATE_EPOCH": str(committed_at), "PIP_NO_INDEX": "1"},
        )
    (sdist,) = Path(dist).glob("*.tar.gz")
    write_again(sdist, committed_at)


def write_again(sdist, moment):
    """Give *sdist* one time and no owner: setuptools writes those of the build."""
    packed = BytesIO()
    with (
        tarfile.open(sdist) as old,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda each: each.name):
            member.mtime = moment
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.pax_headers = {}
            # As git has them, whatever the umask of the build.
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    with sdist.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=moment) as out:
        out.write(packed.getvalue())


def git(*arguments):
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
