/** The three kinds of configuration entries, each with its section in the file and its path in the API. */
import type * as z from 'zod'
import type { DefaultRoute } from '../../shared/connectors/outbound-fields.ts'
import {
  AcceptedDomainInput,
  InboundConnector,
  InboundConnectorInput,
  OutboundConnector,
  OutboundConnectorDraft,
  OutboundConnectorInput,
  outboundConnectorInput,
} from '../../shared/connectors/schema.ts'
import type { EntryKindName, Fields } from '../../shared/policy/change-effects.ts'

export type { EntryKindName, Fields }

export interface EntryKind {
  /** The name of the file's section. */
  readonly name: EntryKindName
  /** The singular, such as `accepted domain`. */
  readonly singular: string
  readonly path: string
  /** The API's schema for input. */
  readonly input: z.ZodObject
  /** The input fields of an entry that the gateway has. They may break a rule that was added later. */
  readonly stored: z.ZodObject
}

const serverFields = { id: true, createdAt: true, updatedAt: true, version: true } as const

export const acceptedDomains: EntryKind = {
  name: 'acceptedDomains',
  singular: 'accepted domain',
  path: '/accepted-domains',
  input: AcceptedDomainInput,
  stored: AcceptedDomainInput,
}
export const inboundConnectors: EntryKind = {
  name: 'inboundConnectors',
  singular: 'inbound connector',
  path: '/inbound-connectors',
  input: InboundConnectorInput,
  stored: InboundConnector.omit(serverFields),
}
export const outboundConnectors: EntryKind = {
  name: 'outboundConnectors',
  singular: 'outbound connector',
  path: '/outbound-connectors',
  input: OutboundConnectorInput,
  stored: OutboundConnector.omit({ ...serverFields, validation: true }),
}

export const connectorKinds = [inboundConnectors, outboundConnectors] as const
/** The order of writing: accepted domains before the connectors that restrict their mail. */
export const entryKinds = [acceptedDomains, ...connectorKinds] as const

/**
 * The schema of an entry in a file, in which an outbound connector may have no route.
 * @param defaultRoute null when it is not known yet
 */
export function inputInFile(kind: EntryKind, defaultRoute: DefaultRoute | null): z.ZodObject {
  if (kind !== outboundConnectors) return kind.input
  return defaultRoute === null ? OutboundConnectorDraft : outboundConnectorInput(defaultRoute)
}

/** A reader must see whether TLS is required, and where mail goes, without knowing the defaults. */
export const alwaysShown: readonly string[] = ['requireTls', 'tlsSettings', 'route']

/** One entry as a file describes it. */
export interface DesiredEntry {
  /** Identifies the entry within its kind: a connector's name in comparable form, or a domain. */
  readonly key: string
  /** The name with the letter case of the file. */
  readonly label: string
  readonly fields: Fields
}

/** The content of a file. Null: the section is missing. An empty list: --prune removes every entry of the section. */
export type Configuration = Readonly<Record<EntryKindName, readonly DesiredEntry[] | null>>

/** Returns the default values of the API's fields. */
export const defaultsOf = ({ input }: EntryKind): Fields =>
  Object.fromEntries(
    Object.entries(input.shape).flatMap(([name, field]) => {
      const parsed = field.safeParse(undefined)
      return parsed.success ? [[name, parsed.data]] : []
    }),
  )
