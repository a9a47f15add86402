"""One line of a client: understood, done, answered."""

from __future__ import annotations

import msgspec

from tracker.workloads.declared.connection import Connection, Hopeless
from tracker.workloads.declared.declaration import Refused
from tracker.workloads.declared.desk import Desk
from tracker.workloads.declared.protocol import VERSION, Answer, Declare, Energy, Hello, Incoming, decode, encode


def hear(connection: Connection, line: bytes, desk: Desk, boot_ns: int) -> tuple[Incoming | None, bool]:
    """Do what a line says. Returns the message that was obeyed (None: it was refused, and the client told why), and
    whether its answer has to wait. Raises Hopeless: the connection ends."""
    number, token = None, ""
    try:
        message = decode(line)
        _check_greeting(connection, message)
        number, token = message.id, message.token if isinstance(message, Declare) else ""
        answer = desk.handle(connection.peer, message, boot_ns)
    except Refused as error:
        if number is not None or token:
            connection.say(encode(Answer(number, error=str(error), token=token)))
        return None, False
    except msgspec.ValidationError as error:
        connection.say(encode(Answer(_number_in(line), error=f"This is no message: {error}.")))
        return None, False
    except msgspec.DecodeError as error:
        raise Hopeless("This is no JSON.") from error
    if answer is not None and message.id is not None:
        connection.say(encode(answer))
    return message, answer is None


def answer_late(connection: Connection, message: Energy, desk: Desk, *, booked: bool) -> None:
    """The answer to a question that had to wait. Raises Hopeless."""
    try:
        connection.say(encode(desk.energy_now(message, booked=booked)))
    except Refused as error:
        connection.say(encode(Answer(message.id, error=str(error))))


def _check_greeting(connection: Connection, message: Incoming) -> None:
    if isinstance(message, Hello):
        if message.v != VERSION:
            raise Hopeless(f"This daemon speaks version {VERSION}.")
        connection.greeted = True
    elif not connection.greeted:
        raise Hopeless("A connection begins with hello.")


class _Numbered(msgspec.Struct):
    id: int | None = None


def _number_in(line: bytes) -> int | None:
    """The id of a message that is otherwise not understood."""
    try:
        return msgspec.json.decode(line, type=_Numbered).id
    except msgspec.DecodeError:
        return None
