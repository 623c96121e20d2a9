/** Synthesises the stack with CDK: the template, and the folders of the functions' bundles. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as z from 'zod'
import {
  cacheBundles,
  cacheFolder,
  linkBundles,
  readCached,
  sourcesDigest,
  templateDigest,
  useCacheFolder,
  writeCached,
} from './bundle-cache.ts'
import { StartError } from './start-error.ts'
import type { Template } from './template.ts'

export interface Assembly {
  readonly template: Template
  /** Asset folders by the object key in the template. */
  readonly assets: ReadonlyMap<string, string>
  /** The folder of V8's compile cache for the bundles. */
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
 * @param settings replace the settings of cdk.json, key by key
 * @param directory the parent of the assembly's folder; unused when the assembly is cached
 */
export async function synthesise(settings: Record<string, unknown>, directory: string): Promise<Assembly> {
  const sources = sourcesDigest()
  const name = `template-${templateDigest(settings)}.json`
  useCacheFolder(sources)
  const cached = readCached(sources, name)
  if (cached !== null) return assemblyOf(cached, cacheFolder(sources), sources)
  const outdir = mkdtempSync(join(directory, 'assembly-'))
  linkBundles(sources, outdir)
  const text = await buildAssembly(settings, outdir, sources)
  cacheBundles(sources, outdir)
  writeCached(sources, name, text)
  return assemblyOf(text, readCached(sources, name) === null ? outdir : cacheFolder(sources), sources)
}

interface CachedAssembly {
  readonly template: Template
  readonly assets: readonly (readonly [objectKey: string, folder: string])[]
}

function assemblyOf(text: string, folder: string, sources: string): Assembly {
  const { template, assets } = JSON.parse(text) as CachedAssembly
  return {
    template,
    assets: new Map(assets.map(([objectKey, name]) => [objectKey, join(folder, name)])),
    compileCache: join(cacheFolder(sources), 'compiled'),
  }
}

/** @returns the text to cache */
async function buildAssembly(
  settings: Record<string, unknown>,
  outdir: string,
  sources: string,
): Promise<string> {
  // Loaded only for a build, because loading the CDK takes half a second.
  const { buildApp } = await import('../create-app.ts')
  const { sourcesContext } = await import('../unit.ts')
  const [stack, ...others] = withoutStderr(() =>
    buildApp({ outdir, mailflow: settings, validate: false, context: { [sourcesContext]: sources } }).synth(),
  ).stacks
  if (stack === undefined || others.length > 0) throw new StartError('the app must contain exactly one stack')
  const manifest = AssetManifest.parse(
    JSON.parse(readFileSync(join(outdir, `${stack.id}.assets.json`), 'utf8')),
  )
  const assets = Object.values(manifest.files).flatMap(({ source, destinations }) =>
    Object.values(destinations).map(({ objectKey }) => [objectKey, basename(source.path)] as const),
  )
  return JSON.stringify({ template: stack.template as Template, assets } satisfies CachedAssembly)
}

/** Discards CDK's output about each bundle on stderr, unless the work fails. */
function withoutStderr<T>(work: () => T): T {
  const write = process.stderr.write
  const output: string[] = []
  process.stderr.write = (chunk: string | Uint8Array) => output.push(chunk.toString()) > 0
  try {
    return work()
  } catch (error) {
    write.call(process.stderr, output.join(''))
    throw error
  } finally {
    process.stderr.write = write
  }
}
