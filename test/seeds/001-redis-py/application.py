"""A service that makes 3D models out of pictures, as far as it leans on Redis: jobs and who asked for them (database 1),
their progress (2), limits (3), a cache (4), locks, events, a look at the server's health, cleaning up. All of it by
redis.asyncio, with scripts where a read and a write belong together."""

import asyncio
import hashlib
import json
import time
import uuid
from contextlib import asynccontextmanager
from datetime import datetime

DAY = 24 * 60 * 60


class LockAcquisitionError(Exception):
    pass


async def scan(redis, pattern):
    """Pages of keys, none of them empty."""
    cursor = None
    while cursor != 0:
        cursor, page = await redis.scan(cursor or 0, match=pattern, count=100)
        if page:
            yield page


class JobStore:
    def __init__(self, redis):
        self.redis = redis

    async def create_job(self, job_id, api_key, files):
        owner = hashlib.sha256(api_key.encode()).hexdigest()
        now = datetime.utcnow().isoformat()
        fields = {"job_id": job_id, "api_key_hash": owner, "status": "pending", "total_files": len(files)}
        fields.update(completed_files=0, failed_files=0, created_at=now, updated_at=now)
        pipe = self.redis.pipeline()
        pipe.hset(f"job:{job_id}", mapping=fields)
        pipe.rpush(f"job:{job_id}:files", *(json.dumps(file) for file in files))
        pipe.sadd(f"user_jobs:{owner}", job_id)
        for key in (f"job:{job_id}", f"job:{job_id}:files", f"user_jobs:{owner}"):
            pipe.expire(key, DAY)
        pipe.setex(f"session:{job_id}", DAY, owner)
        await pipe.execute()

    async def get_job(self, job_id):
        fields = await self.redis.hgetall(f"job:{job_id}")
        if not fields:
            return None
        files = await self.redis.lrange(f"job:{job_id}:files", 0, -1)
        return {**fields, "files": [json.loads(file) for file in files]}

    async def update_job_status(self, job_id, status, increment_completed=False, increment_failed=False):
        key = f"job:{job_id}"
        pipe = self.redis.pipeline()
        pipe.hset(key, mapping={"status": status, "updated_at": datetime.utcnow().isoformat()})
        for field, more in {"completed_files": increment_completed, "failed_files": increment_failed}.items():
            if more:
                pipe.hincrby(key, field, 1)
        await pipe.execute()


class ProgressTracker:
    def __init__(self, redis):
        self.redis = redis

    async def initialize_batch(self, job_id, file_count):
        pipe = self.redis.pipeline()
        for i in range(file_count):
            pipe.setex(f"progress:{job_id}:file_{i:03d}", DAY, "0")
        await pipe.execute()

    async def update_progress(self, job_id, file_id, progress, message=None):
        await self.redis.set(f"progress:{job_id}:{file_id}", str(progress))
        event = {"file_id": file_id, "progress": progress, "timestamp": datetime.utcnow().isoformat()}
        if message:
            event["message"] = message
        await self.redis.xadd(f"stream:progress:{job_id}", event, maxlen=1000)

    async def get_batch_progress(self, job_id):
        progress = {}
        async for page in scan(self.redis, f"progress:{job_id}:*"):
            for key, value in zip(page, await self.redis.mget(page)):
                progress[key.rsplit(":", 1)[1]] = int(value or 0)
        return progress

    async def stream_progress(self, job_id, last_id="$"):
        read = await self.redis.xread({f"stream:progress:{job_id}": last_id}, count=100, block=5000)
        return [{"id": entry, "data": data} for _, entries in read for entry, data in entries]


class RateLimiter:
    # Counts what is let through. {allowed, count, seconds that are left}
    SCRIPT = """
    local key, most, window = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
    local left = redis.call('TTL', key)
    local count = 1
    if left > 0 then
        count = tonumber(redis.call('GET', key)) + 1
    end
    if count > most then
        return {0, count, left}
    elseif left > 0 then
        redis.call('SET', key, count, 'KEEPTTL')
        return {1, count, left}
    end
    redis.call('SET', key, count)
    redis.call('EXPIRE', key, window)
    return {1, count, window}
    """

    def __init__(self, redis):
        self.redis = redis

    async def check_rate_limit(self, key, limit, window):
        allowed, count, left = await self.redis.eval(self.SCRIPT, 1, key, limit, window)
        reset = int(time.time()) + (left if left > 0 else window)
        return bool(allowed), {"limit": limit, "remaining": max(0, limit - count), "reset": reset}

    async def get_rate_limit_status(self, key, limit):
        count, left = int(await self.redis.get(key) or 0), await self.redis.ttl(key)
        reset = int(time.time()) + left if left > 0 else 0
        return {"limit": limit, "current": count, "remaining": max(0, limit - count), "reset": reset}


class RedisLock:
    RELEASE = 'if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end return redis.call("del", KEYS[1])'
    EXTEND = 'if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end return redis.call("expire", KEYS[1], ARGV[2])'

    def __init__(self, redis):
        self.redis = redis

    @asynccontextmanager
    async def acquire_lock(self, resource, timeout=10, blocking=True, blocking_timeout=30):
        key, token = f"lock:{resource}", str(uuid.uuid4())
        patience = time.monotonic() + (blocking_timeout if blocking else 0)
        while not await self.redis.set(key, token, nx=True, ex=timeout):
            if time.monotonic() >= patience:
                raise LockAcquisitionError(f"{resource} is locked")
            await asyncio.sleep(0.1)
        try:
            yield token
        finally:
            await self.redis.eval(self.RELEASE, 1, key, token)

    async def extend_lock(self, resource, identifier, additional_time):
        return bool(await self.redis.eval(self.EXTEND, 1, f"lock:{resource}", identifier, additional_time))


class RedisCache:
    def __init__(self, redis):
        self.redis = redis

    async def get_or_set(self, key, factory, ttl=300, refresh_on_hit=False):
        found = await self.redis.get(key)
        if found is None:
            value = await factory()
            await self.redis.setex(key, ttl, json.dumps(value))
            return value
        if refresh_on_hit:
            await self.redis.expire(key, ttl)
        return json.loads(found)

    async def invalidate_pattern(self, pattern):
        count = 0
        async for page in scan(self.redis, pattern):
            count += len(page)
            await self.redis.delete(*page)
        return count

    async def cache_with_tags(self, key, value, ttl, tags):
        await self.redis.setex(key, ttl, json.dumps(value))
        for tag in tags:
            await self.redis.sadd(f"tag:{tag}", key)
            await self.redis.expire(f"tag:{tag}", ttl)

    async def invalidate_tag(self, tag):
        keys = await self.redis.smembers(f"tag:{tag}")
        if keys:
            await self.redis.delete(f"tag:{tag}", *keys)
        return len(keys)


class EventPublisher:
    def __init__(self, redis):
        self.redis = redis

    async def publish_job_event(self, job_id, event_type, data):
        await self.publish(f"job:{job_id}:events", type=event_type, job_id=job_id, data=data)

    async def publish_progress_event(self, job_id, file_id, progress, message=None):
        more = {"message": message} if message else {}
        await self.publish(f"progress:{job_id}", type="progress", job_id=job_id, file_id=file_id, progress=progress, **more)

    async def publish(self, channel, **event):
        await self.redis.publish(channel, json.dumps({**event, "timestamp": datetime.utcnow().isoformat()}))


class EventSubscriber:
    def __init__(self, redis):
        self.pubsub = redis.pubsub()

    async def subscribe_to_job(self, job_id, callback):
        channel = f"job:{job_id}:events"
        await self.pubsub.subscribe(channel)
        try:
            async for message in self.pubsub.listen():
                if message["type"] == "message":
                    await callback(json.loads(message["data"]))
        finally:
            await self.pubsub.unsubscribe(channel)


class RedisHealthCheck:
    MEMORY = ("used_memory", "used_memory_peak", "used_memory_rss")

    def __init__(self, redis):
        self.redis = redis

    async def check_health(self):
        began = time.monotonic()
        await self.redis.ping()
        took = (time.monotonic() - began) * 1000
        info = await self.redis.info()
        memory = {f"{field}_mb": info[field] / 2**20 for field in self.MEMORY}
        memory["mem_fragmentation_ratio"] = info["mem_fragmentation_ratio"]
        clients = {field: info[field] for field in ("connected_clients", "blocked_clients")}
        saved = {"rdb_last_save_time": info.get("rdb_last_save_time"), "aof_enabled": info.get("aof_enabled", 0) == 1}
        replication = {"role": info["role"], "connected_slaves": info.get("connected_slaves", 0)}
        checks = {"ping": {"status": "ok", "response_time_ms": took}, "memory": memory, "clients": clients}
        checks.update(persistence=saved, replication=replication)
        return {"status": "healthy", "timestamp": datetime.utcnow().isoformat(), "checks": checks}

    async def get_slow_queries(self, num=10):
        log = await self.redis.slowlog_get(num)
        return [{"id": entry["id"], "duration_microseconds": entry["duration"]} for entry in log]


class RedisCleanup:
    PATTERNS = ("job:*", "session:*", "progress:*", "cache:*")
    OLD = 48 * 60 * 60

    def __init__(self, redis):
        self.redis = redis

    async def cleanup_expired_keys(self):
        return {pattern: await self._cleanup_pattern(pattern) for pattern in self.PATTERNS}

    async def _cleanup_pattern(self, pattern):
        count = 0
        async for page in scan(self.redis, pattern):
            for key in page:
                if await self.redis.ttl(key) == -1 and self._is_expired(await self.redis.get(key)):
                    count += await self.redis.delete(key)
        return count

    def _is_expired(self, data):
        try:
            created = datetime.fromisoformat(json.loads(data)["created_at"])
        except (KeyError, TypeError, ValueError):
            return False
        return (datetime.utcnow() - created).total_seconds() > self.OLD
