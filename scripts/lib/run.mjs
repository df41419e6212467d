import { spawn } from 'node:child_process'

/**
 * Runs a program to its end.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, timeout?: number, show?: boolean }} [options]
 *   `timeout` in milliseconds; `show`: its output goes to our own, nothing is kept
 * @returns {Promise<{ code: number, output: string }>} `code` is 127 when it could not be started; `output` has stdout
 *   and stderr as they came
 */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      timeout: options.timeout,
      stdio: options.show ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const keep = (chunk) => {
      output += chunk
    }
    child.stdout?.setEncoding('utf8').on('data', keep)
    child.stderr?.setEncoding('utf8').on('data', keep)
    child.once('error', (error) => resolve({ code: 127, output: error.message }))
    child.once('close', (code, signal) => {
      if (signal !== null) output += `\nended by ${signal}`
      resolve({ code: code ?? 1, output })
    })
  })
}

/** The last `count` lines that say something, for error messages. */
export function tail(text, count = 5) {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n')
}
