/**
 * Reads and checks a whole connectors file before the first write, and reports every fault with its line. A JSON file is
 * also YAML.
 */
import { isMap, LineCounter, parseDocument } from 'yaml'
import * as z from 'zod'
import { comparableName } from '../../shared/connectors/comparable-name.ts'
import type { DefaultRoute } from '../../shared/connectors/outbound-fields.ts'
import { AcceptedDomainInput } from '../../shared/connectors/schema.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { countText } from '../../shared/policy/text-lists.ts'
import { CommandError } from '../command-error.ts'
import {
  acceptedDomains,
  type Configuration,
  type DesiredEntry,
  type EntryKind,
  entryKinds,
  inputInFile,
} from './entry-kinds.ts'
import { toDesiredEntry } from './to-desired-entry.ts'
import { offsetOf, type Path } from './yaml-offset.ts'

interface FileFault {
  readonly offset: number
  readonly message: string
}

/** Limits YAML aliases. Attack: nested aliases expand to billions of nodes (billion laughs). */
const maxAliases = 1000

export interface FileOptions {
  /** The route of outbound connectors that have none in the file; null for a check before it is known. */
  readonly defaultRoute: DefaultRoute | null
  /** Whether entries that are not in the file are to be removed; refused for a part of the configuration. */
  readonly prune: boolean
}

/**
 * @param name the file's name, for messages
 * @throws CommandError listing every fault of the file
 */
export function readConfiguration(
  text: string,
  name: string,
  { defaultRoute, prune }: FileOptions,
): Configuration {
  const lines = new LineCounter()
  // At another level the package prints warnings itself, and they quote the file unescaped.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const withLine = ({ offset, message }: FileFault) => `${name}:${lines.linePos(offset).line}: ${message}`
  const syntaxFaults = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    offset: pos[0],
    message,
  }))
  if (syntaxFaults.length > 0) throw invalidFileError(name, syntaxFaults.map(withLine))
  const content = contentOf(document, name)
  const locate = (path: Path) => offsetOf(document.contents, path)
  const { configuration, faults } = checkContent(content, locate, defaultRoute)
  if (prune && isMap(document.contents) && document.get('partial') !== undefined)
    faults.push({
      offset: offsetOf(document.contents, ['partial']),
      message:
        'the file is a part of the configuration, so --prune would remove the rest; use "connectors export"',
    })
  if (!isMap(document.contents) || faults.length > 0)
    throw invalidFileError(name, faults.toSorted((a, b) => a.offset - b.offset).map(withLine))
  return configuration
}

/** @throws CommandError for undefined aliases, or too many */
function contentOf(document: ReturnType<typeof parseDocument>, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: maxAliases })
  } catch (error) {
    throw invalidFileError(name, [errorMessage(error)])
  }
}

const invalidFileError = (name: string, faults: readonly string[]): CommandError =>
  new CommandError(`${name} has ${countText(faults.length, 'error')}; nothing was written`, faults)

type Locate = (path: Path) => number

interface Context {
  readonly locate: Locate
  readonly faults: FileFault[]
  readonly defaultRoute: DefaultRoute | null
}

function checkContent(
  content: unknown,
  locate: Locate,
  defaultRoute: DefaultRoute | null,
): { configuration: Configuration; faults: FileFault[] } {
  const faults: FileFault[] = []
  const sections = sectionsOf(content, locate, faults)
  const read = (kind: EntryKind) => readSection(kind, sections[kind.name], { locate, faults, defaultRoute })
  const configuration = Object.fromEntries(entryKinds.map((kind) => [kind.name, read(kind)])) as Configuration
  return { configuration, faults }
}

const sectionNames = entryKinds.map(({ name }) => name)

function sectionsOf(content: unknown, locate: Locate, faults: FileFault[]): Record<string, unknown> {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    faults.push({
      offset: 0,
      message: `the file ${content === null ? 'is empty; it needs' : 'is not a map with'} the sections ${sectionNames.join(', ')}${Array.isArray(content) ? '; for an export of Exchange, use "connectors import-exchange"' : ''}`,
    })
    return {}
  }
  const { partial, ...sections } = content as Record<string, unknown>
  if (partial !== undefined && partial !== true)
    faults.push({
      offset: locate(['partial']),
      message: 'partial is not true; remove it for a whole configuration',
    })
  for (const key of Object.keys(sections))
    if (!sectionNames.some((name) => name === key))
      faults.push({
        offset: locate([key]),
        message: `unknown section "${key}"; the sections are ${sectionNames.join(', ')}`,
      })
  return sections
}

function readSection(kind: EntryKind, section: unknown, context: Context): DesiredEntry[] | null {
  const { locate, faults } = context
  if (section === undefined) return null
  if (!Array.isArray(section)) {
    // An empty section is ambiguous: with --prune it would remove every entry.
    const message =
      section === null ? 'is empty; write [] for no entries, or remove the section' : 'is not a list'
    faults.push({ offset: locate([kind.name]), message: `${kind.name} ${message}` })
    return null
  }
  reportDuplicates(kind, section, locate, faults)
  return section
    .map((entry, index) => readEntry(kind, entry, index, context))
    .filter((desired) => desired !== null)
}

function readEntry(
  kind: EntryKind,
  entry: unknown,
  index: number,
  { locate, faults, defaultRoute }: Context,
): DesiredEntry | null {
  const parsed = schemaOf(kind, defaultRoute).safeParse(entry)
  if (parsed.success) return toDesiredEntry(kind, parsed.data)
  const title = titleOf(kind, entry, index)
  for (const fault of faultsOf(parsed.error)) {
    const offset = locate([kind.name, index, ...parsePath(fault.path)])
    faults.push({ offset, message: `${title}: ${faultText(fault)}` })
  }
  return null
}

const DomainName = z.string().transform((text, context) => {
  const domain = normaliseDomain(text.trim())
  if (domain !== null) return domain
  context.addIssue({ code: 'custom', message: `"${text}" is not a domain name` })
  return z.NEVER
})

/** An accepted domain: a name, or a map with the name and a comment. */
const AcceptedDomainEntry = z.preprocess(
  (entry) => (typeof entry === 'string' ? { domain: entry } : entry),
  z.strictObject({ domain: DomainName, ...AcceptedDomainInput.shape }),
)

const schemaOf = (kind: EntryKind, defaultRoute: DefaultRoute | null): z.ZodType =>
  kind === acceptedDomains ? AcceptedDomainEntry : inputInFile(kind, defaultRoute)

function titleOf({ singular }: EntryKind, entry: unknown, index: number): string {
  const label = labelOf(entry)
  return label === undefined ? `${singular} ${index + 1}` : `${singular} "${label}"`
}

/** Compares names before validation, so that other faults do not hide a duplicate. */
function reportDuplicates(kind: EntryKind, section: unknown[], locate: Locate, faults: FileFault[]): void {
  const keys = section.map(keyOf)
  for (const [index, key] of keys.entries()) {
    const first = keys.indexOf(key)
    if (key === null || first === index) continue
    const message = `${titleOf(kind, section[index], index)}: duplicate of entry ${first + 1} of ${kind.name}`
    faults.push({ offset: locate([kind.name, index, 'name']), message })
  }
}

function keyOf(entry: unknown): string | null {
  const label = labelOf(entry)
  return label === undefined ? null : comparableName(label.trim())
}

/** Returns a connector's name, or a domain that is written as text or as the field of a map. */
function labelOf(entry: unknown): string | undefined {
  const { name, domain } = (entry ?? {}) as { name?: unknown; domain?: unknown }
  return [name, domain, entry].find((label) => typeof label === 'string')
}

/** Splits `smartHosts[0].port` into `smartHosts`, 0 and `port`. */
const parsePath = (path: string): Path =>
  [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? (key ?? '') : Number(index),
  )
