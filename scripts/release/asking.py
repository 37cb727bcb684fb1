"""pip-audit, also where an index knows no page of one version: the newest version's advisories stand on its package's.

usage: as pip-audit.

Of an older version the package's page says nothing, so that stays a package about which nobody could be asked.
"""

import sys

import requests
from packaging.version import Version

GONE = 404


class Asking(requests.Session):
    """A session that turns to the package's page where there is none of the version."""

    def __init__(self, session: requests.Session) -> None:
        super().__init__()
        self._session = session

    def get(self, url: str | bytes, **how: object) -> requests.Response:
        answer = self._session.get(url, **how)  # type: ignore[arg-type]
        if answer.status_code != GONE:
            return answer
        package, version, page = str(url).rsplit("/", 2)
        newest = self._session.get(f"{package}/{page}", **how)  # type: ignore[arg-type]
        return newest if newest.ok and Version(newest.json()["info"]["version"]) == Version(version) else answer


def main() -> None:
    from pip_audit._cli import audit
    from pip_audit._service import pypi

    kept = pypi.caching_session
    pypi.caching_session = lambda cache: Asking(kept(cache))
    audit()


if __name__ == "__main__":
    sys.exit(main())
