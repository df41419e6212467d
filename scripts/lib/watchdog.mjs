/**
 * Ends what we started when we end, however we end: a shell that waits for the end of its standard input, which the
 * system closes even after SIGKILL.
 */
import { spawn } from 'node:child_process'

const SCRIPT = `
pids=
while read -r word rest; do
  case $word in
    pid) pids="$pids $rest" ;;
    gone) left=; for pid in $pids; do [ "$pid" = "$rest" ] || left="$left $pid"; done; pids=$left ;;
    dir) set -- "$@" "$rest" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for dir; do rm -rf "$dir"; done
`

let shell

function tell(line) {
  if (process.platform === 'win32') return
  if (shell === undefined) {
    // Detached: Ctrl-C in a terminal must not end the watchdog before us.
    shell = spawn('/bin/sh', ['-c', SCRIPT, 'watchdog'], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    shell.unref()
    shell.stdin.unref()
    shell.stdin.on('error', () => {})
  }
  shell.stdin.write(`${line}\n`)
}

/** From now on the process of this child is killed when we end, unless it has ended before. */
export function watch(child) {
  const { pid } = child
  if (pid === undefined) return
  tell(`pid ${pid}`)
  // Once it is gone, its number may become another's.
  child.once('exit', () => tell(`gone ${pid}`))
}

/** This folder is removed when we end. */
export function watchFolder(path) {
  tell(`dir ${path}`)
}
