/**
 * Bundling takes most of a start's time, and gives the same for the same sources. So bundles are kept in
 * node_modules/.cache, by a digest of everything that goes into them, and laid where CDK looks for what it has bundled
 * already.
 */
import { createHash } from 'node:crypto'
import { cpSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../repository.ts'

const cache = join(repositoryRoot, 'node_modules', '.cache', 'mailflow')
const ingredients = ['{functions,shared}/**/*.ts', 'infra/unit.ts', 'package-lock.json', 'tsconfig.json']
/** Digests whose bundles are kept. */
const mostKept = 3

/** Of all sources: what is bundled from the same is the same. */
export function sourcesDigest(): string {
  const files = globSync(ingredients, { cwd: repositoryRoot }).sort()
  const digest = createHash('sha256')
  for (const file of files)
    digest.update(JSON.stringify([file, readFileSync(join(repositoryRoot, file), 'utf8')]))
  return digest.digest('hex').slice(0, 32)
}

/** Lays the bundles that are kept into the folder of an assembly that is still to be made. */
export function layBundles(digest: string, assembly: string): void {
  copyBundles(join(cache, digest), assembly)
}

/** Keeps the bundles of an assembly, where this user may write: who may not only waits longer the next time. */
export function keepBundles(digest: string, assembly: string): void {
  const folder = join(cache, digest)
  try {
    mkdirSync(folder, { recursive: true })
    copyBundles(assembly, folder)
    forgetOthers(folder)
  } catch (error) {
    if (!isDenied(error)) throw error
  }
}

const isDenied = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && ['EACCES', 'EROFS', 'EPERM'].includes(String(error.code))

/** Whole or not at all: others may keep, lay and forget at the same time. */
function copyBundles(from: string, to: string): void {
  const known = new Set(bundlesIn(to))
  for (const name of bundlesIn(from).filter((bundle) => !known.has(bundle))) {
    const copy = join(to, `copy-${process.pid}-${name}`)
    try {
      cpSync(join(from, name), copy, { recursive: true })
      renameSync(copy, join(to, name))
    } catch {
      rmSync(copy, { recursive: true, force: true })
    }
  }
}

const bundlesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).filter(
      (name) => name.startsWith('asset.') && !name.includes('.', 'asset.'.length),
    )
  } catch {
    return []
  }
}

function forgetOthers(kept: string): void {
  const others = readdirSync(cache)
    .map((name) => join(cache, name))
    .filter((folder) => folder !== kept)
    .map((folder) => ({ folder, at: statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((one, other) => other.at - one.at)
  for (const { folder } of others.slice(mostKept - 1)) rmSync(folder, { recursive: true, force: true })
}
