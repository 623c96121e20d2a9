/**
 * Bundling takes most of a start's time, and gives the same for the same sources. So bundles are kept in
 * node_modules/.cache, by a digest of everything that goes into them, and laid where CDK looks for what it has bundled
 * already.
 */
import { createHash } from 'node:crypto'
import {
  cpSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
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
  for (const name of bundlesIn(join(cache, digest)))
    symlinkSync(join(cache, digest, name), join(assembly, name))
}

/** Keeps the bundles of an assembly. Others may do the same at the same time. */
export function keepBundles(digest: string, assembly: string): void {
  const folder = join(cache, digest)
  const known = new Set(bundlesIn(folder))
  const made = bundlesIn(assembly).filter((name) => !known.has(name))
  if (made.length === 0) return
  mkdirSync(folder, { recursive: true })
  for (const name of made) {
    const copy = join(folder, `copy-${process.pid}-${name}`)
    cpSync(join(assembly, name), copy, { recursive: true })
    try {
      renameSync(copy, join(folder, name))
    } catch {
      // Somebody else was first.
      rmSync(copy, { recursive: true, force: true })
    }
  }
  forgetOthers()
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

function forgetOthers(): void {
  const folders = readdirSync(cache).map((name) => join(cache, name))
  const byAge = folders.toSorted((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs)
  for (const folder of byAge.slice(mostKept)) rmSync(folder, { recursive: true, force: true })
}
