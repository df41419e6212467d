/** redis-parser 3 has no types of its own. https://github.com/NodeRedis/node-redis-parser */
declare module 'redis-parser' {
  export interface ParserOptions {
    returnReply(reply: unknown): void
    returnError(error: Error): void
    returnFatalError?(error: Error): void
    returnBuffers?: boolean
    stringNumbers?: boolean
  }

  export default class RedisParser {
    constructor(options: ParserOptions)
    execute(chunk: Buffer): void
  }
}
