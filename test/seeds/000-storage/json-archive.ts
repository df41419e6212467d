import {
  type Archive,
  checkDesigner,
  checkLook,
  checkSeason,
  type Designer,
  type Document,
  type Image,
  InvalidEntry,
  type Progress,
  progressOf,
  type Season,
  seasonOrder,
} from './archive.ts'

/**
 * The archive as one JSON document, as it was before it moved to Redis: what the other one is held against. Nothing in
 * here waits, so no two changes overlap.
 */
export class JsonArchive implements Archive {
  private text = JSON.stringify({ seasons: [], note: {} } satisfies Document)

  async addSeason(season: Season): Promise<boolean> {
    checkSeason(season)
    const document = this.parsed()
    const { year, term, title } = season
    const known = document.seasons.find((other) => seasonOrder(other) === seasonOrder(season))
    const entry = { year, term, title, designers: known?.designers ?? [] }
    const seasons = [...document.seasons.filter((other) => other !== known), entry]
    this.keep({ ...document, seasons: seasons.sort((a, b) => seasonOrder(b) - seasonOrder(a)) })
    return known === undefined
  }

  async seasons(): Promise<Season[]> {
    return this.parsed().seasons.map(({ year, term, title }) => ({ year, term, title }))
  }

  async addDesigner(season: Season, { page, name }: Designer, expected: number): Promise<boolean> {
    checkDesigner({ page, name }, expected)
    const document = this.parsed()
    if (!document.seasons.some((other) => seasonOrder(other) === seasonOrder(season)))
      throw new InvalidEntry('no such season')
    let added = false
    const seasons = document.seasons.map((other) => {
      if (seasonOrder(other) !== seasonOrder(season)) return other
      const known = other.designers.find((designer) => designer.page === page)
      added = known === undefined
      const designers = added
        ? [...other.designers, { page, name, expected, looks: [] }]
        : other.designers.map((designer) => (designer === known ? { ...designer, name, expected } : designer))
      return { ...other, designers }
    })
    this.keep({ ...document, seasons })
    return added
  }

  async designers(season: Season): Promise<Designer[]> {
    const found = this.parsed().seasons.find((other) => seasonOrder(other) === seasonOrder(season))
    return (found?.designers ?? []).map(({ page, name }) => ({ page, name }))
  }

  async addLook(page: string, number: number, images: readonly Image[]): Promise<void> {
    checkLook(number, images)
    const document = this.parsed()
    let found = false
    const seasons = document.seasons.map((season) => ({
      ...season,
      designers: season.designers.map((designer) => {
        if (designer.page !== page) return designer
        found = true
        const looks = [...designer.looks.filter((look) => look.number !== number), { number, images }]
        return { ...designer, looks: looks.sort((a, b) => a.number - b.number) }
      }),
    }))
    if (!found) throw new InvalidEntry('no such designer')
    this.keep({ ...document, seasons })
  }

  async progress(): Promise<Progress> {
    return progressOf(this.parsed())
  }

  async setNote(name: string, value: unknown): Promise<void> {
    const document = this.parsed()
    this.keep({ ...document, note: { ...document.note, [name]: value } })
  }

  async read(): Promise<Document> {
    return this.parsed()
  }

  async write(document: Document): Promise<void> {
    this.keep(document)
  }

  private parsed(): Document {
    return JSON.parse(this.text)
  }

  private keep(document: Document): void {
    this.text = JSON.stringify(document)
  }
}
