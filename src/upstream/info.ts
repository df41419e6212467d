/**
 * The `name:value` lines of a reply to INFO, in RESP2 or RESP3, of one section or of all. Not for error replies.
 * https://redis.io/commands/info/
 */
export function parseInfo(frame: Buffer): Map<string, string> {
  const fields = new Map<string, string>()
  // RESP3: `=<length>\r\ntxt:# Server\r\n…`, which would be a field of the name "txt".
  const begin = frame[0] === VERBATIM ? frame.indexOf('\r\n') + 6 : 0
  for (const line of frame.toString('latin1', begin).split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

const VERBATIM = 0x3d
