/** The known name that was most likely meant, if any is near. */
export function nearest(wrong: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')
  const same = known.find((name) => plain(name) === plain(wrong))
  if (same !== undefined) return same
  let best: string | undefined
  let least = Math.min(3, Math.ceil(wrong.length / 3)) + 1
  for (const name of known) {
    const edits = distance(wrong.toLowerCase(), name.toLowerCase())
    if (edits < least) {
      best = name
      least = edits
    }
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one text into the other. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let edits = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits = Math.min(edits, before[j - 2] + 1)
      next.push(edits)
    }
    before = row
    row = next
  }
  return row[b.length]
}
