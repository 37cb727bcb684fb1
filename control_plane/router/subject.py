"""Whom a result is about, and how that is written; the same for all decisions of one kept choice and arm."""

import msgspec

_encode = msgspec.json.Encoder().encode


class Subject:
    __slots__ = ("_front", "arm", "repo", "repo_part", "session", "task_type")

    def __init__(self, arm: str, task_type: str, repo: str | None = None, session: str | None = None) -> None:
        self.arm, self.task_type, self.repo, self.session = arm, task_type, repo, session
        self.repo_part = b"" if repo is None else b',"repo":%b' % _encode(repo)
        self._front = b""

    def front(self, process: str) -> bytes:
        if not self._front:
            parts = (_encode(self.arm), _encode(self.task_type), _encode(process))
            self._front = b'"arm":%b,"task_type":%b,"process":%b' % parts
        return self._front

    def within(self, session: str) -> "Subject":
        """The same in a session."""
        found = Subject.__new__(Subject)
        found.arm, found.task_type, found.repo, found.session = self.arm, self.task_type, self.repo, session
        found.repo_part, found._front = self.repo_part, self._front
        return found
