/** Imports the settings that Exchange's inbound and outbound connectors share. */
import type * as z from 'zod'
import { cleanName, maxNameLength } from '../../shared/connectors/connector-name.ts'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import { type connectorKinds, type DesiredEntry, outboundConnectors } from '../connectors/entry-kinds.ts'
import { toDesiredEntry } from '../connectors/to-desired-entry.ts'
import type { ExchangeSettings } from './exchange-settings.ts'
import type { Notice, NoticeCollector } from './import-notices.ts'

/** The result of importing one object. `entry` is null when the object is left out. */
export interface ImportedObject {
  /** The object's title, for messages. */
  readonly about: string
  readonly entry: DesiredEntry | null
  readonly notices: readonly Notice[]
}

/** Names and numbers of Exchange's enumeration TenantConnectorType. */
const connectorTypes = { OnPremises: 1, Partner: 2 } as const

/** Administrative properties, which mean nothing outside Exchange. */
const administrative = [
  ...[
    'Identity',
    'Guid',
    'Id',
    'DistinguishedName',
    'ObjectCategory',
    'ObjectClass',
    'ObjectState',
    'ExchangeVersion',
    'DirectoryObjectVersion',
  ],
  ...[
    'WhenChanged',
    'WhenCreated',
    'WhenChangedUTC',
    'WhenCreatedUTC',
    'OrganizationId',
    'OrganizationalUnitRoot',
  ],
  ...[
    'OriginatingServer',
    'ExchangeObjectId',
    'IsValid',
    'AdminDisplayName',
    'ConnectorSource',
    'PSComputerName',
  ],
  ...['PSShowComputerName', 'RunspaceId', 'LinkForModifiedConnector'],
]

/** The maximum number of characters in the connector's schema. */
const maxCommentLength = 1024

export function commonFields(settings: ExchangeSettings, collector: NoticeCollector) {
  const type = settings.choice('ConnectorType', connectorTypes)
  if (type === null)
    collector.note('ConnectorType is missing; the connector is imported as Partner, the default of Exchange.')
  if (type === 'Unknown')
    collector.add(
      'Left out',
      `ConnectorType "${settings.text('ConnectorType')}" is neither Partner nor OnPremises.`,
    )
  return {
    name: nameOf(settings, collector),
    connectorType: type ?? 'Partner',
    enabled: settings.flag('Enabled') ?? true,
    comment: commentOf(settings, collector),
  }
}

/** The title for messages. */
export const titleOf = (kindName: string, settings: ExchangeSettings): string =>
  `${kindName} "${settings.text('Name') ?? settings.text('Identity') ?? 'without a name'}"`

function nameOf(settings: ExchangeSettings, collector: NoticeCollector): string {
  const exportedName = settings.text('Name') ?? settings.text('Identity') ?? ''
  const name = cleanName(exportedName)
  if (name !== exportedName)
    collector.note(
      `the name is changed to "${name}": a name has at most ${maxNameLength} characters, no invisible characters and no two spaces in a row.`,
    )
  return name
}

function commentOf(settings: ExchangeSettings, collector: NoticeCollector): string {
  const comment = settings.text('Comment') ?? ''
  if (comment.length > maxCommentLength) collector.note(`Comment is cut at ${maxCommentLength} characters.`)
  return comment.slice(0, maxCommentLength)
}

/** Adds a notice about decisive settings that are missing from the export, because each may contain a requirement. */
export function noticeMissing(
  settings: ExchangeSettings,
  decisive: readonly string[],
  collector: NoticeCollector,
): void {
  const missing = decisive.filter((setting) => !settings.has(setting))
  if (missing.length > 0)
    collector.add(
      'Weaker than in Exchange',
      `the export lacks ${missing.join(', ')}, so ${missing.length === 1 ? 'this setting is' : 'these settings are'} not imported. Export whole connectors.`,
    )
}

/** A setting of Exchange that mailflow does not have, and the text of its notice. */
export interface UnsupportedSetting {
  readonly setting: string
  readonly text: string
}

/** Adds a notice for each setting that is in use and not supported, and for each unknown setting. */
export function noticeUnsupported(
  settings: ExchangeSettings,
  unsupported: readonly UnsupportedSetting[],
  collector: NoticeCollector,
): void {
  for (const { setting, text } of unsupported)
    if (
      settings.flag(setting) === true ||
      (settings.flag(setting) === null && settings.list(setting).length > 0)
    )
      collector.note(`${setting} is not imported: ${text}`)
  // Marks the administrative properties as read, so that no notice mentions them.
  for (const name of administrative) settings.text(name)
  for (const [name, value] of settings.unread())
    collector.note(`${name} (${value.slice(0, 60)}) is an unknown setting and is not imported.`)
}

/**
 * Validates with the API's schema, so the file contains nothing that the API would refuse. For an object that is left
 * out, only the notices `Left out` are returned.
 */
export function validateImport(
  kind: (typeof connectorKinds)[number],
  fields: Readonly<Record<string, unknown>>,
  collector: NoticeCollector,
): ImportedObject {
  const parsed = kind.input.safeParse(disableIfWeaker(kind, fields, collector))
  if (!parsed.success && collector.leftOut().length === 0) collector.add('Left out', faultsText(parsed.error))
  const { about, notices } = collector
  const leftOut = collector.leftOut()
  if (!parsed.success || leftOut.length > 0) return { about, entry: null, notices: leftOut }
  return { about, entry: toDesiredEntry(kind, parsed.data), notices }
}

/** An administrator decides about a connector that requires less than in Exchange, before it is enforced. */
function disableIfWeaker(
  kind: (typeof connectorKinds)[number],
  fields: Readonly<Record<string, unknown>>,
  collector: NoticeCollector,
): Readonly<Record<string, unknown>> {
  const isWeaker = collector.notices.some(({ weight }) => weight === 'Weaker than in Exchange')
  if (!isWeaker || fields.enabled !== true) return fields
  collector.add(
    'Disabled',
    `it is weaker than in Exchange. Correct it, or accept it as it is, and enable it ("connectors enable"). Until then ${withoutConnector(kind, fields)}.`,
  )
  return { ...fields, enabled: false }
}

function withoutConnector(
  kind: (typeof connectorKinds)[number],
  { connectorType }: Record<string, unknown>,
): string {
  if (kind === outboundConnectors) return 'its mail takes another route, perhaps without forced TLS'
  return connectorType === 'OnPremises'
    ? 'its servers may not relay'
    : 'mail from its domains needs neither TLS nor a certificate'
}

const faultsText = (error: z.core.$ZodError): string => `${faultsOf(error).map(faultText).join('; ')}.`
