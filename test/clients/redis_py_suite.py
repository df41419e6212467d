"""What the tests do with redis-py: port, then "2" or "3" for the RESP version ("" = the library's default)."""

import sys
import threading

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

try:
    connect("wrong").ping()
    sys.exit("logged in with a wrong password")
except (redis.AuthenticationError, redis.ResponseError) as error:
    # Which of the two depends on the version of the library.
    check("password" in str(error), True, str(error))

print(f"redis-py {redis.__version__} passed")
