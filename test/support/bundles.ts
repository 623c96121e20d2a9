/** The bundles of all functions, with the packages that each contains. */
import { globSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type BundleFiles, bundleUnit } from '../../infra/bundle-unit.ts'
import { repositoryRoot } from '../../infra/repository.ts'

export interface Bundle {
  readonly unit: string
  /** The path of index.cjs. */
  readonly path: string
  /** Octets of index.cjs. */
  readonly size: number
  /** Octets of the modules that are loaded on first use. */
  readonly laterSize: number
  /** Octets in index.cjs by the path of the source, such as `zod/v4/core/core.js` or `shared/mail/reply.ts`. */
  readonly sources: ReadonlyMap<string, number>
}

/** The folders of functions/ that are Lambda functions. */
export const units = globSync('functions/*/handler.ts', { cwd: repositoryRoot })
  .map((path) => basename(dirname(path)))
  .sort()

/** Bundles the function as the stack does. */
export function bundle(unit: string, parent: string): Bundle {
  const folder = join(parent, unit)
  const outputs = Object.entries<BundleFiles[string]>(bundleUnit(unit, folder))
  const [[, index] = [], ...others] = outputs
  if (index === undefined) throw new Error(`${unit} has no bundle`)
  return {
    unit,
    path: join(folder, 'index.cjs'),
    size: index.bytes,
    laterSize: others.reduce((sum, [, { bytes }]) => sum + bytes, 0),
    sources: new Map(
      Object.entries(index.inputs)
        .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
        .map(([path, { bytesInOutput }]) => [path.replace(/^.*node_modules\//, ''), bytesInOutput]),
    ),
  }
}

/** `zod` for `zod/v4/core/core.js`, `@smithy/core` for its files, and `shared/mail` for our own. */
export function packageOf(source: string): string {
  const [first = '', second = ''] = source.split('/')
  return /^(@|shared$|functions$)/.test(first) ? `${first}/${second}` : first
}
