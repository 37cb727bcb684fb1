"""Requests drawn from the OpenAPI document, good and bad: no 5xx, and no answer that the document does not name."""

import threading
from collections.abc import Iterator

import pytest
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from control_plane.access.tokens import Access
from control_plane.api.app import create_app
from control_plane.api.protocol import Bounded
from control_plane.api.serving import listening
from tests.api.conftest import TOKEN

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# A stream has no end that could be waited for.
ENDLESS = "/api/events"


@pytest.fixture
def url(plane, access: Access) -> Iterator[str]:
    """A server in a thread of this process, over real sockets."""
    sock = listening("127.0.0.1", 0)
    config = uvicorn.Config(create_app(plane, access), log_config=None, access_log=False, ws="none", http=Bounded)
    server = uvicorn.Server(config)
    running = threading.Thread(target=server.run, args=([sock],))
    running.start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.should_exit = True
    running.join(30)
    assert not running.is_alive()


def fuzz(url: str, mode: GenerationMode, examples: int, unnamed: str = "") -> dict[str, set[int]]:
    """Which statuses each operation answered; raises at the first answer that a check refuses."""
    answered: dict[str, set[int]] = {}
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        description = session.get(f"{url}/schema/openapi.json", timeout=20).json()
        for verbs in description["paths"].values():
            for told in verbs.values():
                told["responses"].pop(unnamed, None)
        for found in schemathesis.openapi.from_dict(description).get_all_operations():
            operation = found.ok()
            takes = bool(operation.body) or bool(operation.query) or bool(operation.path_parameters)
            if operation.path != ENDLESS and (takes or mode is GenerationMode.POSITIVE):
                answered[operation.label] = ask(operation, mode, examples, url, session)
    return answered


def ask(operation, mode: GenerationMode, examples: int, url: str, session: requests.Session) -> set[int]:
    statuses: set[int] = set()

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, print_blob=False,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case):
        answer = case.call(base_url=url, session=session, timeout=20)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    try:
        asked()
    except BaseExceptionGroup as faults:
        raise AssertionError(operation.label) from faults.exceptions[0]
    return statuses


@pytest.mark.requirement("SERVE-52")
def test_requests_that_fit_the_description_get_the_answers_that_it_names(url):
    answered = fuzz(url, GenerationMode.POSITIVE, 4)
    assert {200, 400, 404} <= set.union(*answered.values())
    assert len(answered) >= 25


@pytest.mark.requirement("SERVE-52")
def test_requests_that_do_not_fit_get_the_answers_that_it_names(url):
    answered = fuzz(url, GenerationMode.NEGATIVE, 4)
    assert {400} <= answered["POST /api/advise"] <= {400, 401, 413}
    assert not any(200 in answered[f"POST {path}"] for path in ("/api/advise", "/api/results", "/api/policies"))


@pytest.mark.requirement("SERVE-52")
def test_an_answer_that_the_description_does_not_name_is_found(url):
    with pytest.raises(AssertionError, match="POST"):
        fuzz(url, GenerationMode.NEGATIVE, 6, unnamed="400")


@pytest.mark.long
@pytest.mark.requirement("SERVE-52")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_five_hundred_requests_of_each_kind_at_every_route(url, mode):
    fuzz(url, mode, 500)
