"""A Celery application with Redis as its broker (database 0) and for its results (database 1). TENANT and PORT from the
environment; every tenant runs its own worker of it, under the same names of queues and tasks. A task is told who asked
for it, and tells who did it."""

import os

from celery import Celery

TENANT = os.environ["TENANT"]
url = f"redis://:{TENANT}@127.0.0.1:{os.environ['PORT']}"
app = Celery("celery_app", broker=f"{url}/0", backend=f"{url}/1")


@app.task
def add(owner, x, y):
    return [owner, TENANT, x + y]


@app.task
def double(done):
    return [done[0], TENANT, 2 * done[2]]


@app.task
def total(parts):
    return [parts[0][0], TENANT, sum(part[2] for part in parts)]


@app.task
def echo(owner, text):
    return [owner, TENANT, text]


@app.task
def fail(owner):
    raise ValueError(f"{owner} {TENANT}")


@app.task(bind=True, max_retries=5)
def flaky(self, owner):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return [owner, TENANT, self.request.retries]
