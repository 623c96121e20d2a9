/** The source tree agrees with the table in ARCHITECTURE.md, which lists the permitted imports of each folder. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  arrowsDownwards,
  fileCycles,
  filesWithoutRow,
  folderCycles,
  forbiddenImports,
  importsOf,
  importsOfNoFile,
  impureFiles,
  impureImports,
  type Row,
  readTable,
  rowFaults,
  unusedArrows,
} from './support/architecture.ts'

const root = join(import.meta.dirname, '..')
const extensions = '{ts,tsx,css,js,mts,mjs,cts,cjs}'

describe('the source tree', () => {
  const rows = readTable(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'))
  const files = globSync(`{cli,functions,infra,shared}/**/*.${extensions}`, { cwd: root })
  const sources = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))
  const imports = importsOf(sources)
  const assertNone = (violations: string[]) => assert.deepEqual(violations, [])

  test('has each file in a folder of the table in ARCHITECTURE.md', () =>
    assertNone(filesWithoutRow(rows, files)))
  test('has each folder of the table', () => {
    assertNone(rowFaults(rows, [...files, ...globSync(`test/*.${extensions}`, { cwd: root })]))
  })
  test('imports only files that exist', () => assertNone(importsOfNoFile(imports, sources)))
  test('imports from a folder only what its row of the table permits', () =>
    assertNone(forbiddenImports(rows, imports)))
  test('uses every import that the table permits', () => assertNone(unusedArrows(rows, imports)))
  test('has no row of the table that permits an import of itself or of a row below it', () =>
    assertNone(arrowsDownwards(rows)))
  test('has no cycle of files', () => assertNone(fileCycles(imports)))
  test('has no cycle of folders', () => assertNone(folderCycles(imports)))
  test('does no I/O in folders that the table marks as pure', () => assertNone(impureImports(rows, imports)))
  test('reads no clock, random numbers, environment or log in pure folders', () =>
    assertNone(impureFiles(rows, sources)))
})

describe('the check of the source tree', () => {
  const table = (...rows: string[]) =>
    readTable(
      [
        '## Where things are',
        '',
        '| Folder | What | Pure | May import |',
        '|---|---|---|---|',
        ...rows,
        '',
        'Text.',
      ].join('\n'),
    )
  const contract = '| `shared/contract/` | jobs | yes | no project folder |'
  const mail = '| `shared/mail/` | addresses | yes | `contract` |'
  const net = '| `shared/net/` | DNS | | `contract`, `mail` |'
  const units = '| `functions/<unit>/` | one deployable each | | `mail` |'
  const infra = '| `infra/` | the stack | | `contract` |'
  const local = '| `infra/local/` | the runner | | `infra`, `contract` |'
  const tests = '| `test/` | the tests | | everything |'
  const rows = table(contract, mail, net, units, infra, local, tests)

  const treeOf = (tree: Record<string, string>) => {
    const sources = new Map(Object.entries(tree))
    return { sources, imports: importsOf(sources) }
  }
  const importsFrom = (from: string, to: string) => treeOf({ [from]: `import '${to}'\n` }).imports

  test('reads folder, purity and permitted imports from each row', () => {
    assert.deepEqual(rows.slice(1, 3), [
      { folder: 'shared/mail/', isPure: true, mayImport: ['shared/contract/'] },
      { folder: 'shared/net/', isPure: false, mayImport: ['shared/contract/', 'shared/mail/'] },
    ] satisfies Row[])
    assert.equal(rows.at(-1)?.mayImport, 'everything')
  })

  const invalidRows: [string, string, RegExp][] = [
    [
      'prose as permitted import',
      '| `shared/mail/` | addresses | yes | pure modules |',
      /"pure modules" in the column "May import"/,
    ],
    [
      'a permitted import without a row',
      '| `shared/mail/` | addresses | yes | `post` |',
      /`post`, which has no row/,
    ],
    ['an empty list of imports', '| `shared/mail/` | addresses | yes | |', /"" in the column "May import"/],
    ['an unknown purity', '| `shared/mail/` | addresses | mostly | `contract` |', /"mostly"/],
    ['a name that is not a folder', '| mail | addresses | yes | `contract` |', /"mail" is not a folder/],
  ]
  for (const [name, row, message] of invalidRows)
    test(`refuses a row with ${name}`, () => assert.throws(() => table(contract, row), message))
  test('refuses a document without the table', () => {
    assert.throws(() => readTable('# Architecture\n\n## Where things are\n\nHere.\n'), /no table of folders/)
  })

  test('finds every kind of import', () => {
    const { imports } = treeOf({
      'shared/net/a.ts': [
        "import { isIP } from 'node:net'",
        "import type { Mail } from '../mail/mail.ts'",
        "export { one } from './one.ts'",
        "export type * from './two.ts'",
        'import {',
        '  type Three,',
        '  three,',
        "} from './three.ts'",
        "const four = await import('./four.ts')",
        "type Five = import('./five.ts').Five",
        "import './six.ts'",
      ].join('\n'),
    })
    assert.deepEqual(imports.map(({ to, isLocal, isTypeOnly }) => `${to} ${isLocal} ${isTypeOnly}`).sort(), [
      'node:net false false',
      'shared/mail/mail.ts true true',
      'shared/net/five.ts true false',
      'shared/net/four.ts true false',
      'shared/net/one.ts true false',
      'shared/net/six.ts true false',
      'shared/net/three.ts true false',
      'shared/net/two.ts true true',
    ])
  })

  const forbiddenRows: [string, string, string][] = [
    ['of a folder that its row does not name', 'shared/mail/a.ts', '../net/b.ts'],
    ['against the permitted direction', 'shared/contract/a.ts', '../mail/b.ts'],
    ['of one function from another', 'functions/one/a.ts', '../two/b.ts'],
    ['of the local runner from infra', 'infra/a.ts', './local/b.ts'],
    ['of a function from infra', 'infra/a.ts', '../functions/one/b.ts'],
    ['of a test', 'shared/net/a.ts', '../../test/support/b.ts'],
    ['of a file without a row', 'shared/net/a.ts', '../b.ts'],
  ]
  for (const [name, from, to] of forbiddenRows)
    test(`finds an import ${name}`, () => {
      assert.equal(forbiddenImports(rows, importsFrom(from, to)).length, 1)
    })
  test('finds a type import that the table does not permit', () => {
    const { imports } = treeOf({ 'shared/mail/a.ts': "import type { B } from '../net/b.ts'\n" })
    assert.deepEqual(forbiddenImports(rows, imports), ['shared/mail/a.ts -> shared/net/b.ts'])
  })
  const permittedRows: [string, string, string][] = [
    ['of a folder that its row names', 'shared/net/a.ts', '../mail/b.ts'],
    ['within a folder', 'shared/net/dns/a.ts', '../b.ts'],
    ['within a function', 'functions/one/a.ts', './routes/b.ts'],
    ['of infra from the local runner', 'infra/local/a.ts', '../b.ts'],
    ['of a package', 'shared/mail/a.ts', 'node:fs'],
  ]
  for (const [name, from, to] of permittedRows)
    test(`permits an import ${name}`, () => {
      assert.deepEqual(forbiddenImports(rows, importsFrom(from, to)), [])
    })

  test('finds a file without a row', () => {
    const files = ['shared/mail/a.ts', 'shared/post/b.ts', 'shared/c.ts', 'functions/d.ts']
    assert.deepEqual(filesWithoutRow(rows, files), files.slice(1))
  })
  test('finds a row without a file', () => {
    const files = ['shared/contract/a.ts', 'shared/mail/b.ts']
    assert.deepEqual(rowFaults(table(contract, mail, net), files), ['shared/net/ has a row and no file'])
  })
  test('finds a folder with two rows', () => {
    assert.match(rowFaults(table(contract, contract), ['shared/contract/a.ts']).join(), /has two rows/)
  })
  test('finds a pure row that may import an impure row', () => {
    const impure = '| `shared/tls/` | chains | yes | `net` |'
    assert.deepEqual(
      rowFaults(table(contract, mail, net, impure), [
        'shared/contract/a.ts',
        'shared/mail/b.ts',
        'shared/net/c.ts',
        'shared/tls/d.ts',
      ]),
      ['shared/tls/ is pure and may import shared/net/, which is not'],
    )
  })
  test('finds a permitted import that no file uses', () => {
    const imports = importsFrom('shared/net/a.ts', '../contract/b.ts')
    assert.deepEqual(unusedArrows(table(contract, mail, net), imports), [
      'shared/mail/ -> shared/contract/',
      'shared/net/ -> shared/mail/',
    ])
  })
  test('finds an import of a file that does not exist', () => {
    const { imports, sources } = treeOf({ 'shared/mail/a.ts': "import './b.ts'\n" })
    assert.deepEqual(importsOfNoFile(imports, sources), ['shared/mail/a.ts -> shared/mail/b.ts'])
  })

  test('finds a row that permits an import of itself or of a row below it', () => {
    const cycle = table('| `shared/contract/` | jobs | | `net` |', mail, net)
    assert.deepEqual(arrowsDownwards(cycle), ['shared/contract/ -> shared/net/'])
    assert.deepEqual(arrowsDownwards(table('| `shared/contract/` | jobs | | `contract` |')), [
      'shared/contract/ -> shared/contract/',
    ])
    assert.deepEqual(arrowsDownwards(rows), [])
  })
  test('finds a cycle of files, type imports included', () => {
    const { imports } = treeOf({
      'shared/net/a.ts': "import './b.ts'\n",
      'shared/net/b.ts': "import { c } from './c.ts'\n",
      'shared/net/c.ts': "import type { A } from './a.ts'\n",
    })
    assert.deepEqual(fileCycles(imports), [
      'shared/net/a.ts -> shared/net/b.ts -> shared/net/c.ts -> shared/net/a.ts',
    ])
    assert.deepEqual(fileCycles(imports.slice(0, 2)), [])
  })
  test('finds a cycle of folders without a cycle of files', () => {
    const { imports } = treeOf({
      'shared/net/dns/a.ts': "import '../sts/b.ts'\n",
      'shared/net/sts/c.ts': "import type { D } from '../d.ts'\n",
      'shared/net/d.ts': "import './dns/e.ts'\n",
    })
    assert.deepEqual(fileCycles(imports), [])
    assert.deepEqual(folderCycles(imports), [
      'in shared/net: shared/net/dns -> shared/net/sts -> shared/net/d.ts -> shared/net/dns',
    ])
  })
  test('finds a cycle of top-level folders', () => {
    const imports = [
      ...importsFrom('cli/a.ts', '../shared/net/b.ts'),
      ...importsFrom('shared/mail/c.ts', '../../cli/d.ts'),
    ]
    assert.deepEqual(folderCycles(imports), ['in the root: cli -> shared -> cli'])
  })

  test('finds an import for I/O in a pure folder, and permits an import of its types only', () => {
    const file = (statement: string) => treeOf({ 'shared/mail/a.ts': statement }).imports
    assert.deepEqual(impureImports(rows, file("import { readFile } from 'node:fs/promises'\n")), [
      'shared/mail/a.ts -> node:fs/promises',
    ])
    assert.deepEqual(impureImports(rows, file("import type { Stats } from 'node:fs'\n")), [])
    assert.deepEqual(impureImports(rows, file("import * as z from 'zod'\n")), [])
    assert.deepEqual(impureImports(rows, importsFrom('shared/net/a.ts', 'node:fs')), [])
  })
  for (const expression of [
    'Date.now()',
    'new Date()',
    'Math.random()',
    'process.env.A',
    "console.log('')",
    'randomUUID()',
  ])
    test(`finds ${expression} in a pure folder`, () => {
      const { sources } = treeOf({
        'shared/mail/a.ts': `export const a = () => ${expression}\n`,
        'shared/net/b.ts': `export const b = () => ${expression}\n`,
        'shared/mail/c.ts': 'export const c = (at: Date) => new Date(at)\n',
      })
      assert.deepEqual(impureFiles(rows, sources), ['shared/mail/a.ts'])
    })
})
