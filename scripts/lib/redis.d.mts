/** One server with its tools. */
export interface Redis {
  readonly kind: 'redis' | 'valkey'
  /** As the server says, "7.0.15". */
  readonly version: string
  /** Path of the program. */
  readonly server: string
  /** Path of redis-cli or valkey-cli. */
  readonly cli: string
  /** Path of redis-benchmark or valkey-benchmark. */
  readonly benchmark: string | undefined
  /** To add to the environment of these programs. */
  readonly env: Record<string, string>
}

/** The first server found. Throws an Error whose message is the cure for this system, in one line. */
export function findRedis(options?: { log?: (line: string) => void; wantBenchmark?: boolean }): Promise<Redis>

/** Every server that can be had here, different ones only. */
export function findServers(options?: { log?: (line: string) => void }): Promise<Redis[]>
