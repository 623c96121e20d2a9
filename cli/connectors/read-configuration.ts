/**
 * Reads and checks a whole connectors file before the first API request, and reports every fault with its line. JSON is
 * YAML too.
 */
import { isMap, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { comparableName } from '../../shared/connectors/comparable-name.ts'
import { AcceptedDomainInput } from '../../shared/connectors/schema.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { countText } from '../../shared/policy/words.ts'
import { Fault } from '../faults.ts'
import { acceptedDomains, type Configuration, type Kind, kinds, type Wanted } from './kinds.ts'
import { offsetOf, type Path } from './yaml-offset.ts'

interface Mistake {
  readonly offset: number
  readonly says: string
}

/** Limits YAML aliases. Attack: nested aliases expand to billions of nodes (billion laughs). */
const maxAliases = 1000

/**
 * @param name the file's name, for messages
 * @throws Fault listing every fault of the file
 */
export function readConfiguration(text: string, name: string): Configuration {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = ({ offset, says }: Mistake) => `${name}:${lines.linePos(offset).line}: ${says}`
  const broken = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    offset: pos[0],
    says: message,
  }))
  if (broken.length > 0) throw faultyFile(name, broken.map(at))
  const { configuration, mistakes } = check(contentOf(document, name), (path) =>
    offsetOf(document.contents, path),
  )
  if (!isMap(document.contents) || mistakes.length > 0)
    throw faultyFile(name, mistakes.toSorted((a, b) => a.offset - b.offset).map(at))
  return configuration
}

/** @throws Fault for undefined aliases, or too many */
function contentOf(document: ReturnType<typeof parseDocument>, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: maxAliases })
  } catch (error) {
    throw faultyFile(name, [errorMessage(error)])
  }
}

const faultyFile = (name: string, faults: readonly string[]): Fault =>
  new Fault(`${name} has ${countText(faults.length, 'error')}; no request was sent to the API`, faults)

type Locate = (path: Path) => number

function check(content: unknown, locate: Locate): { configuration: Configuration; mistakes: Mistake[] } {
  const mistakes: Mistake[] = []
  const sections = sectionsOf(content, locate, mistakes)
  const read = (kind: Kind) => readSection(kind, sections[kind.name], locate, mistakes)
  const configuration = Object.fromEntries(kinds.map((kind) => [kind.name, read(kind)])) as Configuration
  return { configuration, mistakes }
}

const known = kinds.map(({ name }) => name)

function sectionsOf(content: unknown, locate: Locate, mistakes: Mistake[]): Record<string, unknown> {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    mistakes.push({ offset: 0, says: `the file is not a map with the sections ${known.join(', ')}` })
    return {}
  }
  for (const key of Object.keys(content))
    if (!known.some((name) => name === key))
      mistakes.push({
        offset: locate([key]),
        says: `unknown section "${key}"; the sections are ${known.join(', ')}`,
      })
  return content as Record<string, unknown>
}

function readSection(kind: Kind, section: unknown, locate: Locate, mistakes: Mistake[]): Wanted[] | null {
  if (section === undefined) return null
  if (!Array.isArray(section)) {
    // An empty section is ambiguous: with --prune it would remove every entry.
    const says =
      section === null ? 'is empty; write [] for no entries, or remove the section' : 'is not a list'
    mistakes.push({ offset: locate([kind.name]), says: `${kind.name} ${says}` })
    return null
  }
  refuseTwice(kind, section, locate, mistakes)
  return section
    .map((entry, index) => readEntry(kind, entry, index, locate, mistakes))
    .filter((one) => one !== null)
}

function readEntry(
  kind: Kind,
  entry: unknown,
  index: number,
  locate: Locate,
  mistakes: Mistake[],
): Wanted | null {
  const parsed = schemaOf(kind).safeParse(entry)
  if (parsed.success) return wantedOf(kind, parsed.data)
  const title = titleOf(kind, entry, index)
  for (const fault of faultsOf(parsed.error)) {
    const offset = locate([kind.name, index, ...segmentsOf(fault.path)])
    mistakes.push({ offset, says: `${title}: ${faultText(fault)}` })
  }
  return null
}

const DomainName = z.string().transform((text, context) => {
  const domain = normaliseDomain(text.trim())
  if (domain !== null) return domain
  context.addIssue({ code: 'custom', message: `"${text}" is not a domain name` })
  return z.NEVER
})

/** An accepted domain is a name, or a map with the name and a comment. */
const AcceptedDomainEntry = z.preprocess(
  (entry) => (typeof entry === 'string' ? { domain: entry } : entry),
  z.strictObject({ domain: DomainName, ...AcceptedDomainInput.shape }),
)

const schemaOf = (kind: Kind): z.ZodType => (kind === acceptedDomains ? AcceptedDomainEntry : kind.input)

/** @param parsed the output of the kind's schema */
export function wantedOf(kind: Kind, parsed: unknown): Wanted {
  const fields = parsed as Record<string, unknown>
  if (kind !== acceptedDomains)
    return { key: comparableName(String(fields.name)), label: String(fields.name), fields }
  const { domain, ...rest } = fields
  return { key: String(domain), label: String(domain), fields: rest }
}

function titleOf({ one }: Kind, entry: unknown, index: number): string {
  const label = labelOf(entry)
  return label === undefined ? `${one} ${index + 1}` : `${one} "${label}"`
}

/** Compares names before validation, so that other faults do not hide a duplicate. */
function refuseTwice(kind: Kind, section: unknown[], locate: Locate, mistakes: Mistake[]): void {
  const keys = section.map(keyOf)
  for (const [index, key] of keys.entries()) {
    const first = keys.indexOf(key)
    if (key === null || first === index) continue
    const says = `${titleOf(kind, section[index], index)}: duplicate of entry ${first + 1} of ${kind.name}`
    mistakes.push({ offset: locate([kind.name, index, 'name']), says })
  }
}

function keyOf(entry: unknown): string | null {
  const label = labelOf(entry)
  return label === undefined ? null : comparableName(label.trim())
}

/** Returns a connector's name, or a domain in either form. */
function labelOf(entry: unknown): string | undefined {
  const { name, domain } = (entry ?? {}) as { name?: unknown; domain?: unknown }
  return [name, domain, entry].find((it) => typeof it === 'string')
}

/** Splits `smartHosts[0].port` into `smartHosts`, 0 and `port`. */
const segmentsOf = (path: string): Path =>
  [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? (key ?? '') : Number(index),
  )
