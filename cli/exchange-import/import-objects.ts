/** Converts Exchange's objects to a configuration with notices. */
import { comparableName } from '../../shared/connectors/comparable-name.ts'
import type { Configuration, KindName, Wanted } from '../connectors/kinds.ts'
import { type Imported, maxNameLength } from './connector-common.ts'
import type { Settings } from './exchange-settings.ts'
import { importAcceptedDomain } from './import-accepted-domain.ts'
import { importInbound } from './import-inbound.ts'
import type { Notice } from './import-notices.ts'
import { importOutbound } from './import-outbound.ts'
import type { ExchangeObject, ObjectKind } from './read-export.ts'

const importers: Readonly<Record<ObjectKind, { section: KindName; read(settings: Settings): Imported }>> = {
  Inbound: { section: 'inboundConnectors', read: importInbound },
  Outbound: { section: 'outboundConnectors', read: importOutbound },
  AcceptedDomain: { section: 'acceptedDomains', read: importAcceptedDomain },
}

interface ImportResult {
  readonly configuration: Configuration
  readonly notices: readonly Notice[]
  /** Notices of each entry in the configuration. */
  readonly saidOf: ReadonlyMap<Wanted, readonly Notice[]>
}

/** Omits a section without objects, so that applying the file does not change it. */
export function importObjects(objects: readonly ExchangeObject[]): ImportResult {
  const sections: Record<KindName, Wanted[] | null> = {
    acceptedDomains: null,
    inboundConnectors: null,
    outboundConnectors: null,
  }
  const notices: Notice[] = []
  const saidOf = new Map<Wanted, readonly Notice[]>()
  for (const { kind, settings } of eachOnce(objects)) {
    const { section, read } = importers[kind]
    const { about, wanted, notices: said } = read(settings)
    sections[section] ??= []
    notices.push(...said)
    if (wanted === null) continue
    const named = withNameOfItsOwn(wanted, sections[section])
    sections[section].push(named)
    saidOf.set(named, said)
    if (named !== wanted)
      notices.push({
        weight: 'Note',
        about,
        says: `another connector has this name; it is renamed to "${named.label}".`,
      })
  }
  return { configuration: sections, notices, saidOf }
}

/** Removes duplicates: two files may contain the same object. */
function eachOnce(objects: readonly ExchangeObject[]): ExchangeObject[] {
  const identities = objects.map(({ settings }) => settings.text('Guid'))
  return objects.filter((_, index) => {
    const guid = identities[index] ?? null
    return guid === null || identities.indexOf(guid) === index
  })
}

/** Makes names unique: Exchange also identifies connectors by GUID, mailflow only by name. */
function withNameOfItsOwn(wanted: Wanted, others: readonly Wanted[]): Wanted {
  const isTaken = (label: string) => others.some(({ key }) => key === comparableName(label))
  if (!isTaken(wanted.label)) return wanted
  const numbered = (number: number) => `${wanted.label.slice(0, maxNameLength - 5)} (${number})`
  let number = 2
  while (isTaken(numbered(number))) number++
  const label = numbered(number)
  return { key: comparableName(label), label, fields: { ...wanted.fields, name: label } }
}
