/** The arrows of ARCHITECTURE.md: who may import whom. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')
const files = globSync('{infra,functions,shared}/**/*.ts', { cwd: root })
const sources = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))

interface Import {
  from: string
  /** A path from the root, or a package. */
  to: string
  typeOnly: boolean
}

const imports: Import[] = [...sources].flatMap(([from, source]) => importsOf(from, source))

function importsOf(from: string, source: string): Import[] {
  const statements = source.matchAll(
    /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm,
  )
  const dynamic = source.matchAll(/\bimport\(\s*()['"]([^'"]+)['"]/g)
  return [...statements, ...dynamic].map(([, type, to = '']) => ({
    from,
    to: to.startsWith('.') ? normalize(join(dirname(from), to)) : to,
    typeOnly: type !== undefined && type !== '',
  }))
}

const pure = ['shared/contract/', 'shared/mail/', 'shared/tls/', 'shared/policy/']
const within = (path: string, folders: readonly string[]) => folders.some((folder) => path.startsWith(folder))
const isOurs = (path: string) => within(path, ['infra/', 'functions/', 'shared/', 'test/'])

/** Each rule: whom it is about, and what such a file may import of ours. */
const rules: {
  name: string
  applies: (file: string) => boolean
  allows: (file: string, to: string) => boolean
}[] = [
  {
    name: 'infra imports of the product only the contract',
    applies: (file) => file.startsWith('infra/'),
    allows: (_, to) => within(to, ['infra/', 'shared/contract/']),
  },
  {
    name: 'infra outside infra/local does not know the local runner',
    applies: (file) => file.startsWith('infra/') && !file.startsWith('infra/local/'),
    allows: (_, to) => !to.startsWith('infra/local/'),
  },
  {
    name: 'a function imports shared code and its own, never another function',
    applies: (file) => file.startsWith('functions/'),
    allows: (file, to) => within(to, ['shared/', `${file.split('/').slice(0, 2).join('/')}/`]),
  },
  {
    name: 'shared code imports shared code',
    applies: (file) => file.startsWith('shared/'),
    allows: (_, to) => to.startsWith('shared/'),
  },
  {
    name: 'the contract depends on nothing of ours',
    applies: (file) => file.startsWith('shared/contract/'),
    allows: (_, to) => to.startsWith('shared/contract/'),
  },
  {
    name: 'pure modules import pure modules',
    applies: (file) => within(file, pure),
    allows: (_, to) => within(to, pure) || to === 'shared/connectors/schema.ts',
  },
]

for (const { name, applies, allows } of rules) {
  test(name, () => {
    const concerned = imports.filter(({ from }) => applies(from))
    assert.ok(concerned.length > 0, 'the rule is about no file at all')
    const wrong = concerned.filter(({ from, to }) => isOurs(to) && !allows(from, to))
    assert.deepEqual(
      wrong.map(({ from, to }) => `${from} -> ${to}`),
      [],
    )
  })
}

/** Packages a pure module may use: they compute, and touch neither network, disk, clock nor environment. */
const purePackages = [
  'zod',
  'ipaddr.js',
  'node:buffer',
  'node:crypto',
  'node:url',
  'node:net',
  'nodemailer/lib/qp',
  '@peculiar/asn1-ocsp',
  '@peculiar/asn1-schema',
  '@peculiar/asn1-x509',
]

test('pure modules import no package that does I/O, except for its types', () => {
  const wrong = imports.filter(
    ({ from, to, typeOnly }) => within(from, pure) && !isOurs(to) && !typeOnly && !purePackages.includes(to),
  )
  assert.deepEqual(
    wrong.map(({ from, to }) => `${from} -> ${to}`),
    [],
  )
})

test('pure modules read no clock, chance, environment or log', () => {
  const impure = /\bDate\.now\(|new Date\(\)|Math\.random\(|process\.|console\./
  const wrong = [...sources].filter(([file, source]) => within(file, pure) && impure.test(source))
  assert.deepEqual(
    wrong.map(([file]) => file),
    [],
  )
})

test('no file imports itself through others', () => {
  const targets = Map.groupBy(
    imports.filter(({ to, typeOnly }) => isOurs(to) && !typeOnly),
    ({ from }) => from,
  )
  const done = new Set<string>()
  const walk = (file: string, path: string[]): void => {
    const loop = path.indexOf(file)
    assert.ok(loop < 0, `cycle: ${[...path.slice(loop), file].join(' -> ')}`)
    if (done.has(file)) return
    for (const { to } of targets.get(file) ?? []) walk(to, [...path, file])
    done.add(file)
  }
  for (const file of sources.keys()) walk(file, [])
})

test('every import of ours leads to a file', () => {
  const missing = imports.filter(
    ({ to }) => within(to, ['infra/', 'functions/', 'shared/']) && !sources.has(to),
  )
  assert.deepEqual(
    missing.map(({ from, to }) => `${from} -> ${to}`),
    [],
  )
})
