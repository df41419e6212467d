/** Debian packages, checked and unpacked into a folder of the project instead of installed. */
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { PINS } from './deb-pins.mjs'
import { run, tail } from './run.mjs'

/** Which package has a library that a program asks for. Several: the name differs between releases. */
const PACKAGE_OF = [
  [/^libjemalloc\.so\.2$/, 'libjemalloc2'],
  [/^liblzf\.so\.1$/, 'liblzf1'],
  [/^libatomic\.so\.1$/, 'libatomic1'],
  [/^lib(ssl|crypto)\.so\.3$/, 'libssl3', 'libssl3t64'],
  [/^lib(ssl|crypto)\.so\.1\.1$/, 'libssl1.1'],
  [/^libsystemd\.so\.0$/, 'libsystemd0'],
  [/^libhiredis\.so/, 'libhiredis1.1.0', 'libhiredis0.14'],
  [/^liblua5\.1\.so\.0$/, 'liblua5.1-0'],
  [/^liblua5\.1-cjson\.so/, 'lua-cjson'],
  [/^liblua5\.1-bitop\.so/, 'lua-bitop'],
  [/^libstdc\+\+\.so\.6$/, 'libstdc++6'],
  [/^libgcc_s\.so\.1$/, 'libgcc-s1'],
  [/^libcap\.so\.2$/, 'libcap2'],
  [/^libgcrypt\.so\.20$/, 'libgcrypt20'],
  [/^libgpg-error\.so\.0$/, 'libgpg-error0'],
  [/^liblzma\.so\.5$/, 'liblzma5'],
  [/^libzstd\.so\.1$/, 'libzstd1'],
  [/^liblz4\.so\.1$/, 'liblz4-1'],
  [/^libgmp\.so\.10$/, 'libgmp10'],
]

/**
 * Which package has a newer version of a library than this system's, by what ldd calls the version. It comes from the release of
 * the program, while older libraries of this system go on working with it.
 */
const NEWER = [
  [/^GLIBCXX_|^CXXABI_/, 'libstdc++6'],
  [/^GLIBC_/, 'libc6'],
]

/**
 * Unpacks packages and whatever libraries their programs still miss on this system, then renames the whole to `into`:
 * it is there complete or not at all. For each of `programs` a wrapper in `bin/` finds the libraries unpacked with it.
 * Programs of a newer release bring its C library and loader along.
 *
 * @param {object} what
 * @param {import('./apt.mjs').Apt} what.apt where the packages come from
 * @param {import('./apt.mjs').Apt} [what.libraries] where missing libraries come from, when elsewhere
 * @param {readonly string[]} what.packages
 * @param {readonly string[]} [what.programs] names in usr/bin
 * @param {string} what.into
 * @param {(line: string) => void} what.log
 */
export async function unpack({ apt, libraries = apt, packages, programs = [], into, log }) {
  await mkdir(dirname(into), { recursive: true })
  const temp = await mkdtemp(`${into}.new-`)
  try {
    const root = join(temp, 'root')
    const debs = await fetch(apt, packages, root, temp, log)
    // A library may need further ones, so look again after each round; a few rounds reach the end of any chain.
    for (let round = 0; round < 5; round++) {
      const { missing, outdated } = await missingLibraries(root, programs)
      if (missing.length + outdated.length === 0) break
      if (round === 4) throw new Error(`no package found for ${[...missing, ...outdated].join(', ')}`)
      if (outdated.length > 0) debs.push(...(await fetch(apt, newerPackages(outdated), root, temp, log)))
      else debs.push(...(await fetch(libraries, await packagesFor(libraries, missing), root, temp, log)))
    }
    const dirs = await libraryDirs(root)
    const loader = await loaderIn(root, dirs)
    for (const program of programs) await writeWrapper(temp, program, dirs, loader)
    await writeFile(join(temp, 'packages.txt'), `${debs.join('\n')}\n`)
    await chmod(temp, 0o755)
    await rm(into, { recursive: true, force: true })
    await rename(temp, into).catch((error) => {
      // Another process was first, which the lock makes unlikely: its copy is as good as ours.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

async function fetch(apt, packages, root, temp, log) {
  const downloads = await mkdtemp(join(temp, 'debs-'))
  const files = await apt.download(packages, downloads)
  for (const file of files) {
    await verify(file, log)
    const { code, output } = await run('dpkg-deb', ['-x', file, root])
    if (code !== 0) throw new Error(`dpkg-deb: ${tail(output)}`)
  }
  await rm(downloads, { recursive: true, force: true })
  return files.map((file) => basename(file))
}

/** The second lock on the door: apt has checked its signed lists, we compare with what we have seen ourselves. */
async function verify(file, log) {
  const name = decodeURIComponent(basename(file, '.deb'))
  const digest = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
  const pin = PINS[name]
  if (pin === undefined) log(`${name}: not among our pins, vouched for by apt's signed lists (sha256 ${digest})`)
  else if (pin !== digest) throw new Error(`${name}: sha256 is ${digest}, pinned is ${pin}; not used`)
}

/** Names of libraries that are not there, and versions that those that are there do not have. */
async function missingLibraries(root, programs) {
  const dirs = await libraryDirs(root)
  const path = dirs.map((dir) => join(root, dir)).join(':')
  const loader = await loaderIn(root, dirs)
  const missing = new Set()
  const outdated = new Set()
  for (const program of programs) {
    const file = join(root, 'usr/bin', program)
    // This system's own tools would not start with the C library of another release.
    const { output } =
      loader === undefined
        ? await run('ldd', [file], { env: { ...process.env, LC_ALL: 'C', LD_LIBRARY_PATH: path } })
        : await run(join(root, loader), ['--library-path', path, '--list', file], {
            env: { ...process.env, LC_ALL: 'C' },
          })
    for (const [, name] of output.matchAll(/^\s*(\S+) => not found/gm)) missing.add(name)
    // The loader goes on past a library that it does not find under ldd only; by itself it stops there.
    for (const [, name] of output.matchAll(/libraries: (\S+): cannot open shared object file/g)) missing.add(name)
    for (const [, version] of output.matchAll(/version `(\S+)' not found/g)) outdated.add(version)
  }
  return { missing: [...missing], outdated: [...outdated] }
}

function newerPackages(versions) {
  return [
    ...new Set(
      versions.map((version) => {
        const row = NEWER.find(([pattern]) => pattern.test(version))
        if (row === undefined) throw new Error(`nothing here knows which package has ${version}`)
        return row[1]
      }),
    ),
  ]
}

/** The program loader that came with an unpacked C library, relative to the tree. */
async function loaderIn(root, dirs) {
  for (const dir of dirs) {
    const found = (await readdir(join(root, dir))).find((file) => /^ld-linux.*\.so\.\d+$/.test(file))
    if (found !== undefined) return `${dir}/${found}`
  }
  return undefined
}

async function packagesFor(apt, sonames) {
  const chosen = new Set()
  for (const soname of sonames) {
    const row = PACKAGE_OF.find(([pattern]) => pattern.test(soname))
    if (row === undefined) throw new Error(`nothing here knows which package has ${soname}`)
    let name
    for (const candidate of row.slice(1)) {
      if ((await apt.candidate(candidate)) !== undefined) name = candidate
    }
    if (name === undefined) throw new Error(`apt knows no package for ${soname}`)
    chosen.add(name)
  }
  return [...chosen]
}

/** Folders of the unpacked tree that hold libraries, relative to it. */
async function libraryDirs(root) {
  const found = []
  for (const parent of ['usr/lib', 'lib']) {
    for (const name of ['', ...(await readdir(join(root, parent)).catch(() => []))]) {
      const dir = name === '' ? parent : `${parent}/${name}`
      if (!(await isDirectory(join(root, dir)))) continue
      if ((await readdir(join(root, dir))).some((file) => /\.so(\.|$)/.test(file))) found.push(dir)
    }
  }
  return found
}

async function isDirectory(path) {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

async function writeWrapper(temp, program, dirs, loader) {
  const path = ['usr/lib', ...dirs].map((dir) => `$root/${dir}`).join(':')
  // With a C library of its own, the path is for this program only: what it starts has the system's.
  const start =
    loader === undefined
      ? `export LD_LIBRARY_PATH="${path}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$root/usr/bin/${program}" "$@"`
      : `exec "$root/${loader}" --library-path "${path}" "$root/usr/bin/${program}" "$@"`
  const text = `#!/bin/sh
# Runs the unpacked program with the libraries unpacked with it.
root=\${0%/*}/../root
${start}
`
  const file = join(temp, 'bin', program)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  await chmod(file, 0o755)
}
