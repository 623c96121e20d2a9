/**
 * Caches bundles and templates in node_modules/.cache/mailflow, because bundling and synthesis take most of a start.
 * There is one folder for each digest of the bundled sources. It contains the bundles, V8's compile cache, and one
 * template for each digest of infra/ and the settings.
 */
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../repository.ts'
import { isAlive } from './is-alive.ts'

const cache = join(repositoryRoot, 'node_modules', '.cache', 'mailflow')
const bundledFiles = [
  '{functions,shared}/**/*.{ts,tsx,css}',
  'infra/bundle-unit.ts',
  'infra/console/bundle-console-files.ts',
  'package-lock.json',
  'tsconfig.json',
]
const synthesisFiles = ['infra/*.ts', 'infra/!(local)/**/*.ts', 'cdk.json']
/** Limit of cached folders. Folders that a running process uses stay in addition. */
const maxFolders = 3

/** Returns the digest of the bundled sources: the same digest means the same bundles. */
export const sourcesDigest = (): string => digestOf(bundledFiles)

/**
 * Returns the digest of infra/ (without infra/local/) and the settings. Together with the bundles, these determine the
 * template.
 */
export const templateDigest = (settings: Readonly<Record<string, unknown>>): string =>
  digestOf(synthesisFiles, settings)

function digestOf(patterns: readonly string[], ...inputs: unknown[]): string {
  const digest = createHash('sha256').update(JSON.stringify(inputs))
  for (const file of globSync(patterns, { cwd: repositoryRoot }).sort())
    digest.update(JSON.stringify([file, readFileSync(join(repositoryRoot, file), 'utf8')]))
  return digest.digest('hex').slice(0, 32)
}

export const cacheFolder = (sources: string): string => join(cache, sources)

/** Marks the folder as used by this process, so that another process does not remove it meanwhile. */
export function useCacheFolder(sources: string): void {
  const folder = cacheFolder(sources)
  const mark = join(folder, `used-by-${process.pid}`)
  ignoreNoPermission(() => {
    mkdirSync(folder, { recursive: true })
    utimesSync(folder, new Date(), new Date())
    writeFileSync(mark, '')
    process.once('exit', () => rmSync(mark, { force: true }))
    removeUnused(folder)
  })
}

/** Links cached bundles into an assembly folder before synthesis, so that CDK does not bundle again. */
export function linkBundles(sources: string, assembly: string): void {
  for (const name of bundlesIn(cacheFolder(sources)))
    symlinkSync(join(cacheFolder(sources), name), join(assembly, name), 'junction')
}

/** Caches the bundles of an assembly. */
export function cacheBundles(sources: string, assembly: string): void {
  const folder = cacheFolder(sources)
  const cached = new Set(bundlesIn(folder))
  for (const name of bundlesIn(assembly).filter((bundle) => !cached.has(bundle)))
    writeAtomically(join(folder, name), (copy) => cpSync(join(assembly, name), copy, { recursive: true }))
}

/** @returns null for a cache miss */
export function readCached(sources: string, name: string): string | null {
  const file = join(cacheFolder(sources), name)
  return existsSync(file) ? readFileSync(file, 'utf8') : null
}

export function writeCached(sources: string, name: string, text: string): void {
  writeAtomically(join(cacheFolder(sources), name), (copy) => writeFileSync(copy, text))
}

/** Writes atomically: other processes may write, read and remove at the same time. */
function writeAtomically(path: string, write: (copy: string) => void): void {
  const copy = `${path}.${process.pid}.new`
  ignoreNoPermission(() => {
    write(copy)
    try {
      renameSync(copy, path)
    } catch {
      // Another process has written the same content.
      rmSync(copy, { recursive: true, force: true })
    }
  })
}

/** Ignores missing write permission, which only means that the next start is not faster. */
function ignoreNoPermission(write: () => void): void {
  try {
    write()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!['EACCES', 'EROFS', 'EPERM'].includes(code)) throw error
  }
}

const bundlesIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => /^asset\.[^.]+$/.test(name)) : []

function removeUnused(currentFolder: string): void {
  const unusedFolders = readdirSync(cache)
    .map((name) => join(cache, name))
    .filter((folder) => folder !== currentFolder && !isUsed(folder))
    .map((folder) => ({ folder, at: statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((a, b) => b.at - a.at)
  for (const { folder } of unusedFolders.slice(maxFolders - 1))
    rmSync(folder, { recursive: true, force: true })
}

const isUsed = (folder: string): boolean =>
  (existsSync(folder) ? readdirSync(folder) : []).some((name) => {
    const [, pid] = /^used-by-(\d+)$/.exec(name) ?? []
    return pid !== undefined && isAlive(Number(pid))
  })
