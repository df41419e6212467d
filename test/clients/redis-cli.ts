import { type ChildProcess, spawn } from 'node:child_process'
import { watch } from '../../scripts/lib/watchdog.mjs'
import { theRedis } from '../helpers/redis.ts'

/** A redis-cli that runs. */
export interface Cli {
  readonly child: ChildProcess
  /** Both streams so far, as they came. */
  output: string
  /** All of it, once it has ended. */
  readonly end: Promise<string>
}

/** Starts redis-cli with these arguments, `input` on its standard input. */
export async function startCli(port: number, args: readonly string[], input: string | Buffer = ''): Promise<Cli> {
  const redis = await theRedis()
  const child = spawn(process.env.KEYWARD_REDIS_CLI ?? redis.cli, ['-h', '127.0.0.1', '-p', String(port), ...args], {
    env: { ...process.env, ...redis.env },
  })
  watch(child)
  const cli: Cli = {
    child,
    output: '',
    end: new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => resolve(cli.output))
    }),
  }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      cli.output += text
    })
  }
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return cli
}

/** Runs it to its end: what it printed. */
export async function redisCli(port: number, args: readonly string[], input?: string | Buffer): Promise<string> {
  return (await startCli(port, args, input)).end
}
