/**
 * Whose bucket a client uses under `per: address`, from its Session.address: the IPv4 address, the /64 network of an
 * IPv6 address, the path of a unix socket.
 *
 * Of IPv6, one host commonly has a whole /64 to choose addresses from (RFC 6177, RFC 8981), so a limit for each address
 * would be none. Loopback and link-local addresses stay whole: all hosts of a link are in the one network fe80::/64.
 */
export function bucketName(address: string): string {
  const host = address.slice(0, address.lastIndexOf(':'))
  if (!host.startsWith('[')) return host
  const v6 = host.slice(1, -1)
  const groups = groupsOf(v6)
  if (groups === undefined || v6 === '::1' || (groups[0] & 0xffc0) === 0xfe80) return v6
  // A listener on [::] sees IPv4 clients as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).
  if (groups.findIndex((group) => group !== 0) === 5 && groups[5] === 0xffff) return dotted(groups[6], groups[7])
  return network(groups)
}

/** As RFC 5952 writes it. The longest run of zeros is always the one that reaches into the second half. */
function network(groups: readonly number[]): string {
  let length = 4
  while (length > 0 && groups[length - 1] === 0) length--
  const head = groups.slice(0, length).map((group) => group.toString(16))
  return `${head.join(':')}::/64`
}

function dotted(high: number, low: number): string {
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`
}

/** The eight groups of an IPv6 address; undefined: it is none. */
function groupsOf(text: string): number[] | undefined {
  const [head, tail] = text.split('%')[0].split('::')
  const front = numbers(head)
  const back = tail === undefined ? [] : numbers(tail)
  const missing = 8 - front.length - back.length
  const groups = [...front, ...new Array<number>(Math.max(0, missing)).fill(0), ...back]
  return groups.length === 8 && groups.every((group) => group >= 0 && group <= 0xffff) ? groups : undefined
}

/** What no group can be becomes NaN. */
function numbers(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16)
    const [a, b, c, d] = group.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}
