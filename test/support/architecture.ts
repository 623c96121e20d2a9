/**
 * Checks the source tree against the table "Where things are" in ARCHITECTURE.md. Each check takes the table's rows,
 * the imports or the sources, and returns one line for each violation.
 */
import { dirname, join, normalize } from 'node:path'

export interface Row {
  /** A folder with its final slash. `<name>` stands for any single folder, as in `functions/<unit>/`. */
  folder: string
  isPure: boolean
  /** Folders of other rows, or `everything` for a row that has no rule. */
  mayImport: readonly string[] | 'everything'
}

export interface Import {
  from: string
  /** A path from the root, or a package. */
  to: string
  isLocal: boolean
  isTypeOnly: boolean
}

/** Source files by their path from the root. */
export type Sources = ReadonlyMap<string, string>

/** @throws Error when the table is missing or a row cannot be read */
export function readTable(markdown: string): Row[] {
  const section = markdown.split(/^## /m).find((text) => text.startsWith('Where things are\n')) ?? ''
  const lines = section.split('\n')
  const start = lines.findIndex((line) => line.startsWith('| Folder |'))
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'))
  if (start < 0) throw new Error('"Where things are" has no table of folders')
  const [head = '', , ...body] = lines.slice(start, length < 0 ? undefined : start + length)
  const columns = cellsOf(head)
  const rows = body.map((line) => {
    const cells = cellsOf(line)
    const cell = (name: string) => cells[columns.indexOf(name)] ?? ''
    return { folder: cell('Folder'), pure: cell('Pure'), mayImport: cell('May import') }
  })
  const folders = rows.map(({ folder }) => folderIn(folder))
  return rows.map(({ folder, pure, mayImport }) => ({
    folder: folderIn(folder),
    isPure: isPure(pure),
    mayImport: namesIn(mayImport, folders),
  }))
}

const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())

function folderIn(cell: string): string {
  const [, folder] = /^`([a-z][a-z-]*\/(?:[a-z<>-]+\/)*)`$/.exec(cell) ?? []
  if (folder === undefined) throw new Error(`"${cell}" is not a folder such as \`shared/mail/\``)
  return folder
}

function isPure(cell: string): boolean {
  if (cell !== '' && cell !== 'yes')
    throw new Error(`"${cell}" in the column "Pure": expected "yes" or nothing`)
  return cell === 'yes'
}

/** A name is a row's folder; `shared/` may be left out. */
function namesIn(cell: string, folders: readonly string[]): Row['mayImport'] {
  if (cell === 'everything') return cell
  if (cell === 'no project folder') return []
  if (!/^`[a-z/-]+`(?:, `[a-z/-]+`)*$/.test(cell))
    throw new Error(`"${cell}" in the column "May import": expected names such as \`contract\`, \`mail\``)
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => {
    const folder = folders.find((folder) => folder === `${name}/` || folder === `shared/${name}/`)
    if (folder === undefined) throw new Error(`"May import" names \`${name}\`, which has no row`)
    return folder
  })
}

/** Static, dynamic and type imports, and exports from another file. */
export function importsOf(sources: Sources): Import[] {
  return [...sources].flatMap(([from, source]) => {
    const statements = source.matchAll(
      /^(?:import|export)\s+(type\s+)?(?:[\w$*{},\s]*?\sfrom\s+)?['"]([^'"]+)['"]/gm,
    )
    const dynamic = source.matchAll(/\bimport\(\s*()['"]([^'"]+)['"]/g)
    return [...statements, ...dynamic].map(([, type, to = '']) => ({
      from,
      to: to.startsWith('.') ? normalize(join(dirname(from), to)) : to,
      isLocal: to.startsWith('.'),
      isTypeOnly: type !== undefined && type !== '',
    }))
  })
}

interface Place {
  row: Row
  /** The row's folder with `<unit>` replaced: two units share a row, not a folder. */
  folder: string
}

/** Returns the row with the longest folder that contains the file. */
function placeOf(file: string, rows: readonly Row[]): Place | null {
  const places = rows.flatMap((row) => {
    const pattern = new RegExp(`^${row.folder.replaceAll(/<[a-z]+>/g, '[^/]+')}`)
    const [folder] = pattern.exec(file) ?? []
    return folder === undefined ? [] : [{ row, folder }]
  })
  return places.sort((first, second) => second.folder.length - first.folder.length)[0] ?? null
}

/** Returns rows without a file, second rows of a folder, and pure rows that name impure rows. */
export function rowFaults(rows: readonly Row[], files: Iterable<string>): string[] {
  const used = new Set([...files].map((file) => placeOf(file, rows)?.row))
  const byFolder = new Map(rows.map((row) => [row.folder, row]))
  return rows.flatMap((row) => [
    ...(used.has(row) ? [] : [`${row.folder} has a row and no file`]),
    ...(byFolder.get(row.folder) === row ? [] : [`${row.folder} has two rows`]),
    ...arrowsOf(row)
      .filter((folder) => row.isPure && !byFolder.get(folder)?.isPure)
      .map((folder) => `${row.folder} is pure and may import ${folder}, which is not`),
  ])
}

const arrowsOf = ({ mayImport }: Row): readonly string[] => (mayImport === 'everything' ? [] : mayImport)

export const filesWithoutRow = (rows: readonly Row[], files: Iterable<string>): string[] =>
  [...files].filter((file) => placeOf(file, rows) === null)

export const importsOfNoFile = (imports: readonly Import[], sources: Sources): string[] =>
  imports.filter(({ to, isLocal }) => isLocal && !sources.has(to)).map(text)

/** Returns imports of another folder that the importing file's row does not name. */
export const forbiddenImports = (rows: readonly Row[], imports: readonly Import[]): string[] =>
  imports.filter((each) => !isAllowed(each, rows)).map(text)

function isAllowed({ from, to, isLocal }: Import, rows: readonly Row[]): boolean {
  const [source, target] = [placeOf(from, rows), placeOf(to, rows)]
  if (!isLocal || source === null || source.row.mayImport === 'everything') return true
  return (
    target !== null && (target.folder === source.folder || source.row.mayImport.includes(target.row.folder))
  )
}

/** Returns arrows of the table that no import uses. */
export function unusedArrows(rows: readonly Row[], imports: readonly Import[]): string[] {
  const used = new Set(
    imports
      .filter(({ isLocal }) => isLocal)
      .map(({ from, to }) => arrow(placeOf(from, rows)?.row.folder, placeOf(to, rows)?.row.folder)),
  )
  return rows
    .flatMap((row) => arrowsOf(row).map((folder) => arrow(row.folder, folder)))
    .filter((each) => !used.has(each))
}

const arrow = (from: string | undefined, to: string | undefined): string => `${from} -> ${to}`

const text = ({ from, to }: Import): string => arrow(from, to)

/** Returns arrows to rows further down. When there are none, the arrows form no cycle. */
export const arrowsDownwards = (rows: readonly Row[]): string[] =>
  rows.flatMap((row, index) => {
    const above = new Set(rows.slice(0, index).map(({ folder }) => folder))
    return arrowsOf(row)
      .filter((folder) => !above.has(folder))
      .map((folder) => arrow(row.folder, folder))
  })

export const fileCycles = (imports: readonly Import[]): string[] =>
  cyclesOf(imports.filter(({ isLocal }) => isLocal).map(({ from, to }) => [from, to] as const))

/** Returns the cycles among the files and subfolders of each folder. */
export function folderCycles(imports: readonly Import[]): string[] {
  const edges = new Map<string, (readonly [string, string])[]>()
  for (const { from, to } of imports.filter(({ isLocal }) => isLocal)) {
    const [froms, tos] = [from.split('/'), to.split('/')]
    const fork = froms.findIndex((name, index) => name !== tos[index])
    if (fork < 0 || fork >= tos.length) continue
    const parent = froms.slice(0, fork).join('/')
    const edge = [froms, tos].map((names) => names.slice(0, fork + 1).join('/')) as [string, string]
    edges.set(parent, [...(edges.get(parent) ?? []), edge])
  }
  return [...edges].flatMap(([parent, edges]) =>
    cyclesOf(edges).map((cycle) => `in ${parent || 'the root'}: ${cycle}`),
  )
}

/** At least one cycle for each group of nodes that reach each other. */
function cyclesOf(edges: readonly (readonly [string, string])[]): string[] {
  const targets = Map.groupBy(edges, ([from]) => from)
  const finished = new Set<string>()
  const cycles: string[] = []
  const visit = (node: string, path: readonly string[]): void => {
    const start = path.indexOf(node)
    if (start >= 0) cycles.push([...path.slice(start), node].join(' -> '))
    if (start >= 0 || finished.has(node)) return
    for (const to of new Set(targets.get(node)?.map(([, to]) => to))) visit(to, [...path, node])
    finished.add(node)
  }
  for (const node of targets.keys()) visit(node, [])
  return cycles
}

/**
 * Packages that a pure folder may use: they compute, and use no network, disk, clock or environment. Of node:net, only
 * isIP may be used.
 */
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

/** Returns pure folders' imports of packages that do I/O, except imports of types. */
export const impureImports = (rows: readonly Row[], imports: readonly Import[]): string[] =>
  imports
    .filter(({ from, to, isLocal, isTypeOnly }) => {
      const isAllowed = isLocal || isTypeOnly || purePackages.includes(to)
      return !isAllowed && placeOf(from, rows)?.row.isPure
    })
    .map(text)

/** Matches uses of the clock, random numbers, the environment and the log. */
const impure =
  /\bDate\.now\(|new Date\(\)|\bperformance\.|Math\.random\(|\brandom(?:Bytes|Int|UUID)\b|\bprocess\.[a-z]|console\./

/** Returns files of pure folders that use the clock, random numbers, the environment or the log. */
export const impureFiles = (rows: readonly Row[], sources: Sources): string[] =>
  [...sources]
    .filter(([file, source]) => placeOf(file, rows)?.row.isPure && impure.test(source))
    .map(([file]) => file)
