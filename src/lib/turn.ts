/** Something that gathers output during a turn of the event loop and writes it once at the end. */
export interface Flushable {
  /** True while it waits in a Turn's list; only Turn sets it to true, only flush() to false. */
  dirty: boolean
  flush(): void
}

/**
 * One write per connection for each turn of the event loop: whoever has output enters once, and all are flushed in
 * the check phase (setImmediate), after every readable socket of this turn has been read. Batching like this, not
 * parsing, is where a proxy's speed comes from: one system call carries the requests of many clients.
 */
export class Turn {
  private waiting: Flushable[] = []
  private flushing: Flushable[] = []
  private scheduled = false

  add(item: Flushable): void {
    item.dirty = true
    this.waiting.push(item)
    if (!this.scheduled) {
      this.scheduled = true
      setImmediate(this.run)
    }
  }

  private readonly run = (): void => {
    const batch = this.waiting
    this.waiting = this.flushing
    this.flushing = batch
    this.scheduled = false
    for (let i = 0; i < batch.length; i++) batch[i].flush()
    batch.length = 0
  }
}
