"""What the tests do with redis-py: port, then "2" or "3" for the RESP version ("" = the library's default)."""

import sys
import threading
import time

import redis

port = int(sys.argv[1])
options = {"protocol": int(sys.argv[2])} if sys.argv[2] else {}


def connect(password, **more):
    return redis.Redis(host="127.0.0.1", port=port, password=password, decode_responses=True, **options, **more)


def check(got, expected, what):
    if got != expected:
        sys.exit(f"{what}: got {got!r}, expected {expected!r}")


try:
    acme, beta = connect("acme"), connect("beta")
except TypeError:
    print(f"redis-py {redis.__version__} has no RESP{sys.argv[2]}")
    sys.exit(77)

check(acme.ping(), True, "ping")

# Strings, hashes, lists, sets, sorted sets.
check(acme.set("s", "value", ex=1000), True, "set")
check(acme.get("s"), "value", "get")
check(acme.mget("s", "none"), ["value", None], "mget")
check(acme.hset("h", mapping={"a": "1", "b": "2"}), 2, "hset")
check(acme.hgetall("h"), {"a": "1", "b": "2"}, "hgetall")
check(acme.rpush("l", "x", "y"), 2, "rpush")
check(acme.lrange("l", 0, -1), ["x", "y"], "lrange")
check(acme.sadd("set", "a", "b"), 2, "sadd")
check(acme.smembers("set"), {"a", "b"}, "smembers")
check(acme.zadd("z", {"one": 1, "two": 2.5}), 2, "zadd")
check([tuple(pair) for pair in acme.zrange("z", 0, -1, withscores=True)], [("one", 1.0), ("two", 2.5)], "zrange")

# Streams.
acme.xadd("st", {"f": "v"}, id="1-1")
acme.xgroup_create("st", "g", id="0")
read = acme.xreadgroup("g", "c", {"st": ">"})
check(list(read)[0] if isinstance(read, dict) else read[0][0], "st", "xreadgroup")
check(acme.xack("st", "g", "1-1"), 1, "xack")

# Pipelines, with and without a transaction; everything is written before anything is read.
pipe = acme.pipeline(transaction=False)
for i in range(10000):
    pipe.set(f"pipe:{i}", "x" * 100)
    pipe.get(f"pipe:{i}")
check(pipe.execute()[-1], "x" * 100, "pipeline")
pipe = acme.pipeline()
pipe.set("m", 1)
pipe.incr("m")
check(pipe.execute(), [True, 2], "transaction")

# WATCH.
with acme.pipeline() as pipe:
    pipe.watch("w")
    acme.set("w", "theirs")
    pipe.multi()
    pipe.set("w", "mine")
    try:
        pipe.execute()
        sys.exit("a watched key was changed, and EXEC went through")
    except redis.WatchError:
        pass
check(acme.get("w"), "theirs", "watch")

# Blocking pops.
threading.Timer(0.2, lambda: connect("acme").rpush("q", "x")).start()
check(tuple(acme.blpop("q", timeout=20)), ("q", "x"), "blpop")
check(acme.blpop("empty", timeout=1), None, "blpop in vain")

# Two tenants.
for i in range(100):
    acme.set(f"k{i}", f"acme {i}")
    beta.set(f"k{i}", f"beta {i}")
check(acme.get("k7"), "acme 7", "own value")
check(beta.get("k7"), "beta 7", "own value")
check(beta.exists("acme:k7", "s", "h"), 0, "the other's keys")

# What speaks of all keys speaks of one tenant's.
names = {f"scan:{i}" for i in range(50)}
for name in names:
    acme.set(name, "v")
    beta.set(name, "v")
    beta.set(f"beta {name}", "v")
check(set(acme.scan_iter(match="scan:*", count=7)), names, "scan_iter")
check(set(acme.keys("scan:*")), names, "keys")
check(set(acme.scan_iter(match="beta*")), set(), "scan_iter of the other's keys")
before = beta.dbsize()
check(acme.flushdb(), True, "flushdb")
check((acme.dbsize(), beta.dbsize()), (0, before), "dbsize after flushdb")

# Pub/sub: channels, patterns, bytes, counts, PING between messages.
PATIENCE = 30  # seconds
BYTES = bytes([0, 255, 13, 10, 36, 195])
raw = redis.Redis(host="127.0.0.1", port=port, password="acme", **options)


def take(subscriber, count):
    """The next messages of a subscriber; what it got until the patience was over, if they are fewer."""
    messages, until = [], time.monotonic() + PATIENCE
    while len(messages) < count and time.monotonic() < until:
        message = subscriber.get_message(timeout=1)
        if message is not None:
            messages.append((message["type"], message["pattern"], message["channel"], message["data"]))
    return messages


subscriber = raw.pubsub()
subscriber.subscribe("news", "odd *?[\r\n]")
subscriber.psubscribe("n[e]w?")
check(
    take(subscriber, 3),
    [("subscribe", None, b"news", 1), ("subscribe", None, b"odd *?[\r\n]", 2), ("psubscribe", None, b"n[e]w?", 3)],
    "acknowledgements",
)
check(beta.publish("news", "of another tenant"), 0, "publish of another tenant")
check(acme.publish("news", BYTES), 2, "publish")
check(acme.publish("odd *?[\r\n]", ""), 1, "publish to an odd channel")
check(
    take(subscriber, 3),
    [
        ("message", None, b"news", BYTES),
        ("pmessage", b"n[e]w?", b"news", BYTES),
        ("message", None, b"odd *?[\r\n]", b""),
    ],
    "messages",
)
subscriber.ping("still there?")
check(take(subscriber, 1), [("pong", None, None, b"still there?")], "ping")
check(sorted(acme.pubsub_channels()), ["news", "odd *?[\r\n]"], "pubsub channels")
check([tuple(row) for row in acme.pubsub_numsub("news", "none")], [("news", 1), ("none", 0)], "pubsub numsub")
check(acme.pubsub_numpat(), 1, "pubsub numpat")
check(beta.pubsub_channels(), [], "channels of the other")
subscriber.unsubscribe("news")
check(take(subscriber, 1), [("unsubscribe", None, b"news", 2)], "unsubscribe")
check(acme.publish("news", "to the pattern"), 1, "publish after unsubscribe")
check(take(subscriber, 1), [("pmessage", b"n[e]w?", b"news", b"to the pattern")], "the pattern's")
subscriber.unsubscribe()
subscriber.punsubscribe()
check(len(take(subscriber, 2)), 2, "the last acknowledgements")
check(acme.publish("news", "to nobody"), 0, "publish to nobody")
subscriber.close()

# Keyspace notifications: of the own keys, in the order in which Redis tells.
NOTIFICATIONS = ["__keyspace@0__:*", "__keyevent@0__:expired", "__keyevent@0__:set"]
events = acme.pubsub()
events.psubscribe(NOTIFICATIONS[0])
events.subscribe(*NOTIFICATIONS[1:])
check([channel for _, _, channel, _ in take(events, 3)], NOTIFICATIONS, "acknowledgements of notifications")
acme.set("n", "v")
beta.set("n", "v")
beta.delete("n")
acme.delete("n")
acme.set("short", "v", px=1)
check(
    [(channel, data) for _, _, channel, data in take(events, 8)],
    [
        ("__keyspace@0__:n", "set"),
        ("__keyevent@0__:set", "n"),
        ("__keyspace@0__:n", "del"),
        ("__keyspace@0__:short", "set"),
        ("__keyevent@0__:set", "short"),
        ("__keyspace@0__:short", "expire"),
        ("__keyspace@0__:short", "expired"),
        ("__keyevent@0__:expired", "short"),
    ],
    "notifications",
)
events.close()

try:
    connect("wrong").ping()
    sys.exit("logged in with a wrong password")
except (redis.AuthenticationError, redis.ResponseError) as error:
    # Which of the two depends on the version of the library.
    check("password" in str(error), True, str(error))

print(f"redis-py {redis.__version__} passed")
