import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findServers } from '../../../../scripts/lib/redis.mjs'
import { World } from './world.ts'

describe.each(await findServers({ log: console.log }))('$kind $version', (server) => {
  let world: World
  beforeAll(async () => {
    world = await World.open({ redis: server })
  })
  afterAll(() => world?.close())

  test('every global name, and every field of redis and cjson, is one that was looked at', async () => {
    const listed = async (table: string) =>
      (
        await world.bare.command(
          'EVAL',
          `local t = {} for k in pairs(${table}) do t[#t + 1] = k end return table.concat(t, ' ')`,
          0,
        )
      )
        .split('\r\n')[1]
        .split(' ')
    const fields = async (table: string, reviewed: string) => {
      const known = new Set(reviewed.split(/\s+/))
      return (await listed(table)).filter((name) => !known.has(name))
    }
    expect(await fields('_G', GLOBALS)).toEqual([])
    expect(await fields('redis', FIELDS)).toEqual([])
    expect(await fields('cjson', CJSON)).toEqual([])
  })
})
/** Shadowed by the prologue, or of no use for anything but the script's own data. */
const GLOBALS = `ARGV KEYS _G _VERSION __redis__err__handler __server__err__handler assert bit cjson cmsgpack collectgarbage coroutine error
  gcinfo getfenv getmetatable ipairs load loadstring math newproxy next os pairs pcall rawequal rawget rawset redis select server setfenv
  setmetatable string struct table tonumber tostring type unpack xpcall`
const FIELDS = `LOG_DEBUG LOG_NOTICE LOG_VERBOSE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM REPL_ALL REPL_AOF REPL_NONE REPL_REPLICA
  REPL_SLAVE SERVER_NAME VALKEY_VERSION VALKEY_VERSION_NUM acl_check_cmd breakpoint call debug error_reply log pcall replicate_commands
  set_repl setresp sha1hex status_reply`
const CJSON = `_NAME _VERSION decode decode_array_with_array_mt decode_invalid_numbers decode_max_depth encode encode_invalid_numbers
  encode_keep_buffer encode_max_depth encode_number_precision encode_sparse_array new null`
