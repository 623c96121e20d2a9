/**
 * Bundles a Lambda function with the packages that it uses. The bundle contains the SDK of the lock file, which was
 * tested, instead of the SDK of the Lambda runtime. The options shorten the cold start, which `npm run
 * bench:cold-start` measures.
 */
import { join } from 'node:path'
import { type BuildOptions, buildSync, type Metafile } from 'esbuild'
import { handlerPath, repositoryRoot } from './repository.ts'

/** Packages that the functions import on first use. Each module of them becomes a file, which Node loads then. */
const laterPackages = ['@aws-sdk/client-sesv2', 'mailauth/', 'nodemailer/lib/mime-node', 'postal-mime']

const options = {
  absWorkingDir: repositoryRoot,
  bundle: true,
  platform: 'node',
  target: 'node24',
  // To import node:http into an ES module, Node reads all its exports, and thereby loads its WebSocket client.
  format: 'cjs',
  supported: { 'dynamic-import': false },
  define: { 'import.meta.dirname': '__dirname' },
  mainFields: ['module', 'main'],
  // Identifiers stay as they are, so that a stack trace names the functions. The alternatives take time at each start:
  // `keepNames` sets the name of each function, and a source map is read when its bundle is loaded.
  minifyWhitespace: true,
  minifySyntax: true,
  // Lambda's credentials are environment variables. The SDK's module also has clients of SSO, STS and sign-in.
  alias: { '@aws-sdk/credential-provider-node': './shared/lambda/environment-credentials.ts' },
  logLevel: 'warning',
  metafile: true,
} satisfies BuildOptions

/** The files of a bundle by their path, each with the sources and their sizes. */
export type BundleFiles = Metafile['outputs']

/**
 * Writes `index.cjs`, which exports `handler`, and below `node_modules/` the modules that are loaded on first use.
 * @param unit the function's folder below functions/
 * @returns paths are relative to the repository
 */
export function bundleUnit(unit: string, folder: string): BundleFiles {
  const { metafile: index } = buildSync({
    ...options,
    entryPoints: [handlerPath(unit)],
    outfile: join(folder, 'index.cjs'),
    external: laterPackages.map((name) => `${name}*`),
  })
  const imports = Object.values(index.outputs).flatMap((output) => output.imports.map(({ path }) => path))
  const modules = imports.filter((path) => laterPackages.some((name) => path.startsWith(name)))
  const { metafile: others } = buildSync({
    ...options,
    entryPoints: modules.map((path) => ({ in: path, out: path.replace(/\.js$/, '') })),
    outdir: join(folder, 'node_modules'),
    // import() in our ES modules returns `module.exports` as `default`.
    footer: { js: 'module.exports = module.exports.default ?? module.exports' },
  })
  return { ...index.outputs, ...others.outputs }
}
