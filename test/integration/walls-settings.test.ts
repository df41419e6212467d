import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { type ConfigObject, configFor, type Keyward, startKeyward } from '../helpers/keyward.ts'
import { eventually, places } from '../helpers/places.ts'
import { request } from '../helpers/raw-client.ts'
import { type RedisServer, startRedis } from '../helpers/redis.ts'
import { keyward as commandLine } from '../unit/cli/terminal.ts'

/** `walls: auto | required | off`, on servers where Keyward's user may make users and where it may not. */

const GET = "return redis.call('GET', KEYS[1])"
const SHA = createHash('sha1').update(GET).digest('hex')
const OTHER = "return redis.call('STRLEN', KEYS[1])"

let redis: RedisServer
const folder = mkdtempSync(join(tmpdir(), 'keyward-walls-'))

beforeAll(async () => {
  redis = await startRedis()
  // As at a provider: everything but other users.
  await redis.cli('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '&*', '+@all', '-acl')
})

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await redis?.stop()
})

function config(walls: string, tenant: ConfigObject = {}, upstream: ConfigObject = {}): ConfigObject {
  const tenants = Object.fromEntries(
    ['acme', 'beta'].map((name) => [name, { upstream: 'main', users: { default: { password: name } }, ...tenant }]),
  )
  return configFor(redis, { tenants }, { walls, user: 'limited', password: 'secret', ...upstream })
}

async function withKeyward(text: ConfigObject, use: (keyward: Keyward) => Promise<void>): Promise<void> {
  const keyward = await startKeyward(text)
  try {
    await use(keyward)
  } finally {
    keyward.stop()
  }
}

const users = async () => (await redis.cli('ACL', 'USERS')).split('\n').sort()

/** What `keyward explain` says of a script under this configuration. */
async function explained(text: ConfigObject, ...args: string[]): Promise<string> {
  const file = join(folder, 'keyward.yaml')
  writeFileSync(file, stringify(text))
  const { out, err } = await commandLine(['explain', '--config', file, '--tenant', 'acme', ...args])
  return out + err
}

describe('auto, where no users may be made', () => {
  it('scripts are unknown commands, and everything else works', async () => {
    await withKeyward(config('auto'), async (keyward) => {
      const client = await keyward.connect({ password: 'acme' })
      expect(await client.command('SET', 'a', '1')).toBe('+OK\r\n')
      expect(await client.command('EVAL', GET, 1, 'a')).toBe(
        `-ERR unknown command 'EVAL', with args beginning with: '${GET}' '1' 'a' \r\n`,
      )
      expect(await client.command('EVALSHA', SHA, 1, 'a')).toMatch(/^-ERR unknown command 'EVALSHA'/)
      expect(await client.command('SCRIPT', 'LOAD', GET)).toMatch(/^-ERR unknown /)
      expect(await client.command('MULTI')).toBe('+OK\r\n')
      expect(await client.command('EVAL', GET, 1, 'a')).toMatch(/^-ERR unknown command/)
      expect(await client.command('EXEC')).toMatch(/^-EXECABORT /)
      expect(await client.command('GET', 'a')).toBe('$1\r\n1\r\n')
      expect(await users()).toEqual(['default', 'limited'])
      client.destroy()
    })
  })

  it('says so once, with the cure', async () => {
    await withKeyward(config('auto'), async (keyward) => {
      const client = await keyward.connect({ password: 'acme' })
      for (let i = 0; i < 5; i++) await client.command('EVAL', GET, 1, 'a')
      const told = keyward.log.filter(({ level, msg }) => level >= 40 && /no walls/.test(msg))
      expect(told).toHaveLength(1)
      expect(told[0].msg).toContain('trustedScripts')
      expect(told[0].error).toMatch(/^NOPERM /)
      const { walls } = keyward.proxy.view().upstreams[0]
      expect(walls).toMatchObject({ mode: 'auto', up: false, users: 0 })
      expect(walls.why).toMatch(/^NOPERM /)
      client.destroy()
    })
  })

  it('trusted scripts run, behind the prologue: alone, by SHA and in MULTI', async () => {
    await withKeyward(config('auto', { trustedScripts: [SHA.toUpperCase()] }), async (keyward) => {
      const client = await keyward.connect({ password: 'acme' })
      await redis.cli('SET', 'acme:a', 'mine')
      await redis.cli('SET', 'a', 'nobody')
      expect(await client.command('EVAL', GET, 1, 'a')).toBe('$4\r\nmine\r\n')
      expect(await client.command('EVALSHA', SHA, 1, 'a')).toBe('$4\r\nmine\r\n')
      expect(await client.command('SCRIPT', 'LOAD', GET)).toBe(`$40\r\n${SHA}\r\n`)
      await client.command('MULTI')
      expect(await client.command('EVALSHA', SHA, 1, 'a')).toBe('+QUEUED\r\n')
      expect(await client.command('EVAL', GET, 1, 'b')).toBe('+QUEUED\r\n')
      expect(await client.command('EXEC')).toBe('*2\r\n$4\r\nmine\r\n$-1\r\n')
      expect(await client.command('EVAL', OTHER, 1, 'a')).toMatch(/^-ERR unknown command 'EVAL'/)
      client.destroy()
    })
  })

  it('scripts run once the right is given, without a restart of Keyward', async () => {
    await withKeyward(config('auto'), async (keyward) => {
      const client = await keyward.connect({ password: 'acme' })
      expect(await client.command('EVAL', GET, 1, 'a')).toMatch(/^-ERR unknown command/)
      await redis.cli('ACL', 'SETUSER', 'limited', '+acl|setuser', '+acl|getuser', '+acl|deluser')
      // It is tried with each new connection.
      await redis.cli('CLIENT', 'KILL', 'USER', 'limited')
      expect(await eventually(async () => /^\$/.test(await client.command('EVAL', GET, 1, 'a')))).toBe(true)
      client.destroy()
    })
    await redis.cli('ACL', 'SETUSER', 'limited', '-acl')
    await redis.cli('ACL', 'DELUSER', 'keyward:', 'keyward:acme')
  })
})

it('a script that was held for a server that lets nobody make users is not run there without a wall', async () => {
  // What is given at run time is gone with the process.
  const own = await startRedis({ config: ['user limited on >secret ~* &* +@all -acl'] })
  try {
    await own.cli('ACL', 'SETUSER', 'limited', '+acl')
    const text = configFor(own, {}, { walls: 'auto', user: 'limited', password: 'secret' })
    await withKeyward(text, async (keyward) => {
      const client = await keyward.connect({ password: 'acme' })
      const incr = "return redis.call('INCR', 'n')"
      expect(await client.command('EVAL', incr, 0)).toBe(':1\r\n')
      await own.kill('SIGKILL')
      expect(await eventually(() => keyward.proxy.view().upstreams[0].usable === false)).toBe(true)
      client.send(Buffer.concat([request('EVAL', incr, 0), request('EVAL', incr, 0), request('GET', 'n')]))
      expect(await eventually(() => places(keyward).held > 0)).toBe(true)
      await own.restart()
      const [first, second, value] = (await client.replies(3)).map(String)
      // Either it was not sent, or it is not open.
      for (const reply of [first, second]) expect(reply).toMatch(/^-(UPSTREAMDOWN not sent|ERR unknown command)/)
      expect(value).toBe('$-1\r\n')
      client.destroy()
    })
  } finally {
    await own.stop()
  }
})

describe('required', () => {
  it('the upstream is not used where no users may be made, and it is said why', async () => {
    await withKeyward(config('required', {}, { hold: { time: '300ms' } }), async (keyward) => {
      const client = await keyward.connect({ password: 'acme' })
      expect(await client.command('GET', 'a')).toMatch(/^-UPSTREAMDOWN /)
      expect(keyward.proxy.view().upstreams[0].usable).toBe(false)
      expect(keyward.log.some((line) => /walls are required.*NOPERM/.test(JSON.stringify(line)))).toBe(true)
      client.destroy()
    })
  })

  it('and is where they may', async () => {
    await withKeyward(config('required', {}, { user: undefined, password: undefined }), async (keyward) => {
      const client = await keyward.connect({ password: 'acme' })
      await client.command('SET', 'a', '1')
      expect(await client.command('EVAL', GET, 1, 'a')).toBe('$1\r\n1\r\n')
      client.destroy()
    })
    await redis.cli('ACL', 'DELUSER', 'keyward:', 'keyward:acme')
  })
})

describe('off', () => {
  it('no users, no scripts, but trusted ones', async () => {
    const open = { user: undefined, password: undefined }
    await withKeyward(config('off', { trustedScripts: [SHA] }, open), async (keyward) => {
      const client = await keyward.connect({ password: 'acme' })
      await client.command('SET', 'a', '1')
      expect(await client.command('EVAL', GET, 1, 'a')).toBe('$1\r\n1\r\n')
      expect(await client.command('EVAL', OTHER, 1, 'a')).toMatch(/^-ERR unknown command 'EVAL'/)
      expect(await client.command('EVALSHA', '0'.repeat(40), 0)).toMatch(/^-ERR unknown command 'EVALSHA'/)
      expect(await users()).toEqual(['default', 'limited'])
      expect(keyward.log.filter(({ msg }) => /no walls/.test(msg))).toEqual([])
      client.destroy()
    })
  })
})

describe('scripts: deny', () => {
  it('is for that tenant alone', async () => {
    const text = config('auto', {}, { user: undefined, password: undefined })
    const { acme, beta } = text.tenants as Record<string, ConfigObject>
    await withKeyward({ ...text, tenants: { acme: { ...acme, scripts: 'deny' }, beta } }, async (keyward) => {
      const [denied, allowed] = [
        await keyward.connect({ password: 'acme' }),
        await keyward.connect({ password: 'beta' }),
      ]
      for (const args of [
        ['EVAL', GET, '1', 'a'],
        ['EVALSHA', SHA, '1', 'a'],
        ['SCRIPT', 'LOAD', GET],
        ['SCRIPT', 'KILL'],
      ])
        expect(await denied.command(...args)).toMatch(/^-ERR unknown /)
      expect(await allowed.command('EVAL', GET, 1, 'a')).toBe('$-1\r\n')
      for (const client of [denied, allowed]) client.destroy()
    })
  })
})

describe('explain', () => {
  it('tells as whom a script runs, or why it does not', async () => {
    expect(await explained(config('auto'), 'EVAL', GET, '1', 'a')).toContain('keyward:acme')
    expect(await explained(config('off'), 'EVAL', GET, '1', 'a')).toMatch(/walls, which are off/)
    expect(await explained(config('off', { trustedScripts: [SHA] }), 'EVAL', GET, '1', 'a')).not.toMatch(
      /which are off/,
    )
    expect(await explained(config('auto', { scripts: 'deny' }), 'EVAL', GET, '1', 'a')).toMatch(/scripts: allow/)
  })
})
