# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is calling: JSON Web Tokens, signed with HS256 and nothing else."""

import re
from dataclasses import dataclass

import jwt

AUDIENCE = "docpipe"
_QUEUE_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class InvalidToken(Exception):
    """The token proves nothing; the message may be shown to whoever sent it."""


@dataclass(frozen=True)
class Caller:
    """A person, and the queue their documents go to when it is not the usual one.

    The queue is how a deployment sends its test documents to a worker that does not get anybody else's yet.
    As part of the signed token it is out of reach for users.
    """

    subject: str
    queue: str | None = None


def verify(token: str, secret: str) -> Caller:
    """The caller a token speaks for; raises InvalidToken."""
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            audience=AUDIENCE,
            options={"require": ["exp", "sub", "aud"], "verify_iat": False},
        )
    except jwt.ExpiredSignatureError:
        raise InvalidToken("the token has expired") from None
    except jwt.MissingRequiredClaimError as error:
        raise InvalidToken(f"the token lacks the claim {error.claim!r}") from None
    except jwt.InvalidTokenError:
        raise InvalidToken("the token is not valid") from None

    subject, queue = claims["sub"], claims.get("queue")
    if not subject.strip() or len(subject) > 255 or "\0" in subject:
        raise InvalidToken("the token's subject is not valid")
    if queue is not None and not (isinstance(queue, str) and _QUEUE_NAME.fullmatch(queue)):
        raise InvalidToken("the token's queue is not valid")
    return Caller(subject, queue)
