"""Scripts by redis-py: `redis_py_scripts.py <port>`. A store of conversations, whose scripts compute the names of keys;
scripts in pipelines and transactions; the library's own locks."""

import json
import sys
import threading
import time

import redis
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError, ResponseError

port = int(sys.argv[1])
TENANTS = ("acme", "beta")


def connect(password):
    return redis.Redis(host="127.0.0.1", port=port, password=password, decode_responses=True)


def check(got, expected, what):
    if got != expected:
        # Not sys.exit: in a thread that ends the thread only, and nobody hears of it.
        raise AssertionError(f"{what}: got {got!r}, expected {expected!r}")


# One message more: it and its place, its conversation, the day's log, and what the conversation has said so far.
ADD = """
local conversation, user, text = ARGV[1], ARGV[2], cjson.decode(ARGV[3]).text
local base = 'conversations:' .. conversation
local n = redis.call('HINCRBY', base, 'count', 1)
redis.call('HSET', base, 'user', user, 'last', text)
redis.call('ZADD', 'messages:' .. conversation, n, cjson.encode({n = n, text = text}))
for _, key in ipairs({'users:' .. user .. ':conversations', 'audit_logs:today'}) do
    redis.call('SADD', key, conversation)
end
redis.call('EXPIRE', base, 3600)
return {n, redis.call('SCARD', 'audit_logs:today'), redis.call('EXISTS', base, 'messages:' .. conversation)}
"""
# What the keys of a set name goes, and the set.
DROP = """
local gone = 0
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    gone = gone + redis.call('DEL', 'conversations:' .. name, 'messages:' .. name)
end
return gone + redis.call('DEL', KEYS[1])
"""


def store(tenant):
    client = connect(tenant)
    add = client.register_script(ADD)
    check(client.script_exists(add.sha), [False], f"{tenant}: a script that nobody has loaded")
    for i in range(1, 21):
        reply = add(args=["c1", "ann", json.dumps({"text": f"{tenant} {i}"})])
        check(reply, [i, 1, 2], f"{tenant}: message {i}")
    check(client.hgetall("conversations:c1"), {"count": "20", "user": "ann", "last": f"{tenant} 20"}, f"{tenant}: conversation")
    texts = [json.loads(message)["text"] for message in client.zrange("messages:c1", 0, -1)]
    check(texts, [f"{tenant} {i}" for i in range(1, 21)], f"{tenant}: messages")
    # In a pipeline the library loads the script first; in a transaction by SHA.
    for transaction in (False, True):
        pipe = client.pipeline(transaction=transaction)
        add(args=["c2", "bob", json.dumps({"text": tenant})], client=pipe)
        pipe.get("nothing")
        add(args=["c2", "bob", json.dumps({"text": tenant})], client=pipe)
        pipe.hget("conversations:c2", "last")
        done = 0 if not transaction else 2
        check(pipe.execute(), [[done + 1, 2, 2], None, [done + 2, 2, 2], tenant], f"{tenant}: pipeline")
    check(client.eval(DROP, 1, "users:ann:conversations"), 3, f"{tenant}: dropped")
    check(sorted(client.keys()), sorted(["conversations:c2", "messages:c2", "users:bob:conversations", "audit_logs:today"]), "rest")
    return client, add


def own_scripts(acme, beta):
    """What one has loaded, or flushed, the other has not."""
    sha = acme.script_load("return redis.call('INCR', 'counter:' .. ARGV[1])")
    check((acme.script_exists(sha), beta.script_exists(sha)), ([True], [False]), "script_exists")
    check([acme.evalsha(sha, 0, "a") for _ in range(3)], [1, 2, 3], "evalsha")
    try:
        raise AssertionError(f"another's script: {beta.evalsha(sha, 0, 'a')}")
    except NoScriptError:
        pass
    check(beta.script_load("return redis.call('INCR', 'counter:' .. ARGV[1])"), sha, "the same SHA for all")
    check(beta.evalsha(sha, 0, "a"), 1, "the other's counter")
    check(acme.script_flush(), True, "script_flush")
    check((acme.script_exists(sha), beta.script_exists(sha)), ([False], [True]), "after script_flush")
    check(beta.evalsha(sha, 0, "a"), 2, "the other's counter after script_flush")
    try:
        raise AssertionError(f"an error: {acme.eval('return redis.call(ARGV[1], KEYS[1])', 1, 'list', 'LPUSH')}")
    except ResponseError as error:
        check("acme" in str(error) or "keyward" in str(error).lower(), False, f"an error that tells too much: {error}")


def locks(tenant):
    client = connect(tenant)
    lock = client.lock("lock", timeout=600)
    check(lock.acquire(), True, f"{tenant}: acquire")
    check(client.lock("lock", timeout=600).acquire(blocking=False), False, f"{tenant}: acquired twice")
    check(lock.extend(600), True, f"{tenant}: extend")
    check(1000 < client.ttl("lock") <= 1200, True, f"{tenant}: ttl after extend")
    check((lock.reacquire(), 500 < client.ttl("lock") <= 600), (True, True), f"{tenant}: reacquire")
    lock.release()
    try:
        raise AssertionError(f"{tenant}: released twice: {lock.release()}")
    except LockError:
        pass
    lock.acquire()
    client.set("lock", "somebody")
    for attempt in (lambda: lock.extend(1), lock.reacquire, lock.release):
        try:
            raise AssertionError(f"{tenant}: another's lock: {attempt()}")
        except LockNotOwnedError:
            pass
    check(client.delete("lock"), 1, f"{tenant}: the lock of somebody else")
    client.set("shared", 0)

    def count():
        mine = connect(tenant)
        for _ in range(10):
            with mine.lock("counter:lock", timeout=600, sleep=0.005):
                value = int(mine.get("shared"))
                time.sleep(0.001)
                mine.set("shared", value + 1)

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(client.get("shared"), "50", f"{tenant}: one at a time")


own_scripts(*[store(tenant)[0] for tenant in TENANTS])
together = [threading.Thread(target=locks, args=[tenant]) for tenant in TENANTS]
failed = []
threading.excepthook = lambda error: failed.append(f"{error.exc_type.__name__}: {error.exc_value}")
for thread in together:
    thread.start()
for thread in together:
    thread.join()
check(failed, [], "threads")
print(f"redis-py {redis.__version__}: scripts passed")
