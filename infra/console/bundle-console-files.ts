/**
 * Bundles the files of the console: the page, its scripts in parts that the browser loads when it needs them, styles and
 * fonts. Names have a digest, so that browsers keep them for a year.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, buildSync, type Metafile } from 'esbuild'
import { consolePath } from '../../shared/contract/console.ts'
import { repositoryRoot } from '../repository.ts'

const entry = 'functions/console/app/main.tsx'

const options = {
  absWorkingDir: repositoryRoot,
  entryPoints: [entry],
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: ['es2023'],
  jsx: 'automatic',
  minify: true,
  legalComments: 'none',
  define: { 'process.env.NODE_ENV': '"production"' },
  // The components' texts in languages that the console does not have. Nothing imports them: esbuild drops the function that
  // could, but would still write a file for each.
  external: ['./messages/all.*.js'],
  loader: { '.woff2': 'file', '.woff': 'file', '.svg': 'dataurl' },
  assetNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  entryNames: '[name]-[hash]',
  metafile: true,
  logLevel: 'warning',
} satisfies BuildOptions

/**
 * Writes the compressed files into `files/` of the folder of the function's bundle.
 * @returns esbuild's description of the files
 */
export function bundleConsoleFiles(folder: string): Metafile {
  const temporary = mkdtempSync(join(tmpdir(), 'mailflow-console-'))
  try {
    const { metafile } = buildSync({ ...options, splitting: true, outdir: temporary })
    for (const name of readdirSync(temporary)) if (name.endsWith('.css')) rmSync(join(temporary, name))
    bundleStyles(temporary)
    const names = readdirSync(temporary)
    writeFileSync(join(temporary, 'index.html'), page(names))
    mkdirSync(join(folder, 'files'), { recursive: true })
    for (const name of [...names, 'index.html'])
      writeFileSync(
        join(folder, 'files', `${name}.gz`),
        gzipSync(readFileSync(join(temporary, name)), { level: 9 }),
      )
    return metafile
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** The browser would not load the styles of a part, so that one file has the styles of all. */
function bundleStyles(folder: string): void {
  const { outputFiles } = buildSync({ ...options, outdir: folder, write: false })
  for (const { path, contents } of outputFiles) if (path.endsWith('.css')) writeFileSync(path, contents)
}

/** @param names the bundled files */
function page(names: readonly string[]): string {
  const find = (pattern: RegExp) => names.find((name) => pattern.test(name)) ?? ''
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>mailflow</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${consolePath}/${find(/^main-\w+\.css$/)}">
<script type="module" src="${consolePath}/${find(/^main-\w+\.js$/)}"></script>
</head>
<body><div id="app"></div><noscript>The console needs JavaScript.</noscript></body>
</html>
`
}
