/** Reads the gateway's current configuration from its API. */
import { z } from 'zod'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import type { ApiClient } from '../api/client.ts'
import { escaped } from '../api/client.ts'
import { Fault } from '../faults.ts'
import { acceptedDomains, type Kind, type KindName, kinds, type Wanted } from './kinds.ts'
import { wantedOf } from './read-configuration.ts'

/** One entry of the gateway. `answer` is the API's response, with the fields that the server assigns. */
export interface Existing extends Wanted {
  readonly path: string
  readonly version: number
  readonly id: string | null
  readonly answer: Readonly<Record<string, unknown>>
}

export type Present = Readonly<Record<KindName, readonly Existing[]>>

/** Fields that the server assigns. */
const Kept = z.looseObject({ version: z.int().positive(), id: z.string().optional() })
const keptFields = ['id', 'createdAt', 'updatedAt', 'version', 'validation', 'warnings']

export async function readPresent(api: ApiClient): Promise<Present> {
  const [acceptedDomains, inboundConnectors, outboundConnectors] = await Promise.all(
    kinds.map((kind) => readKind(api, kind)),
  )
  return { acceptedDomains, inboundConnectors, outboundConnectors } as Present
}

/** Returns the entries sorted by name. */
export async function readKind(api: ApiClient, kind: Kind): Promise<Existing[]> {
  const all: Existing[] = []
  for await (const answer of api.list(Kept, kind.path)) all.push(existingOf(kind, answer))
  return all.sort((a, b) => (a.key < b.key ? -1 : 1))
}

/**
 * Rejects unknown fields, because writing the entry would lose them.
 * @throws Fault
 */
function existingOf(kind: Kind, answer: z.output<typeof Kept>): Existing {
  const fields = Object.fromEntries(Object.entries(answer).filter(([name]) => !keptFields.includes(name)))
  const { domain, ...rest } = fields
  const parsed = kind.input.safeParse(kind === acceptedDomains ? rest : fields)
  if (!parsed.success)
    throw new Fault(
      `cannot read the gateway's ${kind.one} "${String(fields.name ?? domain)}": it differs from what this version expects`,
      [...faultsOf(parsed.error).map(faultText), 'Use the mailflow command of the deployed version.'],
    )
  const wanted = wantedOf(kind, kind === acceptedDomains ? { domain, ...parsed.data } : parsed.data)
  const path = `${kind.path}/${escaped(answer.id ?? String(domain))}`
  return { ...wanted, path, version: answer.version, id: answer.id ?? null, answer }
}
