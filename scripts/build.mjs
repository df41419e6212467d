/** `npm run build`: src into dist, if it is not there already. */
import { ensureBuilt, fail } from './lib/project.mjs'

await ensureBuilt().catch((error) => fail(error.message))
