/** One key spec of https://redis.io/docs/reference/key-specs/, as the server's COMMAND gives it. */
export interface KeySpec {
  readonly begin: { readonly index: number } | { readonly keyword: string; readonly startFrom: number } | 'unknown'
  readonly find:
    | { readonly lastKey: number; readonly step: number; readonly limit: number }
    | { readonly keyNum: number; readonly firstKey: number; readonly step: number }
    | 'unknown'
  readonly flags: readonly string[]
}
