import { pino } from 'pino'
import { Service } from './service.ts'
import { type ServeOptions, settings } from './settings.ts'
import { EXIT, type Terminal } from './terminal.ts'

/** Milliseconds. */
const LINGER = 1000

/** `keyward serve`: resolves with the exit code when a signal has ended it. */
export async function serve(file: string | undefined, options: ServeOptions, terminal: Terminal): Promise<number> {
  const from = settings(file, options, terminal.env)
  const config = from.load()
  const log = pino({ level: config.log.level })
  const service = new Service(config, from, log)
  const ended = new Promise<number>((resolve) => {
    const end = (signal: NodeJS.Signals) => {
      if (service.ending) process.exit(EXIT.FAILED)
      service.end(signal).then(
        () => resolve(EXIT.OK),
        (error) => {
          log.error({ err: error }, 'draining failed')
          resolve(EXIT.FAILED)
        },
      )
    }
    // Before anything listens: a signal that comes while starting must not take its default way.
    process.on('SIGTERM', end)
    process.on('SIGINT', end)
    process.on('SIGHUP', () => service.reload())
  })
  await service.start()
  const code = await ended
  // Whatever still holds the event loop must not keep a drained process alive.
  setTimeout(() => process.exit(code), LINGER).unref()
  return code
}
