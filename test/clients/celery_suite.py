"""What a producer does with celery_app: `work <count>`, `ping` or `shutdown`."""

import sys

import celery
from celery import chain, chord, group
from celery_app import TENANT, add, app, double, echo, fail, flaky, total

WORKER = f"worker@{TENANT}"
PATIENCE = 90  # seconds


def check(got, expected, what):
    if got != expected:
        sys.exit(f"{TENANT}: {what}: got {got!r}, expected {expected!r}")


def mine(value):
    return [TENANT, TENANT, value]


def ping():
    # One answer in any time; then every answer that comes in the time that Celery usually gives them.
    check(app.control.ping(timeout=PATIENCE, limit=1), [{WORKER: {"ok": "pong"}}], "ping")
    answers = app.control.ping()
    check([name for answer in answers for name in answer if name != WORKER], [], "answers of others")


def work(count):
    check([add.delay(TENANT, i, i).get(timeout=PATIENCE) for i in range(5)], [mine(2 * i) for i in range(5)], "one by one")
    results = [add.delay(TENANT, i, 1) for i in range(count)]
    check([result.get(timeout=PATIENCE) for result in results], [mine(i + 1) for i in range(count)], "many at once")
    check(results[-1].state, "SUCCESS", "state")
    results[-1].forget()
    check(app.AsyncResult(results[-1].id).state, "PENDING", "a result that was forgotten")

    check(echo.delay(TENANT, "é" * 500_000).get(timeout=PATIENCE), mine("é" * 500_000), "a megabyte")
    check(add.apply_async((TENANT, 1, 2), countdown=1).get(timeout=PATIENCE), mine(3), "later")
    check(flaky.delay(TENANT).get(timeout=PATIENCE), mine(2), "the third attempt")
    try:
        sys.exit(f"a task that fails: {fail.delay(TENANT).get(timeout=PATIENCE)}")
    except ValueError as error:
        check(str(error), f"{TENANT} {TENANT}", "its error")

    batch = group(add.s(TENANT, i, i) for i in range(10)).apply_async()
    check(batch.get(timeout=PATIENCE), [mine(2 * i) for i in range(10)], "group")
    check(chain(add.s(TENANT, 1, 2), double.s(), double.s())().get(timeout=PATIENCE), mine(12), "chain")
    summed = chord((add.s(TENANT, i, i) for i in range(10)), total.s())()
    check(summed.get(timeout=PATIENCE), mine(90), "chord")

    ping()
    [stats] = app.control.inspect(timeout=PATIENCE, limit=1).stats().items()
    check(stats[0], WORKER, "stats")
    done = {"add": 5 + count + 1 + 10 + 1 + 10, "double": 2, "total": 1, "echo": 1, "fail": 1, "flaky": 3}
    check(stats[1]["total"], {f"celery_app.{task}": times for task, times in done.items()}, "tasks that the worker did")


if sys.argv[1] == "work":
    work(int(sys.argv[2]))
elif sys.argv[1] == "ping":
    ping()
else:
    app.control.shutdown()
print(f"Celery {celery.__version__} passed")
