import assert from 'node:assert/strict'
import type { Archive, Image, Season } from './archive.ts'
import { InvalidEntry } from './archive.ts'

/**
 * A collector at work: seasons come in no order, pages of designers and their looks are fetched by several workers at
 * once, some of them twice. `house` colours everything that is stored, so that archives of two houses differ in all
 * values although they use the same names.
 */
export async function collect(archive: Archive, house: string, workers: number): Promise<void> {
  const seasons: Season[] = [2023, 2021, 2024, 2022].flatMap((year) =>
    (['spring', 'fall'] as const).map((term) => ({ year, term, title: `${house} ${term} ${year}` })),
  )
  for (const season of seasons) assert.equal(await archive.addSeason(season), true)
  assert.equal(await archive.addSeason({ ...seasons[3], title: `${house}: a better title` }), false)

  const pages: string[] = []
  for (const [i, season] of seasons.entries()) {
    for (let n = 0; n < 3; n++) {
      // Addresses with whatever addresses have; patterns must not trip over it.
      const page = `https://shows.example/${season.year}/[${season.term}]?d=${n}&x=*`
      pages.push(page)
      assert.equal(await archive.addDesigner(season, { page, name: `${house} designer ${i}.${n}` }, 4), true)
    }
  }
  assert.equal(await archive.addDesigner(seasons[0], { page: pages[0], name: `${house}, renamed` }, 5), false)
  await archive.setNote('collector', { house, pages: pages.length })

  // Each worker takes every so-many-th look; the last page stays without any.
  const jobs = pages.slice(0, -1).flatMap((page, i) => [1, 2, 3, 4].map((number) => ({ page, number, i })))
  const worker = async (first: number) => {
    for (let at = first; at < jobs.length; at += workers) {
      const { page, number, i } = jobs[at]
      await archive.addLook(page, number, pictures(house, i, number))
      if (at % 7 === 0) await archive.addLook(page, number, pictures(house, i, number))
    }
    await archive.setNote(`worker ${first}`, 'done')
  }
  await Promise.all(Array.from({ length: workers }, (_, first) => worker(first)))

  await refuses(archive, seasons[0], pages[0])
}

/** What is malformed is refused and leaves nothing behind. */
async function refuses(archive: Archive, season: Season, page: string): Promise<void> {
  const before = await archive.read()
  const long = 'x'.repeat(3_000)
  for (const attempt of [
    () => archive.addSeason({ year: 12, term: 'fall', title: 'long ago' }),
    () => archive.addDesigner({ ...season, year: 1999 }, { page: 'https://x.example', name: 'x' }, 1),
    () => archive.addDesigner(season, { page: '', name: 'x' }, 1),
    () => archive.addDesigner(season, { page: 'https://x.example', name: long }, 1),
    () => archive.addLook('https://x.example', 1, pictures('x', 0, 1)),
    () => archive.addLook(page, 0, pictures('x', 0, 1)),
    () => archive.addLook(page, 1, []),
    () => archive.addLook(page, 1, [{ url: 'nowhere', alt: '' }]),
    () => archive.addLook(page, 1, [{ url: 'https://x.example/1.jpg', alt: long }]),
  ])
    await assert.rejects(attempt, InvalidEntry)
  assert.deepEqual(await archive.read(), before)
}

function pictures(house: string, i: number, number: number): Image[] {
  return Array.from({ length: 1 + ((i + number) % 3) }, (_, n) => ({
    url: `https://images.example/${house}/${i}/${number}-${n}.jpg`,
    alt: `${house} – look ${number}\r\n${'é'.repeat(n)}`,
  }))
}
