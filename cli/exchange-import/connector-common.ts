/** What inbound and outbound connectors of Exchange have in common. */
import type { z } from 'zod'
import { faultsOf } from '../../shared/contract/schema-faults.ts'
import type { directions, Wanted } from '../connectors/kinds.ts'
import { wantedOf } from '../connectors/read-configuration.ts'
import type { Settings } from './exchange-settings.ts'
import type { Notice, Remarks } from './import-notices.ts'

/** What one of Exchange's objects came to; `wanted` is null when it was left out. */
export interface Imported {
  /** For messages. */
  readonly about: string
  readonly wanted: Wanted | null
  readonly notices: readonly Notice[]
}

/** TenantConnectorType */
const connectorTypes = { OnPremises: 1, Partner: 2 } as const

/** Of no meaning outside Exchange: who made the object, when, and where it is kept. */
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

/** Characters, as the connector's schema has them. */
export const longestName = 64
const longestComment = 1024

/** Name, type, whether it is enabled, comment. */
export function commonFields(settings: Settings, remarks: Remarks) {
  const type = settings.choice('ConnectorType', connectorTypes)
  if (type === null) remarks.note('ConnectorType is missing; taken for Partner, as Exchange does.')
  if (type === 'Unknown')
    remarks.add(
      'Left out',
      `ConnectorType "${settings.text('ConnectorType')}" is neither Partner nor OnPremises.`,
    )
  return {
    name: nameOf(settings, remarks),
    connectorType: type ?? 'Partner',
    enabled: settings.flag('Enabled') ?? true,
    comment: commentOf(settings, remarks),
  }
}

/** For messages, before a connector is read. */
export const titleOf = (one: string, settings: Settings): string =>
  `${one} "${settings.text('Name') ?? settings.text('Identity') ?? 'without a name'}"`

function nameOf(settings: Settings, remarks: Remarks): string {
  const given = settings.text('Name') ?? settings.text('Identity') ?? ''
  const name = given
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, longestName)
    .trim()
  if (name !== given)
    remarks.note(
      `the name is shortened to "${name}": ${longestName} characters, none of them control characters.`,
    )
  return name
}

function commentOf(settings: Settings, remarks: Remarks): string {
  const comment = settings.text('Comment') ?? ''
  if (comment.length > longestComment) remarks.note(`Comment is cut at ${longestComment} characters.`)
  return comment.slice(0, longestComment)
}

/** An export of some properties only says nothing of the others, and so of what they demand. */
export function remarkOnMissing(settings: Settings, decisive: readonly string[], remarks: Remarks): void {
  const missing = decisive.filter((setting) => !settings.has(setting))
  if (missing.length > 0)
    remarks.add(
      'Weaker than in Exchange',
      `the export does not tell of ${missing.join(', ')}; what they demand, if anything, is not demanded here. Export whole connectors.`,
    )
}

/** A setting that some administrators rely on and that has no counterpart. */
export interface Uncarried {
  readonly setting: string
  readonly says: string
}

/** Says of each setting that is in use and cannot come along what happens instead; of unknown ones that they do not. */
export function remarkOnRest(settings: Settings, uncarried: readonly Uncarried[], remarks: Remarks): void {
  for (const { setting, says } of uncarried)
    if (
      settings.flag(setting) === true ||
      (settings.flag(setting) === null && settings.list(setting).length > 0)
    )
      remarks.note(`${setting} is not carried over: ${says}`)
  for (const name of administrative) settings.text(name)
  for (const [name, value] of settings.unread())
    remarks.note(`${name} (${value.slice(0, 60)}) is not known here and not carried over.`)
}

/**
 * The last word has the schema that the API uses: what it would refuse does not get into the file. Of what is left
 * out, nothing but that is worth saying.
 */
export function checked(
  kind: (typeof directions)[number],
  fields: Readonly<Record<string, unknown>>,
  remarks: Remarks,
): Imported {
  const parsed = kind.input.safeParse(fields)
  if (!parsed.success && remarks.leftOut().length === 0) remarks.add('Left out', wordsOf(parsed.error))
  const { about, notices } = remarks
  const leftOut = remarks.leftOut()
  if (!parsed.success || leftOut.length > 0) return { about, wanted: null, notices: leftOut }
  return { about, wanted: wantedOf(kind, parsed.data), notices }
}

const wordsOf = (error: z.core.$ZodError): string =>
  `${faultsOf(error)
    .map(({ path, message }) => `${path} ${message}`)
    .join('; ')}.`
