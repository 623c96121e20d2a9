/** What the gateway has now, as its API tells it. */
import { z } from 'zod'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import type { ApiClient } from '../api/client.ts'
import { escaped } from '../api/client.ts'
import { Fault } from '../faults.ts'
import { acceptedDomains, type Kind, type KindName, kinds, type Wanted } from './kinds.ts'
import { wantedOf } from './read-configuration.ts'

/** One that is there. `answer` is the API's own, with what the server keeps. */
export interface Existing extends Wanted {
  readonly path: string
  readonly version: number
  readonly id: string | null
  readonly answer: Readonly<Record<string, unknown>>
}

export type Present = Readonly<Record<KindName, readonly Existing[]>>

/** What the server keeps beside what an administrator writes. */
const Kept = z.looseObject({ version: z.int().positive(), id: z.string().optional() })
const keptFields = ['id', 'createdAt', 'updatedAt', 'version', 'validation', 'warnings']

export async function readPresent(api: ApiClient): Promise<Present> {
  const [acceptedDomains, inboundConnectors, outboundConnectors] = await Promise.all(
    kinds.map((kind) => readKind(api, kind)),
  )
  return { acceptedDomains, inboundConnectors, outboundConnectors } as Present
}

/** In the order of their names. */
export async function readKind(api: ApiClient, kind: Kind): Promise<Existing[]> {
  const all: Existing[] = []
  for await (const answer of api.list(Kept, kind.path)) all.push(existingOf(kind, answer))
  return all.sort((a, b) => (a.key < b.key ? -1 : 1))
}

/**
 * A field that this command does not know would be lost when it writes, so it does not go on.
 * @throws Fault
 */
function existingOf(kind: Kind, answer: z.output<typeof Kept>): Existing {
  const fields = Object.fromEntries(Object.entries(answer).filter(([name]) => !keptFields.includes(name)))
  const { domain, ...rest } = fields
  const parsed = kind.input.safeParse(kind === acceptedDomains ? rest : fields)
  if (!parsed.success)
    throw new Fault(
      `the gateway's ${kind.one} "${String(fields.name ?? domain)}" is not one that this mailflow knows`,
      [...faultsOf(parsed.error).map(faultText), 'Use the command of the version that is deployed.'],
    )
  const wanted = wantedOf(kind, kind === acceptedDomains ? { domain, ...parsed.data } : parsed.data)
  const path = `${kind.path}/${escaped(answer.id ?? String(domain))}`
  return { ...wanted, path, version: answer.version, id: answer.id ?? null, answer }
}
