/** Converts Exchange's objects to a configuration with notices. */

import { comparableName } from '../../shared/connectors/comparable-name.ts'
import { cleanName, maxNameLength } from '../../shared/connectors/connector-name.ts'
import type { Configuration, DesiredEntry, EntryKindName } from '../connectors/entry-kinds.ts'
import { entryWithMode, type Mode } from '../connectors/mode-option.ts'
import type { ImportedObject } from './connector-common.ts'
import type { ExchangeSettings } from './exchange-settings.ts'
import { importAcceptedDomain } from './import-accepted-domain.ts'
import { importInbound } from './import-inbound.ts'
import type { Notice } from './import-notices.ts'
import { importOutbound } from './import-outbound.ts'
import type { ExchangeObject, ObjectKind } from './read-export.ts'

const importers: Readonly<
  Record<ObjectKind, { section: EntryKindName; read(settings: ExchangeSettings): ImportedObject }>
> = {
  Inbound: { section: 'inboundConnectors', read: importInbound },
  Outbound: { section: 'outboundConnectors', read: importOutbound },
  AcceptedDomain: { section: 'acceptedDomains', read: importAcceptedDomain },
}

interface ImportResult {
  readonly configuration: Configuration
  readonly notices: readonly Notice[]
  /** Notices of each entry in the configuration. */
  readonly noticesByEntry: ReadonlyMap<DesiredEntry, readonly Notice[]>
}

/**
 * Omits a section without objects, so that applying the file leaves the gateway's entries of that section unchanged.
 * @param mode the mode of each connector; by default Enforce, as in Exchange
 */
export function importObjects(objects: readonly ExchangeObject[], mode?: Mode): ImportResult {
  const sections: Record<EntryKindName, DesiredEntry[] | null> = {
    acceptedDomains: null,
    inboundConnectors: null,
    outboundConnectors: null,
  }
  const notices: Notice[] = []
  const noticesByEntry = new Map<DesiredEntry, readonly Notice[]>()
  for (const { kind, settings } of removeDuplicates(objects)) {
    const { section, read } = importers[kind]
    const { about, entry, notices: objectNotices } = read(settings)
    sections[section] ??= []
    notices.push(...objectNotices)
    if (entry === null) continue
    const entryInMode = mode === undefined || kind === 'AcceptedDomain' ? entry : entryWithMode(entry, mode)
    const uniqueEntry = withUniqueName(entryInMode, sections[section])
    sections[section].push(uniqueEntry)
    noticesByEntry.set(uniqueEntry, objectNotices)
    if (uniqueEntry !== entryInMode)
      notices.push({
        weight: 'Note',
        about,
        text: `another connector has this name; this connector is renamed to "${uniqueEntry.label}".`,
      })
  }
  return { configuration: sections, notices, noticesByEntry }
}

/** Removes duplicates: two files may contain the same object. Objects that differ are kept, even with one Guid. */
function removeDuplicates(objects: readonly ExchangeObject[]): ExchangeObject[] {
  const identities = objects.map(({ kind, settings: { content } }) => `${kind} ${content}`)
  return objects.filter(
    ({ settings }, index) =>
      settings.text('Guid') === null || identities.indexOf(identities[index] ?? '') === index,
  )
}

/** Makes names unique: Exchange also identifies connectors by GUID, mailflow only by name. */
function withUniqueName(entry: DesiredEntry, others: readonly DesiredEntry[]): DesiredEntry {
  const isTaken = (label: string) => others.some(({ key }) => key === comparableName(label))
  if (!isTaken(entry.label)) return entry
  const numbered = (number: number) => cleanName(`${entry.label.slice(0, maxNameLength - 5)} (${number})`)
  let number = 2
  while (isTaken(numbered(number))) number++
  const label = numbered(number)
  return { key: comparableName(label), label, fields: { ...entry.fields, name: label } }
}
