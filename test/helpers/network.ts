import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readlink } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { watch } from '../../scripts/lib/watchdog.mjs'
import { end } from './redis.ts'

/** A machine of its own in a test's network: a network namespace with one address. */
export interface Machine {
  readonly host: string
  /** In front of a command, runs it there. */
  readonly enter: readonly string[]
  /** Pulls its plug: packets go nowhere, and nobody is told. */
  cut(): Promise<void>
  mend(): Promise<void>
}

/**
 * A network of namespaces, where root allows: a bridge in a namespace of its own, a cable to the machine that the test
 * runs on, and one to each machine that is attached. Everything is gone when the processes are that hold the
 * namespaces, so nothing of it stays on the system, whatever becomes of the test.
 */
export class Network {
  private readonly holders: ChildProcess[]
  /** Of the namespace with the bridge. */
  private readonly bridge: readonly string[]
  private readonly subnet: string
  private machines = 0

  /** A network, or why there can be none here. */
  static async open(): Promise<Network | string> {
    if (process.platform !== 'linux') return 'network namespaces are for Linux'
    const holder = await hold().catch((error: Error) => error.message)
    if (typeof holder === 'string') return `network namespaces are not allowed here: ${holder}`
    const network = new Network(holder)
    try {
      await network.build()
      return network
    } catch (error) {
      await network.close()
      return `network namespaces are not allowed here: ${(error as Error).message}`
    }
  }

  private constructor(holder: ChildProcess) {
    this.holders = [holder]
    this.bridge = into(holder)
    this.subnet = freeSubnet()
  }

  /** One machine more. */
  async attach(): Promise<Machine> {
    const { bridge } = this
    const holder = await hold()
    this.holders.push(holder)
    const enter = into(holder)
    const number = ++this.machines
    const host = `${this.subnet}.${number}`
    const port = `port${number}`
    await run([...bridge, ...words(`ip link add ${port} type veth peer name cable netns ${holder.pid}`)])
    await run([...bridge, ...words(`ip link set ${port} master bridge up`)])
    await run([...enter, ...words(`ip addr add ${host}/24 dev cable`)])
    await run([...enter, ...words('ip link set cable up')])
    await run([...enter, ...words('ip link set lo up')])
    return {
      host,
      enter,
      cut: () => run([...bridge, ...words(`ip link set ${port} down`)]),
      mend: () => run([...bridge, ...words(`ip link set ${port} up`)]),
    }
  }

  /** Ends it; what runs on its machines has to be ended first. */
  async close(): Promise<void> {
    await Promise.all(this.holders.map(end))
  }

  private async build(): Promise<void> {
    const { bridge, holders, subnet } = this
    const cable = `kw${holders[0].pid}`
    await run([...bridge, ...words('ip link add bridge type bridge')])
    await run([...bridge, ...words('ip link set bridge up')])
    await run(words(`ip link add ${cable} type veth peer name here netns ${holders[0].pid}`))
    await run([...bridge, ...words('ip link set here master bridge up')])
    await run(words(`ip addr add ${subnet}.254/24 dev ${cable}`))
    await run(words(`ip link set ${cable} up`))
  }
}

/** A process that does nothing but have a network namespace. */
async function hold(): Promise<ChildProcess> {
  const child = spawn('unshare', ['--net', 'sleep', '1000000'], { stdio: 'ignore' })
  const failure = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`unshare --net ended with ${code}`)))
  })
  failure.catch(() => {})
  watch(child)
  child.unref()
  const ours = await readlink('/proc/self/ns/net')
  const separate = async () => {
    while ((await readlink(`/proc/${child.pid}/ns/net`)) === ours)
      await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await Promise.race([separate(), failure])
  return child
}

function into({ pid }: ChildProcess): string[] {
  return ['nsenter', `--net=/proc/${pid}/ns/net`]
}

/** Of those that are set aside for tests of networks (RFC 2544), one that this machine is not in. */
function freeSubnet(): string {
  const taken = Object.values(networkInterfaces()).flatMap(
    (addresses) => addresses?.map(({ address }) => address) ?? [],
  )
  for (;;) {
    const subnet = `198.${18 + Math.floor(Math.random() * 2)}.${Math.floor(Math.random() * 256)}`
    if (!taken.some((address) => address.startsWith(`${subnet}.`))) return subnet
  }
}

function words(line: string): string[] {
  return line.split(' ')
}

function run([program, ...args]: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 20_000 }, (error, _, stderr) => {
      if (error === null) resolve()
      else reject(new Error(stderr.trim() || error.message))
    })
  })
}
