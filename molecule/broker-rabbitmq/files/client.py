#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""client.py publish | take | refused, with the URL of the broker as input. What is refused has its reason as output."""

import sys
from urllib.parse import unquote, urlsplit

import amqp

WHAT = sys.argv[1]
PLACE = urlsplit(sys.stdin.readline().strip())
CONNECTION = amqp.Connection(
    f"{PLACE.hostname}:{PLACE.port}",
    userid=unquote(PLACE.username),
    password=unquote(PLACE.password),
    virtual_host=unquote(PLACE.path[1:]),
    confirm_publish=True,
    connect_timeout=5,
)

try:
    CONNECTION.connect()
except amqp.AMQPError as error:
    print(error)
    sys.exit(0 if WHAT == "refused" else 1)
if WHAT == "refused":
    sys.exit("it was let in")
with CONNECTION, CONNECTION.channel() as channel:
    channel.queue_declare("verify", durable=True, auto_delete=False)
    if WHAT == "publish":
        channel.basic_publish(amqp.Message("works", delivery_mode=2), routing_key="verify")
    else:
        message = channel.basic_get("verify")
        print(message.body if message else "nothing", flush=True)
        if message:
            channel.basic_ack(message.delivery_tag)
