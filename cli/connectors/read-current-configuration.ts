/** Reads the gateway's current configuration from its API. */
import { setTimeout } from 'node:timers/promises'
import * as z from 'zod'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import type { ApiClient } from '../api/api-client.ts'
import { encodeUrlPart } from '../api/api-client.ts'
import { CommandError } from '../command-error.ts'
import {
  acceptedDomains,
  type DesiredEntry,
  type EntryKind,
  type EntryKindName,
  entryKinds,
} from './entry-kinds.ts'
import { toDesiredEntry } from './to-desired-entry.ts'

/** One entry of the gateway. `response` is the API's response, with the fields that the server assigns. */
export interface CurrentEntry extends DesiredEntry {
  readonly path: string
  readonly version: number
  readonly id: string | null
  readonly response: Readonly<Record<string, unknown>>
}

const GatewaySettings = z.looseObject({
  version: z.int().nonnegative(),
  defaultRoute: z.enum(['Mx', 'Ses']),
  deliversInVpc: z.boolean(),
  validatesDnssec: z.boolean().default(true),
})

/** The configuration of a gateway at one version, and the settings on which connectors depend. */
export interface Gateway extends Readonly<z.output<typeof GatewaySettings>> {
  readonly current: CurrentConfiguration
}

export const readGatewaySettings = (api: ApiClient) => api.get(GatewaySettings, '/configuration')

/** With the pauses, about a minute: longer than another client takes to write a large file. */
const maxReads = 20
const pauseMs = 300

/**
 * Reads the configuration between two readings of its version, and again when the version changed meanwhile.
 * @throws CommandError when the configuration changes all the time
 */
export async function readGateway(api: ApiClient): Promise<Gateway> {
  let before = await readGatewaySettings(api)
  for (let reads = 0; reads < maxReads; reads++) {
    const current = await readCurrentConfiguration(api)
    const after = await readGatewaySettings(api)
    if (after.version === before.version) return { ...after, current }
    before = after
    await setTimeout(pauseMs * reads)
  }
  throw new CommandError(
    'another client changes the configuration all the time; try again later. Nothing was written',
  )
}

export type CurrentConfiguration = Readonly<Record<EntryKindName, readonly CurrentEntry[]>>

/** Fields that the server assigns. */
const ServerFields = z.looseObject({ version: z.int().positive(), id: z.string().optional() })
const serverFieldNames = [
  'id',
  'createdAt',
  'updatedAt',
  'version',
  'validation',
  'recipientList',
  'warnings',
]

export async function readCurrentConfiguration(api: ApiClient): Promise<CurrentConfiguration> {
  const [acceptedDomains, inboundConnectors, outboundConnectors] = await Promise.all(
    entryKinds.map((kind) => readEntries(api, kind)),
  )
  return { acceptedDomains, inboundConnectors, outboundConnectors } as CurrentConfiguration
}

/** Returns the entries sorted by name. */
export async function readEntries(api: ApiClient, kind: EntryKind): Promise<CurrentEntry[]> {
  const all: CurrentEntry[] = []
  for await (const response of api.list(ServerFields, kind.path)) all.push(toCurrentEntry(kind, response))
  return all.sort((a, b) => (a.key < b.key ? -1 : 1))
}

/**
 * Rejects unknown fields, because writing the entry would lose them.
 * @throws CommandError
 */
function toCurrentEntry(kind: EntryKind, response: z.output<typeof ServerFields>): CurrentEntry {
  const fields = Object.fromEntries(
    Object.entries(response).filter(([name]) => !serverFieldNames.includes(name)),
  )
  const { domain, ...rest } = fields
  const parsed = kind.stored.safeParse(kind === acceptedDomains ? rest : fields)
  if (!parsed.success)
    throw new CommandError(
      `cannot read the gateway's ${kind.singular} "${String(fields.name ?? domain)}": it differs from the schema of this version`,
      [...faultsOf(parsed.error).map(faultText), 'Use the mailflow command of the deployed version.'],
    )
  const entry = toDesiredEntry(kind, kind === acceptedDomains ? { domain, ...parsed.data } : parsed.data)
  const path = `${kind.path}/${encodeUrlPart(response.id ?? String(domain))}`
  return { ...entry, path, version: response.version, id: response.id ?? null, response }
}
