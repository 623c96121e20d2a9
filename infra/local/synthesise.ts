/** Synthesises the CDK app in this process and opens the cloud assembly it writes. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { buildApp } from '../create-app.ts'
import { sourcesContext } from '../unit.ts'
import { keepBundles, layBundles, sourcesDigest } from './bundles.ts'
import { StartError } from './start-error.ts'
import type { Template } from './template.ts'

export interface Assembly {
  readonly template: Template
  /** Folder of a file asset, by the object key that the template names it with. */
  readonly assets: ReadonlyMap<string, string>
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
 * @param directory where the assembly's folder is made
 */
export function synthesise(settings: Record<string, unknown>, directory: string): Assembly {
  const outdir = mkdtempSync(join(directory, 'assembly-'))
  const sources = sourcesDigest()
  layBundles(sources, outdir)
  const [stack, ...others] = quietly(() =>
    buildApp({ outdir, mailflow: settings, validate: false, context: { [sourcesContext]: sources } }).synth(),
  ).stacks
  if (stack === undefined || others.length > 0) throw new StartError('the app must hold exactly one stack')
  keepBundles(sources, outdir)
  const manifest = AssetManifest.parse(
    JSON.parse(readFileSync(join(outdir, `${stack.id}.assets.json`), 'utf8')),
  )
  const assets = Object.values(manifest.files).flatMap(({ source, destinations }) =>
    Object.values(destinations).map(({ objectKey }): [string, string] => [
      objectKey,
      join(outdir, source.path),
    ]),
  )
  return { template: stack.template as Template, assets: new Map(assets) }
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
