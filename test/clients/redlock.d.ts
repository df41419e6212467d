/** What the tests use of redlock 4, which has no types of its own. https://github.com/mike-marcacci/node-redlock */
declare module 'redlock' {
  export interface Lock {
    readonly value: string
    readonly expiration: number
    unlock(): Promise<void>
    extend(ttl: number): Promise<Lock>
  }

  export default class Redlock {
    static readonly LockError: new (
      message?: string,
    ) => Error

    constructor(
      clients: readonly unknown[],
      options?: { readonly retryCount?: number; readonly retryDelay?: number; readonly retryJitter?: number },
    )

    on(event: 'clientError', listener: (error: Error) => void): this
    /** `ttl` in milliseconds. */
    lock(resource: string | readonly string[], ttl: number): Promise<Lock>
  }
}
