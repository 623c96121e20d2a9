/** Exchange's exports as a configuration, with everything that has to be said about it. */
import { comparableName } from '../../shared/connectors/comparable-name.ts'
import type { Configuration, KindName, Wanted } from '../connectors/kinds.ts'
import { type Imported, longestName } from './connector-common.ts'
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
  /** What was said of each that is in the configuration. */
  readonly saidOf: ReadonlyMap<Wanted, readonly Notice[]>
}

/** A section that no file had anything for is left out, so that applying the result does not touch it. */
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
      notices.push({ weight: 'Note', about, says: `another one has the name; here it is "${named.label}".` })
  }
  return { configuration: sections, notices, saidOf }
}

/** A file may be given twice, or hold what another holds. */
function eachOnce(objects: readonly ExchangeObject[]): ExchangeObject[] {
  const identities = objects.map(({ settings }) => settings.text('Guid'))
  return objects.filter((_, index) => {
    const guid = identities[index] ?? null
    return guid === null || identities.indexOf(guid) === index
  })
}

/** Exchange tells connectors apart by their GUIDs too; here by their names. */
function withNameOfItsOwn(wanted: Wanted, others: readonly Wanted[]): Wanted {
  const isTaken = (label: string) => others.some(({ key }) => key === comparableName(label))
  if (!isTaken(wanted.label)) return wanted
  const numbered = (number: number) => `${wanted.label.slice(0, longestName - 5)} (${number})`
  let number = 2
  while (isTaken(numbered(number))) number++
  const label = numbered(number)
  return { key: comparableName(label), label, fields: { ...wanted.fields, name: label } }
}
