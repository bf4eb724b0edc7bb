"""A page that is printed while it is sent: after the turn at the database has ended."""

from fastapi import Response
from starlette.types import Receive, Scope, Send

from maps.paper import printed

__all__ = ["Paper"]


class Paper(Response):
    """A PDF.

    Parameters
    ----------
    page : str
        As HTML.
    name : str
        What the file is called where it is saved.
    asks : str
        Who asks for it, where that is a stranger: strangers have turns of their own.
    """

    media_type = "application/pdf"

    def __init__(self, page: str, name: str, *, asks: str = "") -> None:
        super().__init__(headers={"Content-Disposition": f'attachment; filename="{name}"'})
        self._page, self._asks = page, asks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Print, then send; what goes wrong is answered as it is anywhere else."""
        state = scope["app"].state
        converters = state.public_converters if self._asks else state.converters
        content = await converters.run(printed, self._page, asks=self._asks)
        headers = dict(self.headers) | {"content-length": str(len(content))}
        await Response(content, headers=headers)(scope, receive, send)
