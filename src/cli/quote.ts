/** Bytes as redis-cli would take them: in quotes where needed, unprintable ones as \xNN. */
export function quote(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  const clean = Buffer.from(text).equals(bytes) ? text : bytes.toString('latin1')
  if (/^[!#-&(-[\]-~]+$/.test(clean)) return clean
  const escaped = clean
    .replace(/[\\"]/g, '\\$&')
    .replace(/\p{Cc}/gu, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return `"${escaped}"`
}
