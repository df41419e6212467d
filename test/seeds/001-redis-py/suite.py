"""One owner's day with the service of application.py: `suite.py <source> <port> <password or ""> <first database> <owner>`.
Ends with what it saw as one line of JSON, the same for every owner, whatever it is in."""

import asyncio
import json
import sys
import time
from datetime import datetime, timedelta

import redis.asyncio
from source import load

source, port, password, first, OWNER = sys.argv[1:]
app = load(source)
seen = {}
clients = []


def client(db):
    options = {"password": password} if password else {}
    made = redis.asyncio.Redis(host="127.0.0.1", port=int(port), db=int(first) + db, decode_responses=True, **options)
    clients.append(made)
    return made


def check(got, expected, what):
    if got != expected:
        sys.exit(f"{OWNER}: {what}: got {got!r}, expected {expected!r}")


async def wait_for(what, condition):
    limit = time.monotonic() + 60
    while not await condition():
        if time.monotonic() > limit:
            sys.exit(f"{OWNER}: waited for {what} in vain")
        await asyncio.sleep(0.02)


async def jobs():
    store, bare = app["JobStore"](client(1)), client(1)
    check(await store.get_job("j1"), None, "a job that is not there")
    files = [{"name": f"{OWNER} {i}.png", "size": i} for i in range(3)]
    await store.create_job("j1", f"key of {OWNER}", files)
    await store.create_job("j2", f"key of {OWNER}", files[:1])
    await store.update_job_status("j1", "processing", increment_completed=True)
    await store.update_job_status("j1", "processing", increment_failed=True)
    await store.update_job_status("j1", "done", increment_completed=True)
    job = await store.get_job("j1")
    check(job["files"], files, "files of a job")
    fields = ("job_id", "status", "total_files", "completed_files", "failed_files")
    seen["job"] = [job[field] for field in fields]
    check(seen["job"], ["j1", "done", "3", "2", "1"], "a job")
    check(await bare.smembers(f"user_jobs:{job['api_key_hash']}"), {"j1", "j2"}, "jobs of a user")
    ttls = [await bare.ttl(key) for key in ("job:j1", "job:j1:files", "session:j1")]
    check([86_000 < ttl <= 86_400 for ttl in ttls], [True] * 3, f"times to live {ttls}")


async def progress():
    tracker = app["ProgressTracker"](client(2))
    await tracker.initialize_batch("j1", 250)
    reading = asyncio.ensure_future(tracker.stream_progress("j1"))
    bare = client(2)
    # Its reader blocks before there is anything to read, or is told that there was nothing.
    for i in range(5):
        await tracker.update_progress("j1", f"file_{i:03d}", 20 * i, OWNER)
        await asyncio.sleep(0.1)
    await reading
    events = await tracker.stream_progress("j1", "0")
    check([event["data"]["message"] for event in events], [OWNER] * 5, "messages of the stream")
    seen["events"] = [(event["data"]["file_id"], event["data"]["progress"]) for event in events]
    batch = await tracker.get_batch_progress("j1")
    check((len(batch), batch["file_003"], batch["file_249"]), (250, 60, 0), "progress of a batch")
    check(await bare.xlen("stream:progress:j1"), 5, "length of the stream")


async def limits():
    limiter = app["RateLimiter"](client(3))
    told = []
    before = int(time.time())
    for _ in range(6):
        allowed, info = await limiter.check_rate_limit("rl:key:k", 3, 3600)
        told.append([allowed, info["limit"], info["remaining"]])
        check(before + 3500 < info["reset"] <= int(time.time()) + 3600, True, f"reset {info}")
    check(told[:2], [[True, 3, 2], [True, 3, 1]], "the first two requests")
    seen["limits"] = told
    status = await limiter.get_rate_limit_status("rl:key:k", 3)
    seen["status"] = [status["current"], status["remaining"]]
    answers = await asyncio.gather(*(limiter.check_rate_limit(f"rl:ip:10.0.0.{i % 2}", 1000, 3600) for i in range(40)))
    check([allowed for allowed, _ in answers], [True] * 40, "requests at once")


async def locks():
    redis_client = client(1)
    lock = app["RedisLock"](redis_client)
    async with lock.acquire_lock("job:j1", timeout=600) as token:
        check(await redis_client.get("lock:job:j1"), token, "the lock")
        try:
            async with lock.acquire_lock("job:j1", blocking=False):
                sys.exit(f"{OWNER}: two with one lock")
        except app["LockAcquisitionError"]:
            pass
        check(await lock.extend_lock("job:j1", token, 9000), True, "extended by its owner")
        check(await redis_client.ttl("lock:job:j1") > 8000, True, "extended for long")
        check(await lock.extend_lock("job:j1", "somebody", 1), False, "extended by somebody")
        await redis_client.set("lock:job:j1", "somebody")
    check(await redis_client.get("lock:job:j1"), "somebody", "a lock of somebody else is left alone")
    await redis_client.delete("lock:job:j1")

    async def count():
        async with lock.acquire_lock("counter", timeout=600, blocking_timeout=600):
            value = int(await redis_client.get("counter") or 0)
            await asyncio.sleep(0.01)
            await redis_client.set("counter", value + 1)

    await asyncio.gather(*(count() for _ in range(6)))
    check(await redis_client.get("counter"), "6", "one at a time")
    check(await redis_client.exists("lock:counter"), 0, "a lock that was given back")


async def caching():
    redis_client = client(4)
    cache = app["RedisCache"](redis_client)
    made = []

    async def factory():
        made.append(OWNER)
        return {"made by": OWNER, "times": len(made)}

    for _ in range(3):
        value = await cache.get_or_set("cache:model:1", factory, ttl=500)
        check(value, {"made by": OWNER, "times": 1}, "what is cached")
    await cache.get_or_set("cache:model:1", factory, ttl=5000, refresh_on_hit=True)
    check(await redis_client.ttl("cache:model:1") > 4000, True, "refreshed")
    for i in range(250):
        await redis_client.set(f"cache:many:{i}", OWNER)
    check(await cache.invalidate_pattern("cache:many:*"), 250, "invalidated by a pattern")
    check(await cache.invalidate_pattern("cache:many:*"), 0, "invalidated again")
    for i in range(3):
        await cache.cache_with_tags(f"cache:tagged:{i}", i, 500, ["all", f"tag{i}"])
    check(await cache.invalidate_tag("tag1"), 1, "one by its tag")
    check(await cache.invalidate_tag("all"), 3, "all by their tag")
    check(await cache.invalidate_tag("all"), 0, "a tag that is gone")
    check(sorted(await redis_client.keys("*")), ["cache:model:1", "tag:tag0", "tag:tag2"], "what is left of it")


async def events():
    publisher, subscriber = app["EventPublisher"](client(1)), app["EventSubscriber"](client(1))
    bare = client(1)
    heard = []

    async def callback(event):
        heard.append(event)
        if event["type"] == "end":
            raise EOFError

    listening = asyncio.ensure_future(subscriber.subscribe_to_job("j1", callback))

    async def subscribed():
        return (await bare.pubsub_numsub("job:j1:events"))[0][1] == 1

    await wait_for("the subscription", subscribed)
    await publisher.publish_job_event("j2", "other", {"owner": OWNER})
    for n in range(20):
        await publisher.publish_job_event("j1", "progress", {"owner": OWNER, "n": n})
    await publisher.publish_progress_event("j1", "file_000", 50, OWNER)
    await publisher.publish_job_event("j1", "end", {"owner": OWNER, "n": 20})
    try:
        await listening
    except EOFError:
        pass
    check([event["data"] for event in heard], [{"owner": OWNER, "n": n} for n in range(21)], "events")
    seen["event"] = sorted(heard[0])


async def maintenance():
    health = await app["RedisHealthCheck"](client(1)).check_health()
    check((health["status"], health["checks"]["ping"]["status"]), ("healthy", "ok"), f"health {health}")
    seen["health"] = {name: sorted(values) for name, values in health["checks"].items()}
    seen["role"] = health["checks"]["replication"]["role"]
    try:
        await app["RedisHealthCheck"](client(1)).get_slow_queries(5)
    except TypeError as error:
        # redis-py gives the words of a slow query as bytes, whatever is decoded: code that joins them as text stumbles, on
        # any server that has had one.
        check("expected str" in str(error), True, f"slow queries: {error}")
    redis_client = client(4)
    for age in (1, 47, 49, 1000):
        created = (datetime.utcnow() - timedelta(hours=age)).isoformat()
        await redis_client.set(f"cache:aged:{age}", json.dumps({"created_at": created}))
        await redis_client.set(f"job:aged:{age}", json.dumps({"created_at": created}), ex=1000)
    seen["cleaned"] = await app["RedisCleanup"](redis_client).cleanup_expired_keys()
    check(seen["cleaned"], {"job:*": 0, "session:*": 0, "progress:*": 0, "cache:*": 2}, "cleaned up")


async def main():
    await client(0).ping()
    await asyncio.gather(jobs(), progress(), limits(), locks(), caching(), events())
    await maintenance()
    for made in clients:
        await made.close()


asyncio.run(main())
print(json.dumps(seen, sort_keys=True))
