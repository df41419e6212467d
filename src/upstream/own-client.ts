import type { Exchange, ExchangeClient, Via } from '../commands/exchange.ts'
import type { ErrorCode } from '../errors.ts'

/**
 * Whoever sends requests of Keyward's own, on shared connections: it has no line of replies that one must wait in, no connection that
 * could be its alone, and reads every reply itself.
 */
export abstract class OwnClient implements ExchangeClient {
  pending = 0
  via: Via | undefined = undefined
  wroteIn = 0
  waited = false
  unseen = false
  /** Its requests, few at a time, stand in their tenant's line; they change nothing of that one's share. */
  readonly weight: number = 1
  readonly tenantIndex: number
  abstract readonly gone: boolean

  constructor(tenantIndex: number) {
    this.tenantIndex = tenantIndex
  }

  abstract deliver(x: Exchange, type: number, buf: Buffer, start: number, end: number, stable: boolean): boolean
  abstract fail(x: Exchange, code: ErrorCode): void

  pop(): boolean {
    return false
  }
  leads(): boolean {
    return false
  }
  reissue(): boolean {
    return false
  }
  notLetIn(): boolean {
    return false
  }
  requeue(again: readonly Exchange[]): void {
    for (const x of again) {
      x.moveTo('answered')
      this.fail(x, 'UPSTREAMDOWN')
    }
  }
  overheard(): void {}
  followerFailed(): void {}
  emit(_buf: Buffer, _start: number, _end: number, _stable: boolean): void {}
  kept(): void {}
  pinReady(): void {}
  pinMoved(): void {}
  pinRefused(): void {}
  pinLost(): void {}
  settled(): void {}
}
