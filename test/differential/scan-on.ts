import { type Args, ask, decode, type Frame } from '../helpers/differential.ts'
import type { RawClient } from '../helpers/raw-client.ts'

/** No walk over the keys of a test takes more pages. */
const MOST_PAGES = 20_000

/**
 * Goes on from the first page of a SCAN until its cursor is 0: all keys that came, each once, in order, as one array.
 * SCAN may repeat a key, so repetitions say nothing.
 */
export async function scanOn(args: Args, first: Frame, client: RawClient): Promise<Frame> {
  const keys = new Set<string>()
  let page = first
  for (let i = 0; i < MOST_PAGES; i++) {
    const [cursor, found] = decode(page).items ?? []
    if (found?.items === undefined) return page
    for (const { text } of found.items) keys.add(text ?? 'null')
    if (cursor.text === '0') {
      const elements = [...keys].sort().map((key) => `$${key.length}\r\n${key}\r\n`)
      return `*${elements.length}\r\n${elements.join('')}`
    }
    const next = [args[0], cursor.text ?? '', ...args.slice(2)]
    page = (await ask(client, [next]))[0]
  }
  throw new Error(`SCAN has not come to its end after ${MOST_PAGES} pages`)
}
