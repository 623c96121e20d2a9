/**
 * Every package is in the right list: `dependencies` for code that runs or deploys, `devDependencies` for the rest. The
 * lock file fixes the content of each package, and the SBOM lists it.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const manifest = JSON.parse(read('package.json'))
const dependencies = Object.keys(manifest.dependencies)
const devDependencies = Object.keys(manifest.devDependencies)

const isLocal = (file: string) => file.startsWith('infra/local/')
const sources = globSync('{cli,functions,shared,infra}/**/*.{ts,tsx,js}', { cwd: root })
const runtime = sources.filter((file) => !isLocal(file)).flatMap(importsOf)
const development = [...sources.filter(isLocal), ...globSync('test/**/*.ts', { cwd: root })].flatMap(
  importsOf,
)

interface Import {
  from: string
  package: string
  typeOnly: boolean
}

function importsOf(from: string): Import[] {
  const source = read(from)
  const statements = source.matchAll(
    /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm,
  )
  const calls = source.matchAll(/(?:\bimport|createRequire\(import\.meta\.url\))\(\s*()['"]([^'"]+)['"]/g)
  return [...statements, ...calls]
    .filter(([, , to = '']) => !/^(?:\.|node:)/.test(to))
    .map(([, type, to = '']) => ({
      from,
      package: /^(?:@[^/]+\/)?[^/]+/.exec(to)?.[0] ?? '',
      typeOnly: Boolean(type),
    }))
}

const typesOf = (name: string) => `@types/${name.replace(/^@(.*)\//, '$1__')}`

test('code that runs or deploys imports only packages of `dependencies`; types may be of either list', () => {
  const all = new Set([...dependencies, ...devDependencies])
  const misplaced = runtime.filter(({ package: name, typeOnly }) =>
    typeOnly ? !all.has(name) && !all.has(typesOf(name)) : !dependencies.includes(name),
  )
  assert.ok(runtime.length > 0)
  assert.deepEqual(
    misplaced.map(({ from, package: name }) => `${from} -> ${name}`),
    [],
  )
})

/** Dependencies that no file imports, and the reason for each. */
const exceptions: Readonly<Record<string, string>> = {
  node: 'cli/mailflow.js and the scripts start its program',
}

test('code that runs or deploys imports every package of `dependencies`', () => {
  const importedNames = new Set(runtime.filter(({ typeOnly }) => !typeOnly).map(({ package: name }) => name))
  const unused = dependencies.filter((name) => !importedNames.has(name) && exceptions[name] === undefined)
  assert.deepEqual(unused, [])
  const unnecessary = Object.keys(exceptions).filter(
    (name) => importedNames.has(name) || !dependencies.includes(name),
  )
  assert.deepEqual(unnecessary, [], 'exceptions that are not necessary')
})

test('every package of `devDependencies` is imported, provides types, or is named by a script or a configuration', () => {
  const importedNames = new Set([...runtime, ...development].map(({ package: name }) => name))
  const typePackages = new Set([...importedNames].map(typesOf))
  for (const name of JSON.parse(read('tsconfig.json')).compilerOptions.types) typePackages.add(typesOf(name))
  const words = new Set(Object.values<string>(manifest.scripts).flatMap((script) => script.split(/\s+/)))
  const isStarted = (name: string) => {
    const { bin = {} } = JSON.parse(read(`node_modules/${name}/package.json`))
    return (typeof bin === 'string' ? [name] : Object.keys(bin)).some((program) => words.has(program))
  }
  assert.deepEqual(
    devDependencies.filter((name) => !importedNames.has(name) && !typePackages.has(name) && !isStarted(name)),
    [],
  )
})

interface PackageEntry {
  version: string
  integrity?: string
  link?: boolean
  inBundle?: boolean
  dev?: boolean
  hasInstallScript?: boolean
}

/** The packages of the lock file by name; a name may occur several times. */
const packageEntries = Object.entries<PackageEntry>(JSON.parse(read('package-lock.json')).packages)
  .filter(([path]) => path !== '')
  .map(([path, fields]) => ({ ...fields, name: path.replace(/^.*node_modules\//, '') }))

test('the lock file has the SHA-512 hash of every package that npm downloads', () => {
  const downloads = packageEntries.filter(({ link, inBundle }) => !link && !inBundle)
  assert.ok(downloads.length > 0)
  const withoutHash = downloads.filter(
    ({ integrity = '' }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity),
  )
  assert.deepEqual(
    withoutHash.map(({ name }) => name),
    [],
  )
})

test('exactly the packages of `allowScripts` have scripts that run during installation', () => {
  const names = packageEntries.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name)
  assert.deepEqual([...new Set(names)].sort(), Object.keys(manifest.allowScripts).sort())
})

test('`npm run sbom` prints every production package in CycloneDX, with its hash unless another package contains it', () => {
  const output = execFileSync('npm', ['run', '--silent', 'sbom'], { cwd: root, encoding: 'utf8' })
  const { bomFormat, components } = JSON.parse(output)
  assert.equal(bomFormat, 'CycloneDX')
  const hashes = new Map<string, { alg: string }[]>(
    components
      .filter(({ properties }: { properties: { name: string }[] }) => !properties.some(isDevelopment))
      .map(({ name, version, hashes: own = [] }: { name: string; version: string; hashes: [] }) => [
        `${name}@${version}`,
        own,
      ]),
  )
  const expected = packageEntries.filter(({ link, dev }) => !link && !dev)
  assert.ok(expected.length > dependencies.length)
  const missing = expected.filter(({ name, version, inBundle }) => {
    const own = hashes.get(`${name}@${version}`)
    return own === undefined || (!inBundle && !own.some(({ alg }) => alg === 'SHA-512'))
  })
  assert.deepEqual(
    missing.map(({ name, version }) => `${name}@${version}`),
    [],
  )
})

/** The SBOM marks packages that only development needs. */
const isDevelopment = ({ name }: { name: string }) => name === 'cdx:npm:package:development'
