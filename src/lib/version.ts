import { readFileSync } from 'node:fs'

/** Keyward's version, from its package.json: two folders up from src/lib as from dist/lib. */
export const VERSION: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
