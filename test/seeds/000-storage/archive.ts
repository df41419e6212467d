/** What an archive of fashion shows keeps, whatever it keeps it in. */
export interface Season {
  readonly year: number
  readonly term: 'spring' | 'fall'
  readonly title: string
}

export interface Designer {
  /** Of the show's page; names the designer within a season. */
  readonly page: string
  readonly name: string
}

export interface Image {
  readonly url: string
  readonly alt: string
}

/** Everything, as a JSON document: what a file would hold. */
export interface Document {
  readonly seasons: readonly (Season & { readonly designers: readonly DesignerEntry[] })[]
  readonly note: Readonly<Record<string, unknown>>
}

export interface DesignerEntry extends Designer {
  /** Looks that are to be collected. */
  readonly expected: number
  readonly looks: readonly { readonly number: number; readonly images: readonly Image[] }[]
}

export interface Progress {
  readonly designers: number
  /** Designers of whom all looks are there. */
  readonly complete: number
  readonly looks: number
  readonly images: number
  /** Of the looks that are expected, in percent. */
  readonly percent: number
}

/** One archive. Everything rejects with InvalidEntry what is malformed, and then leaves nothing behind. */
export interface Archive {
  /** False: it was there; its title is replaced. */
  addSeason(season: Season): Promise<boolean>
  /** The newest season first. */
  seasons(): Promise<Season[]>
  addDesigner(season: Season, designer: Designer, expected: number): Promise<boolean>
  /** In the order in which they were added. */
  designers(season: Season): Promise<Designer[]>
  /** The images of a look replace those it had. */
  addLook(page: string, number: number, images: readonly Image[]): Promise<void>
  progress(): Promise<Progress>
  /** A remark about the archive as a whole: where collecting stands, and the like. */
  setNote(name: string, value: unknown): Promise<void>
  read(): Promise<Document>
  /** Replaces everything, at once. */
  write(document: Document): Promise<void>
}

export class InvalidEntry extends Error {}

const LONGEST_TEXT = 2_000
const MOST_LOOKS = 500

export function checkSeason({ year, term, title }: Season): void {
  if (!Number.isInteger(year) || year < 1900 || year > 2100) throw new InvalidEntry(`no year: ${year}`)
  if (term !== 'spring' && term !== 'fall') throw new InvalidEntry(`no term: ${term}`)
  checkText(title, 'title')
}

export function checkDesigner({ page, name }: Designer, expected: number): void {
  checkText(page, 'page')
  checkText(name, 'name')
  if (!Number.isInteger(expected) || expected < 0 || expected > MOST_LOOKS)
    throw new InvalidEntry(`not a number of looks: ${expected}`)
}

export function checkLook(number: number, images: readonly Image[]): void {
  if (!Number.isInteger(number) || number < 1 || number > MOST_LOOKS) throw new InvalidEntry(`no look: ${number}`)
  if (images.length === 0) throw new InvalidEntry('a look without an image')
  for (const { url, alt } of images) {
    if (!URL.canParse(url)) throw new InvalidEntry(`no address: ${url}`)
    if (alt.length > LONGEST_TEXT) throw new InvalidEntry('a description that is too long')
  }
}

function checkText(text: string, what: string): void {
  if (text === '' || text.length > LONGEST_TEXT) throw new InvalidEntry(`${what} is empty or too long`)
}

/** Later terms of later years first. */
export function seasonOrder({ year, term }: Season): number {
  return 2 * year + (term === 'fall' ? 1 : 0)
}

export function progressOf({ seasons }: Document): Progress {
  const designers = seasons.flatMap((season) => season.designers)
  const looks = designers.flatMap((designer) => designer.looks)
  const expected = designers.reduce((sum, designer) => sum + designer.expected, 0)
  return {
    designers: designers.length,
    complete: designers.filter((designer) => designer.looks.length >= designer.expected).length,
    looks: looks.length,
    images: looks.reduce((sum, look) => sum + look.images.length, 0),
    percent: expected === 0 ? 0 : Math.round((100 * looks.length) / expected),
  }
}
