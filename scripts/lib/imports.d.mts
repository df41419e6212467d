/** `files`: text by path inside src. Returns one line for each broken rule, with what to do instead. */
export function brokenImportRules(files: ReadonlyMap<string, string>): string[]
