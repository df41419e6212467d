"""redis-py, which knows a host, a port and a password, and does nothing on its own. See protocol.ts for what it says
and what is said to it, and client.ts, which does the same with the libraries of Node."""

import json
import sys
import threading
import time

import redis

SLOW, PAUSE, PATIENCE, LAST_WORD = 25, 0.015, 20, 15
order = json.loads(sys.argv[-1])
troubles = []
leaving = False


def now():
    return time.time() * 1000


class Counted(redis.Connection):
    """Connects once; the library would do it again without a word."""

    def __init__(self, *args, **options):
        self.made = 0
        super().__init__(*args, **options)

    def on_connect(self):
        self.made += 1
        if self.made > 1:
            note(self.owner, "connected again")
        super().on_connect()


def note(id, what):
    if not leaving and len(troubles) < 500:
        troubles.append({"id": id, "at": now(), "what": what})


class Client:
    def __init__(self, config):
        self.config = config
        self.id, self.role, self.depth = config["id"], config["role"], config["depth"]
        self.pool = redis.ConnectionPool(
            connection_class=Counted,
            host="127.0.0.1",
            port=order["port"],
            password=config["tenant"],
            decode_responses=True,
            retry_on_timeout=False,
            max_connections=1,
        )
        self.redis = redis.Redis(connection_pool=self.pool)
        self.connection = self.pool.get_connection("PING")
        self.connection.owner = self.id
        self.pool.release(self.connection)
        self.redis.ping()
        self.next = 0
        self.over = True
        self.last_heard = None
        self.thread = None
        self.fresh()
        if self.role == "hear":
            self.pubsub = self.redis.pubsub()
            self.pubsub.subscribe("channel:" + config["group"])
            threading.Thread(target=self.hear, daemon=True).start()

    def fresh(self):
        self.sent = self.acked = self.covered = self.unknown = self.unknown_incrs = self.good_count = self.pending = 0
        self.errors, self.error_count, self.wrong = [], 0, []
        self.gap = self.gap_from = self.last_good = 0
        self.pushed, self.maybe_pushed, self.popped = [], [], []
        self.slow, self.good_at = [], []

    def begin(self, number):
        self.fresh()
        self.round, self.over, self.last_heard = number, False, None
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        if self.role == "hear":
            return
        empty = False
        while not (self.over and empty) if self.role == "pop" else not self.over:
            empty = getattr(self, self.role)() is False
            time.sleep(PAUSE)

    def finished(self, deadline):
        self.thread.join(max(0, deadline - time.time()))
        if self.pending > 0:
            self.stretch(now())

    def hear(self):
        try:
            for message in self.pubsub.listen():
                if message["type"] == "message":
                    self.last_heard = message["data"]
                    self.good(now())
        except redis.RedisError as error:
            note(self.id, repr(error))

    def read(self):
        i = self.next % 8
        self.next += 1
        [value] = self.request("GET", lambda: [self.redis.get(f"value:{i}")])
        if value is not FAILED and value != f"the value {i}":
            self.wrong.append(f"GET value:{i} gave {value}")

    def incr(self):
        key = f"counter:{self.id}:{self.round}"
        self.sent += self.depth
        if self.depth == 1:
            values = self.request("INCR", lambda: [self.redis.incr(key)])
        else:
            pipe = self.redis.pipeline(transaction=False)
            for _ in range(self.depth):
                pipe.incr(key)
            values = self.request("INCR", lambda: pipe.execute(raise_on_error=False))
        for value in values:
            if value is FAILED:
                continue
            self.acked += 1
            if value > self.sent:
                self.wrong.append(f"INCR gave {value}, and only {self.sent} were sent")
        return values[-1] is not FAILED

    def wait(self):
        if not self.incr():
            return
        [replicas] = self.request("WAIT", lambda: [self.redis.wait(1, 500)])
        if replicas is not FAILED and replicas >= 1:
            self.covered += 1

    def push(self):
        number = self.next
        self.next += 1
        self.sent += 1
        key = f"queue:{self.config['group']}:{self.round}"
        [length] = self.request("RPUSH", lambda: [self.redis.rpush(key, number)])
        if length is FAILED:
            self.maybe_pushed.append(number)
        else:
            self.pushed.append(number)
            self.acked += 1

    def pop(self):
        key = f"queue:{self.config['group']}:{self.round}"
        [popped] = self.request("BLPOP", lambda: [self.redis.blpop(key, 1)])
        if popped is not FAILED and popped is not None:
            self.popped.append(int(popped[1]))
        return popped is not None

    def say(self):
        text = str(self.next)
        self.next += 1
        self.request("PUBLISH", lambda: [self.redis.publish("channel:" + self.config["group"], text)])

    def say_last(self, text):
        try:
            self.redis.publish("channel:" + self.config["group"], text)
        except redis.RedisError:
            pass

    def request(self, command, send):
        """What came, FAILED in place of what failed; as many as were sent."""
        began = now()
        self.pending += self.depth
        try:
            results = send()
        except redis.RedisError as error:
            if isinstance(error, redis.ConnectionError):
                note(self.id, repr(error))
            results = [error] * (self.depth if command == "INCR" else 1)
        ended = now()
        self.pending -= self.depth
        out = []
        for result in results:
            outcome = "good"
            if isinstance(result, Exception):
                text = str(result)
                outcome = "unknown" if "OUTCOMEUNKNOWN" in text else "error"
                if outcome == "unknown":
                    self.unknown += 1
                    self.unknown_incrs += command == "INCR"
                else:
                    self.error_count += 1
                    if self.error_count <= 20:
                        self.errors.append({"at": ended, "text": f"{command}: {text}"})
                result = FAILED
            else:
                self.good(ended)
            if outcome != "good" or ended - began > SLOW:
                self.slow.append({"id": self.id, "command": command, "from": began, "to": ended, "outcome": outcome})
            out.append(result)
        return out

    def good(self, at):
        self.stretch(at)
        self.last_good = at
        self.good_count += 1
        self.good_at.append(at)

    def stretch(self, at):
        if self.last_good != 0 and at - self.last_good > self.gap:
            self.gap, self.gap_from = at - self.last_good, self.last_good

    def report(self, last):
        return {
            **self.config,
            "sent": self.sent,
            "acked": self.acked,
            "covered": self.covered,
            "unknown": self.unknown,
            "unknownIncrs": self.unknown_incrs,
            "errors": self.errors,
            "errorCount": self.error_count,
            "wrong": self.wrong,
            "good": self.good_count,
            "gap": self.gap,
            "gapFrom": self.gap_from,
            "pending": self.pending,
            "pushed": self.pushed,
            "maybePushed": self.maybe_pushed,
            "popped": self.popped,
            "heardLast": self.last_heard == last,
        }


FAILED = object()
clients = [Client(config) for config in order["clients"]]
print("ready", flush=True)
number = 0
while True:
    words = sys.stdin.readline().split()
    if words[:1] == ["round"]:
        number = int(words[1])
        troubles = []
        for client in clients:
            client.begin(number)
    elif words[:1] == ["stop"]:
        for client in clients:
            client.over = True
        deadline = time.time() + PATIENCE
        for client in clients:
            client.finished(deadline)
        last = f"last {number}"
        deadline = time.time() + LAST_WORD
        hears = [client for client in clients if client.role == "hear"]
        while time.time() < deadline and not all(client.last_heard == last for client in hears):
            for client in clients:
                if client.role == "say":
                    client.say_last(last)
            time.sleep(0.1)
        good = {}
        for client in clients:
            for at in client.good_at:
                good[int(at // 100)] = good.get(int(at // 100), 0) + 1
        report = {
            "library": "redis-py",
            "clients": [client.report(last) for client in clients],
            "good": good,
            "slow": [entry for client in clients for entry in client.slow],
            "troubles": troubles,
        }
        print(json.dumps(report), flush=True)
    else:
        leaving = True
        break
