"""An AWS Lambda function, and all that runs: there is no worker.

SQS calls it with messages {"invoice": "…", "customer": "…"}, and it calls itself for what was left, or comes due later.
What is asked for is in the store before anything is sent, so a function that is killed at its limit loses nothing.
"""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import boto3

from invoices import Posting, app
from penstock import Window

SPARE_SECONDS = 2.0                     # for what is left to do here once the window is over
LEAST_SECONDS = 1.0


def handler(event, context):
    """Ask for what the messages say, serve for as long as the function may run, and see that somebody goes on."""
    wanted, failed = read(event.get("Records", []))
    Posting.using(reason="message").request_many(wanted)
    total = context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS
    if total < LEAST_SECONDS:
        call_again(context, datetime.now(UTC))
        return {"batchItemFailures": failed}
    report = app.drain(Window(total=total, headroom=total / 4))
    if report.next_due is not None:
        call_again(context, report.next_due)
    return {"batchItemFailures": failed, "served": report.served, "remaining": report.remaining}


def read(records):
    """The invoices and customers of messages, and those messages that SQS is to put aside after some tries."""
    wanted, failed = [], []
    for record in records:
        try:
            asked = json.loads(record["body"])
            wanted.append((str(asked["invoice"]), str(asked["customer"])))
        except (KeyError, TypeError, ValueError):
            failed.append({"itemIdentifier": record["messageId"]})
    return wanted, failed


def call_again(context, at):
    """Have this function called at a time: now by itself, later by EventBridge Scheduler, once for each second."""
    if at <= datetime.now(UTC) + timedelta(seconds=1):
        boto3.client("lambda").invoke(FunctionName=context.function_name, InvocationType="Event", Payload=b"{}")
        return
    scheduler = boto3.client("scheduler")
    with suppress(scheduler.exceptions.ConflictException):     # somebody has asked for that second already
        scheduler.create_schedule(
            Name=f"{context.function_name}-{at:%Y%m%d%H%M%S}", ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC", FlexibleTimeWindow={"Mode": "OFF"}, ActionAfterCompletion="DELETE",
            Target={"Arn": context.invoked_function_arn, "RoleArn": os.environ["SCHEDULER_ROLE"], "Input": "{}"})
