/** The stack as CDK synthesises it: the template, and the folders of the functions' bundles. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import {
  keep,
  keepBundles,
  keptFolder,
  linkBundles,
  readKept,
  sourcesDigest,
  templateDigest,
  useKept,
} from './kept.ts'
import { StartError } from './start-error.ts'
import type { Template } from './template.ts'

export interface Assembly {
  readonly template: Template
  /** Folder of a file asset, by the object key that the template names it with. */
  readonly assets: ReadonlyMap<string, string>
  /** Where V8 may keep what it compiled of the bundles. */
  readonly compileCache: string
}

const AssetManifest = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.object({ path: z.string() }),
      destinations: z.record(z.string(), z.object({ objectKey: z.string() })),
    }),
  ),
})

/**
 * @param settings replace those of cdk.json, key by key
 * @param directory where the assembly's folder is made, unless the assembly is kept
 */
export async function synthesise(settings: Record<string, unknown>, directory: string): Promise<Assembly> {
  const sources = sourcesDigest()
  const name = `template-${templateDigest(settings)}.json`
  useKept(sources)
  const kept = readKept(sources, name)
  if (kept !== null) return assemblyOf(kept, keptFolder(sources), sources)
  const outdir = mkdtempSync(join(directory, 'assembly-'))
  linkBundles(sources, outdir)
  const text = await buildAssembly(settings, outdir, sources)
  keepBundles(sources, outdir)
  keep(sources, name, text)
  return assemblyOf(text, readKept(sources, name) === null ? outdir : keptFolder(sources), sources)
}

interface Kept {
  readonly template: Template
  readonly assets: readonly (readonly [objectKey: string, folder: string])[]
}

function assemblyOf(text: string, folder: string, sources: string): Assembly {
  const { template, assets } = JSON.parse(text) as Kept
  return {
    template,
    assets: new Map(assets.map(([objectKey, name]) => [objectKey, join(folder, name)])),
    compileCache: join(keptFolder(sources), 'compiled'),
  }
}

/** @returns what is kept of it, as text */
async function buildAssembly(
  settings: Record<string, unknown>,
  outdir: string,
  sources: string,
): Promise<string> {
  // Loaded where it is needed: the CDK takes half a second.
  const { buildApp } = await import('../create-app.ts')
  const { sourcesContext } = await import('../unit.ts')
  const [stack, ...others] = quietly(() =>
    buildApp({ outdir, mailflow: settings, validate: false, context: { [sourcesContext]: sources } }).synth(),
  ).stacks
  if (stack === undefined || others.length > 0) throw new StartError('the app must hold exactly one stack')
  const manifest = AssetManifest.parse(
    JSON.parse(readFileSync(join(outdir, `${stack.id}.assets.json`), 'utf8')),
  )
  const assets = Object.values(manifest.files).flatMap(({ source, destinations }) =>
    Object.values(destinations).map(({ objectKey }) => [objectKey, basename(source.path)] as const),
  )
  return JSON.stringify({ template: stack.template as Template, assets } satisfies Kept)
}

/** CDK announces each bundle on stderr; what it says is of interest only when it fails. */
function quietly<T>(work: () => T): T {
  const write = process.stderr.write
  const said: string[] = []
  process.stderr.write = (chunk: string | Uint8Array) => said.push(chunk.toString()) > 0
  try {
    return work()
  } catch (error) {
    write.call(process.stderr, said.join(''))
    throw error
  } finally {
    process.stderr.write = write
  }
}
