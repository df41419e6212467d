import { type RawClient, request } from './raw-client.ts'

type Words = readonly (string | Buffer)[]

/** Who says what: a name, then one request, or several in one write. */
export type Line = readonly [who: string, ...request: Words] | readonly [who: string, requests: readonly Words[]]

/** What came to each speaker after each line, in frames as latin1 text. */
export type Heard = readonly Readonly<Record<string, readonly string[]>>[]

function bytesOf([, ...said]: Line): Buffer {
  const [first] = said
  if (!Array.isArray(first)) return request(...(said as Words))
  return Buffer.concat((first as readonly Words[]).map((words) => request(...words)))
}

/** Redis looks at its patterns in no order that could be relied upon: their messages are put in order. */
function ordered(frames: string[]): string[] {
  const isOfPattern = (frame: string) => /^.\d+\r\n\$8\r\npmessage/.test(frame)
  for (let i = 0; i < frames.length; i++) {
    let to = i
    while (to < frames.length && isOfPattern(frames[to])) to++
    frames.splice(i, to - i, ...frames.slice(i, to).sort())
    i = Math.max(i, to - 1)
  }
  return frames
}

/**
 * Plays a conversation on a bare server, where whatever a line causes is on its way to everybody before the next PING of
 * anybody is answered: so everything that came before that PING's answer belongs to the line.
 */
export async function playBare(clients: Readonly<Record<string, RawClient>>, lines: readonly Line[]): Promise<Heard> {
  const heard: Record<string, string[]>[] = []
  let fences = 0
  for (const line of lines) {
    const [who] = line
    clients[who].send(bytesOf(line))
    const after: Record<string, string[]> = {}
    for (const name of [who, ...Object.keys(clients).filter((one) => one !== who)]) {
      const fence = `fence-${++fences}`
      clients[name].send(request('PING', fence))
      after[name] = []
      for (;;) {
        const frame = (await clients[name].reply()).toString('latin1')
        if (frame.includes(fence)) break
        after[name].push(frame)
      }
    }
    for (const frames of Object.values(after)) ordered(frames)
    heard.push(after)
  }
  return heard
}

/** Plays the same elsewhere: everybody hears as many frames as on the bare server, and in the end nothing more. */
export async function playAlike(
  clients: Readonly<Record<string, RawClient>>,
  lines: readonly Line[],
  bare: Heard,
): Promise<Heard> {
  const heard: Record<string, string[]>[] = []
  for (const [i, line] of lines.entries()) {
    clients[line[0]].send(bytesOf(line))
    const after: Record<string, string[]> = {}
    for (const [name, frames] of Object.entries(bare[i])) {
      after[name] = ordered((await clients[name].replies(frames.length)).map((frame) => frame.toString('latin1')))
    }
    heard.push(after)
  }
  for (const client of Object.values(clients)) await client.silence(50)
  return heard
}
