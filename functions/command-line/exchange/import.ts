/** Exchange's exports as a configuration, with everything that has to be said about it. */
import { comparableName } from '../../../shared/connectors/comparable-name.ts'
import type { Configuration, KindName, Wanted } from '../configuration/kinds.ts'
import { importAcceptedDomain } from './accepted-domain.ts'
import type { Imported } from './common.ts'
import type { ExchangeObject, ObjectKind } from './export-file.ts'
import { importInbound } from './inbound.ts'
import type { Notice } from './notices.ts'
import { importOutbound } from './outbound.ts'
import type { Settings } from './settings.ts'

const importers: Readonly<Record<ObjectKind, { section: KindName; read(settings: Settings): Imported }>> = {
  Inbound: { section: 'inboundConnectors', read: importInbound },
  Outbound: { section: 'outboundConnectors', read: importOutbound },
  AcceptedDomain: { section: 'acceptedDomains', read: importAcceptedDomain },
}

/** A section that no file had anything for is left out, so that applying the result does not touch it. */
export function importObjects(objects: readonly ExchangeObject[]): {
  configuration: Configuration
  notices: Notice[]
} {
  const sections: Record<KindName, Wanted[] | null> = {
    acceptedDomains: null,
    inboundConnectors: null,
    outboundConnectors: null,
  }
  const notices: Notice[] = []
  for (const { kind, settings } of objects) {
    const { section, read } = importers[kind]
    const imported = read(settings)
    sections[section] ??= []
    notices.push(...imported.notices)
    if (imported.wanted === null) continue
    const { wanted, renamed } = withNameOfItsOwn(imported.wanted, sections[section])
    sections[section].push(wanted)
    if (renamed) notices.push(renamed)
  }
  return { configuration: sections, notices }
}

const longestName = 64

/** Exchange tells connectors apart by their GUIDs too; here by their names. */
function withNameOfItsOwn(
  wanted: Wanted,
  others: readonly Wanted[],
): { wanted: Wanted; renamed: Notice | null } {
  const isTaken = (label: string) => others.some(({ key }) => key === comparableName(label))
  if (!isTaken(wanted.label)) return { wanted, renamed: null }
  const numbered = (number: number) => `${wanted.label.slice(0, longestName - 5)} (${number})`
  let number = 2
  while (isTaken(numbered(number))) number++
  const label = numbered(number)
  const about = `connector "${wanted.label}"`
  return {
    wanted: { key: comparableName(label), label, fields: { ...wanted.fields, name: label } },
    renamed: { weight: 'Note', about, says: `another one has the name; this one is "${label}" here.` },
  }
}
