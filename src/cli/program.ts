import { Command, CommanderError } from 'commander'
import { VERSION } from '../lib/version.ts'
import { audit } from './audit.ts'
import { check } from './check.ts'
import { explain } from './explain.ts'
import { health } from './health.ts'
import { type OperateOptions, type Operation, operate } from './operate.ts'
import { serve } from './serve.ts'
import type { ServeOptions } from './settings.ts'
import { EXIT, type Terminal, tell } from './terminal.ts'

/** Runs the command line; resolves to the exit code. */
export async function run(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  let code: number = EXIT.OK
  const program = build(terminal, (result) => {
    code = result
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return code
  } catch (error) {
    if (!(error instanceof CommanderError)) return tell(error, terminal)
    return error.code === 'commander.helpDisplayed' || error.code === 'commander.version' ? EXIT.OK : EXIT.USAGE
  }
}

function processTerminal(): Terminal {
  return {
    env: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  }
}

function build(terminal: Terminal, done: (code: number) => void): Command {
  const program = new Command('keyward')
    .description('A Redis proxy that gives each tenant what looks like a Redis of its own.')
    .version(VERSION, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .enablePositionalOptions()
    .showHelpAfterError('(keyward --help tells more)')
    .addHelpText('after', EXAMPLES)

  program
    .command('serve')
    .description('run the proxy, from a configuration file or for one tenant from flags alone')
    .argument('[file]', 'configuration file (KEYWARD_CONFIG)')
    .option('-c, --config <file>', 'the same')
    .option('--listen <address>', 'host:port or unix:/path (KEYWARD_LISTEN)')
    .option(
      '--upstream <url>',
      'redis://host:port, rediss://…, unix:/path or sentinel://host:port,host:port/name (KEYWARD_UPSTREAM)',
    )
    .option('--tenant <name>', 'the one tenant (KEYWARD_TENANT)')
    .option('--prefix <prefix>', 'of its keys, default "<tenant>:" (KEYWARD_PREFIX)')
    .option('--databases <n>', 'how many databases it has (KEYWARD_DATABASES)')
    .option('--admin <host:port>', 'HTTP for probes and metrics (KEYWARD_ADMIN)')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent (KEYWARD_LOG_LEVEL)')
    .addHelpText(
      'after',
      '\nA flag goes before its variable, a variable before the file. KEYWARD_PASSWORD asks for a login.',
    )
    .action(async (file: string | undefined, options: ServeOptions) => done(await serve(file, options, terminal)))

  program
    .command('check')
    .description('check a configuration: all problems at once, exit 2 if there is one')
    .argument('<file>')
    .action((file: string) => done(check(file, terminal)))

  program
    .command('explain')
    .description('tell what becomes of a command: its keys, what is sent, by which route, why it is refused')
    .argument('<command...>', 'the command and its arguments')
    .option('-c, --config <file>', 'configuration file (KEYWARD_CONFIG)')
    .option('--tenant <name>', 'as this tenant; default: the only one')
    .option('--user <name>', 'as this user', 'default')
    .passThroughOptions()
    .action((words: string[], options) => done(explain(words, options, terminal)))

  program
    .command('audit')
    .description('read which commands a Redis in use has served, and tell which of them a tenant could run')
    .option('--upstream <url>', 'the Redis to look at (KEYWARD_UPSTREAM, which hides a password from other users)')
    .action(async (options) => done(await audit(options.upstream, terminal)))

  program
    .command('health')
    .description('ask a running Keyward whether it is alive; for container probes')
    .option('--ready', 'whether it is ready for clients')
    .option(
      '--admin <host:port>',
      'its admin address (KEYWARD_ADMIN, else the one of KEYWARD_CONFIG, else 127.0.0.1:9380)',
    )
    .action(async (options) => done(await health(options, terminal)))

  for (const [operation, { description, takes }] of OPERATIONS) {
    const command = program.command(operation).description(description)
    if (takes.includes('upstream'))
      command.argument('[name]', takes.includes('tenant') ? 'a tenant or upstream' : 'an upstream')
    if (takes.includes('tenant')) command.option('--tenant <name>', 'this tenant')
    if (takes.includes('upstream')) command.option('--upstream <name>', 'this upstream')
    if (takes.includes('timeout')) command.option('--timeout <duration>', 'how long it may take, such as 10s')
    command
      .option('--socket <path>', 'the admin socket of the running Keyward')
      .option('-c, --config <file>', 'its configuration, which names the socket (KEYWARD_CONFIG)')
      .action(async (...given: unknown[]) => {
        const name = takes.includes('upstream') ? (given[0] as string | undefined) : undefined
        const options = given[takes.includes('upstream') ? 1 : 0] as OperateOptions
        done(await operate(operation, name, options, terminal))
      })
  }

  return program
}

type Takes = readonly ('tenant' | 'upstream' | 'timeout')[]

/** What is asked of a running Keyward through its admin socket. */
const OPERATIONS: readonly (readonly [Operation, { readonly description: string; readonly takes: Takes }])[] = [
  [
    'pause',
    {
      description: 'hold requests until resume; ends when none is under way upstream any more',
      takes: ['tenant', 'upstream', 'timeout'],
    },
  ],
  ['resume', { description: 'let go on what pause holds', takes: ['tenant', 'upstream'] }],
  [
    'reconnect',
    { description: 'resolve names again and replace the connections to the upstreams', takes: ['upstream'] },
  ],
  ['failover', { description: 'a planned failover by Sentinel that loses nothing', takes: ['upstream', 'timeout'] }],
  ['status', { description: 'tell how a running Keyward is', takes: [] }],
  [
    'limits',
    { description: 'tell what the rate limits of a running Keyward have done, and to whom', takes: ['tenant'] },
  ],
]

const EXAMPLES = `
Examples:
  keyward serve keyward.yaml
  keyward serve --listen 127.0.0.1:6380 --upstream redis://127.0.0.1:6379 --tenant acme
  keyward check keyward.yaml
  keyward explain --tenant acme MSET a 1 b 2
  keyward audit --upstream redis://127.0.0.1:6379`
