"""The dashboard's page and its files; no token is needed for them, and nothing of the log is in them."""

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from ..dashboard.files import HEADERS, read_files

_FILES = read_files()


@get("/", include_in_schema=False, summary="The dashboard")
async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
    return _answered(request, "index.html")


@get("/assets/{name:str}", include_in_schema=False, summary="Its files")
async def asset(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    if name not in _FILES or name == "index.html":
        raise NotFoundException("there is no such file")
    return _answered(request, name)


def _answered(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
    file = _FILES[name]
    headers = {**HEADERS, "ETag": file.tag}
    if request.headers.get("if-none-match") == file.tag:
        return Response(b"", status_code=304, headers=headers, media_type=file.kind)
    return Response(file.content, headers=headers, media_type=file.kind)


HANDLERS = (page, asset)
