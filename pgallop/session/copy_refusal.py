"""Getting out of a COPY that was begun by a call which cannot feed or drain it.

The server leaves COPY FROM STDIN on CopyFail. In the extended protocol it has by then read our Sync
as part of the copy and ignored it, so another one has to follow.
"""

from pgallop.errors import UnsupportedClientFeatureError
from pgallop.session.request import Request
from pgallop.wire import frontend
from pgallop.wire.writer import Writer


def refuse_copy(request: Request, tag: int, extended: bool) -> None:
    """Fail `request`, whose COPY the server has just begun with `tag`, and end the COPY."""
    into = tag == 71  # CopyInResponse
    request.fail(
        UnsupportedClientFeatureError(
            f"COPY {'FROM STDIN' if into else 'TO STDOUT'} cannot run in fetch() or execute(): "
            f"it transfers data beside the query",
            hint="copy_to_table() and copy_records_to_table() do that"
            if into
            else "copy_from_query() and copy_from_table() do that",
        )
    )
    if into:
        writer = Writer()
        frontend.copy_fail(writer, "COPY FROM STDIN cannot run in fetch() or execute()")
        if extended:
            frontend.sync(writer)
        request.reply = writer.take()
