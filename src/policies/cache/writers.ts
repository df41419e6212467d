import { type Meter, Meters } from '../../commands/delay.ts'
import { findKeys } from '../../commands/keys.ts'
import type { CommandSpec } from '../../commands/spec.ts'
import type { Session } from '../../session/session.ts'
import type { PolicyRequest, Ruling } from '../policy.ts'
import type { Generations } from './generations.ts'
import type { TenantCache } from './tenant-cache.ts'

/**
 * Writes of a tenant's clients outdate what is kept, and what is being fetched, twice. Before they are sent, so that their client does
 * not read what was there before them; and with their reply, because what is fetched in between, on another lane, may be of before
 * them, too. So who has been told that a write is done, by this process, reads nothing older.
 */
export class Writers {
  private readonly cache: TenantCache
  private readonly everything: Meter
  /** Slots of the request at hand. */
  private slots = new Int32Array(16)

  constructor(cache: TenantCache) {
    this.cache = cache
    this.everything = new TenantMeter(cache)
  }

  /** A request that writes keys that it names: of those, the ones that some rule matches. */
  keys(spec: CommandSpec, request: PolicyRequest, session: Session, ruling: Ruling): void {
    const { args, argc, buf } = request
    const { cache } = this
    const { keys, hasher, generations } = cache.host
    if (spec.firstKey > 0 && spec.firstKey === spec.lastKey) {
      keys.count = 1
      keys.at[0] = spec.firstKey
    } else {
      findKeys(spec, request.view(), keys)
    }
    let count = 0
    for (let k = 0; k < keys.count && keys.at[k] < argc; k++) {
      const start = args[2 * keys.at[k]]
      const end = args[2 * keys.at[k] + 1]
      if (cache.ruleOf(buf, start, end) === undefined) continue
      const slot = generations.slotOf(hasher.of(cache.stateOf(session), buf, start, end))
      generations.raise(slot)
      if (count === this.slots.length) this.slots = widened(this.slots)
      this.slots[count++] = slot
    }
    if (count === 1) measure(ruling, new KeyMeter(generations, this.slots[0]))
    else if (count > 0) measure(ruling, new KeysMeter(generations, this.slots.slice(0, count)))
  }

  /** Who wants to know when a request is answered that may write, and was sent before there was this cache. */
  get unseen(): Meter {
    return this.everything
  }

  /** A request that may write whatever the tenant has. */
  any(ruling: Ruling): void {
    this.cache.outdate()
    measure(ruling, this.everything)
  }
}

function measure(ruling: Ruling, meter: Meter): void {
  ruling.meter = ruling.meter === undefined ? meter : new Meters([...ruling.meter.parts, meter])
}

function widened(slots: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(2 * slots.length)
  wider.set(slots)
  return wider
}

/** A write of one key, of this generation, until its reply is in. */
class KeyMeter implements Meter {
  readonly parts = [this]
  private readonly generations: Generations
  private readonly slot: number

  constructor(generations: Generations, slot: number) {
    this.generations = generations
    this.slot = slot
  }

  replied(): void {
    this.generations.raise(this.slot)
  }
}

/** The same of several. */
class KeysMeter implements Meter {
  readonly parts = [this]
  private readonly generations: Generations
  private readonly slots: Int32Array

  constructor(generations: Generations, slots: Int32Array) {
    this.generations = generations
    this.slots = slots
  }

  replied(): void {
    for (const slot of this.slots) this.generations.raise(slot)
  }
}

/** A write of keys that nobody knows. */
class TenantMeter implements Meter {
  readonly parts = [this]
  private readonly cache: TenantCache

  constructor(cache: TenantCache) {
    this.cache = cache
  }

  replied(): void {
    this.cache.outdate()
  }
}
