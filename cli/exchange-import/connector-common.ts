/** Imports the settings that Exchange's inbound and outbound connectors share. */
import type { z } from 'zod'
import { faultsOf } from '../../shared/contract/schema-faults.ts'
import type { directions, Wanted } from '../connectors/kinds.ts'
import { wantedOf } from '../connectors/read-configuration.ts'
import type { Settings } from './exchange-settings.ts'
import type { Notice, Remarks } from './import-notices.ts'

/** The result of importing one object; `wanted` is null when it is left out. */
export interface Imported {
  /** The object's title, for messages. */
  readonly about: string
  readonly wanted: Wanted | null
  readonly notices: readonly Notice[]
}

/** TenantConnectorType */
const connectorTypes = { OnPremises: 1, Partner: 2 } as const

/** Administrative properties, which have no meaning outside Exchange. */
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

/** Characters, as in the connector's schema. */
export const maxNameLength = 64
const maxCommentLength = 1024

export function commonFields(settings: Settings, remarks: Remarks) {
  const type = settings.choice('ConnectorType', connectorTypes)
  if (type === null)
    remarks.note('ConnectorType is missing; it is imported as Partner, which is the default of Exchange.')
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

/** The title for messages. */
export const titleOf = (one: string, settings: Settings): string =>
  `${one} "${settings.text('Name') ?? settings.text('Identity') ?? 'without a name'}"`

function nameOf(settings: Settings, remarks: Remarks): string {
  const given = settings.text('Name') ?? settings.text('Identity') ?? ''
  const name = given
    .replace(/\p{Cc}/gu, ' ')
    .slice(0, maxNameLength)
    .trim()
  if (name !== given)
    remarks.note(
      `the name is changed to "${name}": at most ${maxNameLength} characters, no control characters.`,
    )
  return name
}

function commentOf(settings: Settings, remarks: Remarks): string {
  const comment = settings.text('Comment') ?? ''
  if (comment.length > maxCommentLength) remarks.note(`Comment is cut at ${maxCommentLength} characters.`)
  return comment.slice(0, maxCommentLength)
}

/** An export of selected properties omits others, which may contain requirements. */
export function remarkOnMissing(settings: Settings, decisive: readonly string[], remarks: Remarks): void {
  const missing = decisive.filter((setting) => !settings.has(setting))
  if (missing.length > 0)
    remarks.add(
      'Weaker than in Exchange',
      `the export does not contain ${missing.join(', ')}; their requirements, if any, are not imported. Export whole connectors.`,
    )
}

/** A setting in use in Exchange that mailflow does not have. */
export interface Uncarried {
  readonly setting: string
  readonly says: string
}

/** Adds a notice for each setting that is in use and not supported, and for each unknown setting. */
export function remarkOnRest(settings: Settings, uncarried: readonly Uncarried[], remarks: Remarks): void {
  for (const { setting, says } of uncarried)
    if (
      settings.flag(setting) === true ||
      (settings.flag(setting) === null && settings.list(setting).length > 0)
    )
      remarks.note(`${setting} is not imported: ${says}`)
  for (const name of administrative) settings.text(name)
  for (const [name, value] of settings.unread())
    remarks.note(`${name} (${value.slice(0, 60)}) is an unknown setting and is not imported.`)
}

/**
 * Validates by the API's schema, so the file contains nothing that the API would refuse. An object that is left out has
 * only the notices that say so.
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
