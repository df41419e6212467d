import { expect, test } from 'vitest'
import { unknownCommand, unknownSubcommand, wrongArity } from '../../../src/commands/refusal.ts'
import type { CommandSpec } from '../../../src/commands/spec.ts'
import { buildTable } from '../../../src/commands/table.ts'
import { argsOf } from '../../helpers/arg-view.ts'

const table = buildTable()

test('an unknown command repeats itself and the first of its arguments', () => {
  expect(unknownCommand(argsOf('foo'))).toBe("ERR unknown command 'foo', with args beginning with: ")
  expect(unknownCommand(argsOf('Foo', 'a', 'b'))).toBe("ERR unknown command 'Foo', with args beginning with: 'a' 'b' ")
})

test('at most 128 bytes of the name, and arguments until 128 bytes are reached', () => {
  const long = 'x'.repeat(300)
  expect(unknownCommand(argsOf(long, 'a'))).toBe(
    `ERR unknown command '${'x'.repeat(128)}', with args beginning with: 'a' `,
  )
  expect(unknownCommand(argsOf('foo', 'y'.repeat(120), 'zzzzzzzz', 'never'))).toBe(
    `ERR unknown command 'foo', with args beginning with: '${'y'.repeat(120)}' 'zzzzz' `,
  )
})

test('a NUL ends what is repeated', () => {
  expect(unknownCommand(argsOf('fo\0o', 'a\0b', 'c'))).toBe(
    "ERR unknown command 'fo', with args beginning with: 'a' 'c' ",
  )
})

test('an unknown subcommand names the container in upper case', () => {
  const client = table.byName('client') as CommandSpec
  expect(unknownSubcommand(argsOf('client', 'Nope'), client)).toBe("ERR unknown subcommand 'Nope'. Try CLIENT HELP.")
})

test('wrong arity names a subcommand in full', () => {
  expect(wrongArity(table.byName('get') as CommandSpec)).toBe("ERR wrong number of arguments for 'get' command")
  expect(wrongArity(table.byName('CLIENT|ID') as CommandSpec)).toBe(
    "ERR wrong number of arguments for 'client|id' command",
  )
  expect(wrongArity(table.byName('exec') as CommandSpec)).toBe(
    "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
  )
})
