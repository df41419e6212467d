import type { ChildProcess } from 'node:child_process'

/** From now on the process of this child is killed when we end, unless it has ended before. */
export function watch(child: ChildProcess): void

/** This folder is removed when we end. */
export function watchFolder(path: string): void
