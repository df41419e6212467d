import type { ChainableCommander, Redis } from 'ioredis'
import {
  type Archive,
  checkDesigner,
  checkLook,
  checkSeason,
  type Designer,
  type DesignerEntry,
  type Document,
  type Image,
  InvalidEntry,
  type Progress,
  type Season,
  seasonOrder,
} from './archive.ts'

/*
 * Where things lie. A season is named by its number, a designer by the page.
 *   seasons               sorted set: season numbers
 *   season:<number>       hash: year, term, title
 *   shows:<number>        list: pages of its designers, the one added last in front
 *   designer:<page>       hash: name, expected, season
 *   looks:<page>          sorted set: numbers of its looks
 *   images:<page>:<look>  list: JSON of each image
 *   pages                 set: all pages
 *   note                  string: JSON
 */
const season = (number: number) => `season:${number}`
const shows = (number: number) => `shows:${number}`
const designer = (page: string) => `designer:${page}`
const looks = (page: string) => `looks:${page}`
const images = (page: string, look: number | string) => `images:${page}:${look}`
const PATTERNS = ['season*', 'shows:*', 'designer:*', 'looks:*', 'images:*', 'pages', 'note']

/**
 * The same archive in a Redis that it takes for its own: no prefix, no tenant, whole key patterns. Changes of more
 * than one key are transactions.
 */
export class RedisArchive implements Archive {
  private readonly redis: Redis

  constructor(redis: Redis) {
    this.redis = redis
  }

  async addSeason(entry: Season): Promise<boolean> {
    checkSeason(entry)
    const { year, term, title } = entry
    const number = seasonOrder(entry)
    const [added] = await run(
      this.redis.multi().zadd('seasons', number, number).hset(season(number), { year, term, title }),
    )
    return added === 1
  }

  async seasons(): Promise<Season[]> {
    const numbers = await this.redis.zrange('seasons', '+inf', '-inf', 'BYSCORE', 'REV')
    const pipeline = this.redis.pipeline()
    for (const number of numbers) pipeline.hgetall(season(Number(number)))
    return (await run(pipeline)).map(readSeason)
  }

  async addDesigner(where: Season, { page, name }: Designer, expected: number): Promise<boolean> {
    checkDesigner({ page, name }, expected)
    const { redis } = this
    const number = seasonOrder(where)
    if ((await redis.exists(season(number))) === 0) throw new InvalidEntry('no such season')
    const added = (await redis.sadd('pages', page)) === 1
    const transaction = redis.multi().hset(designer(page), { name, expected, season: number })
    if (added) transaction.lpush(shows(number), page)
    await run(transaction)
    return added
  }

  async designers(where: Season): Promise<Designer[]> {
    const pages = (await this.redis.lrange(shows(seasonOrder(where)), 0, -1)).reverse()
    const pipeline = this.redis.pipeline()
    for (const page of pages) pipeline.hget(designer(page), 'name')
    return (await run(pipeline)).map((name, i) => ({ page: pages[i], name: String(name) }))
  }

  async addLook(page: string, number: number, pictures: readonly Image[]): Promise<void> {
    checkLook(number, pictures)
    if ((await this.redis.sismember('pages', page)) === 0) throw new InvalidEntry('no such designer')
    await run(
      this.redis
        .multi()
        .zadd(looks(page), number, number)
        .del(images(page, number))
        .rpush(images(page, number), ...pictures.map((picture) => JSON.stringify(picture))),
    )
  }

  /** Counted by Redis, without reading what is in the archive. */
  async progress(): Promise<Progress> {
    const pages = await this.redis.smembers('pages')
    const counts = this.redis.pipeline()
    for (const page of pages) counts.hget(designer(page), 'expected').zcard(looks(page))
    const numbers = (await run(counts)).map(Number)
    const lengths = this.redis.pipeline()
    for (const key of await this.matching('images:*')) lengths.llen(key)
    const pictures = (await run(lengths)).map(Number)
    const expected = numbers.filter((_, i) => i % 2 === 0)
    const there = numbers.filter((_, i) => i % 2 === 1)
    const total = sum(expected)
    return {
      designers: pages.length,
      complete: expected.filter((most, i) => there[i] >= most).length,
      looks: sum(there),
      images: sum(pictures),
      percent: total === 0 ? 0 : Math.round((100 * sum(there)) / total),
    }
  }

  /** Read and written back; another writer in between makes it begin anew. */
  async setNote(name: string, value: unknown): Promise<void> {
    // WATCH belongs to a connection, and this one may have other work.
    const redis = this.redis.duplicate()
    try {
      for (;;) {
        await redis.watch('note')
        const note = readNote(await redis.get('note'))
        const done = await redis
          .multi()
          .set('note', JSON.stringify({ ...note, [name]: value }))
          .exec()
        if (done !== null) return
      }
    } finally {
      await redis.quit()
    }
  }

  async read(): Promise<Document> {
    const seasons: Document['seasons'][number][] = []
    for (const entry of await this.seasons()) {
      const designers: DesignerEntry[] = []
      for (const { page, name } of await this.designers(entry)) {
        const expected = Number(await this.redis.hget(designer(page), 'expected'))
        const numbers = await this.redis.zrange(looks(page), '0', '-1')
        const pipeline = this.redis.pipeline()
        for (const number of numbers) pipeline.lrange(images(page, number), 0, -1)
        const lists = (await run(pipeline)) as string[][]
        const found = numbers.map((number, i) => ({
          number: Number(number),
          images: lists[i].map((text) => JSON.parse(text) as Image),
        }))
        designers.push({ page, name, expected, looks: found })
      }
      seasons.push({ ...entry, designers })
    }
    return { seasons, note: readNote(await this.redis.get('note')) }
  }

  async write({ seasons, note }: Document): Promise<void> {
    const old = (await Promise.all(PATTERNS.map((pattern) => this.matching(pattern)))).flat()
    const transaction = this.redis.multi()
    if (old.length > 0) transaction.del(...old)
    for (const entry of seasons) {
      const { year, term, title, designers } = entry
      const number = seasonOrder(entry)
      transaction.zadd('seasons', number, number).hset(season(number), { year, term, title })
      for (const { page, name, expected, looks: found } of designers) {
        transaction
          .sadd('pages', page)
          .lpush(shows(number), page)
          .hset(designer(page), { name, expected, season: number })
        for (const look of found) {
          transaction
            .zadd(looks(page), look.number, look.number)
            .rpush(images(page, look.number), ...look.images.map((picture) => JSON.stringify(picture)))
        }
      }
    }
    await run(transaction.set('note', JSON.stringify(note)))
  }

  private async matching(pattern: string): Promise<string[]> {
    const found = new Set<string>()
    for await (const keys of this.redis.scanStream({ match: pattern, count: 100 }))
      for (const key of keys as string[]) found.add(key)
    return [...found]
  }
}

/** The replies of a pipeline or transaction; throws the first error among them. */
async function run(commands: ChainableCommander): Promise<unknown[]> {
  const replies = await commands.exec()
  if (replies === null) throw new Error('the transaction was not executed')
  return replies.map(([error, reply]) => {
    if (error !== null) throw error
    return reply
  })
}

function readSeason(hash: unknown): Season {
  const { year, term, title } = hash as Record<'year' | 'term' | 'title', string>
  return { year: Number(year), term: term as Season['term'], title }
}

function readNote(text: string | null): Record<string, unknown> {
  return text === null ? {} : JSON.parse(text)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}
