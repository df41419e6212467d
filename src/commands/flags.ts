/** Command flags as bits, from the flags of the server's COMMAND reply. */
export const FLAG = {
  WRITE: 1,
  READONLY: 2,
  BLOCKING: 4,
  /** May be sent before login. */
  NO_AUTH: 8,
  PUBSUB: 16,
  DENYOOM: 32,
  ADMIN: 64,
  FAST: 128,
  /** Not to be called by scripts. */
  NOSCRIPT: 256,
} as const
