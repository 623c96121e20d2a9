/** Finds the address in the configuration, which an erasure does not change: an administrator decides about it. */
import type { Change } from '../../shared/connectors-table/change-log.ts'
import type { ErasedAddress } from '../../shared/mail/erased-address.ts'
import type { ConnectorSet } from '../../shared/policy/snapshot.ts'

export interface Configuration {
  readAll(): Promise<Omit<ConnectorSet, 'version'>>
  /** Yields the local parts of a domain's list. */
  recipients(domain: string, version: string): AsyncGenerator<string[]>
  changes(): Promise<Change[]>
  /** The deployment's settings that are addresses, by name. */
  settings: Readonly<Record<string, string>>
}

/** @returns paths of the API, and names of settings such as `setting postmaster` */
export async function remainingConfiguration(
  address: ErasedAddress,
  configuration: Configuration,
): Promise<string[]> {
  const { inbound, outbound, acceptedDomains } = await configuration.readAll()
  const has = (value: unknown): boolean => address.replaceInValue(value) !== value
  const found = [
    ...inbound.filter(has).map(({ id }) => `/inbound-connectors/${id}`),
    ...outbound.filter(has).map(({ id }) => `/outbound-connectors/${id}`),
    ...acceptedDomains.filter(has).map(({ domain }) => `/accepted-domains/${domain}`),
  ]
  for (const { domain, recipientList } of acceptedDomains)
    if (
      recipientList !== undefined &&
      (await isListed(address, domain, recipientList.version, configuration))
    )
      found.push(`/accepted-domains/${domain}/recipients`)
  // Also the names of administrators.
  const changes = await configuration.changes()
  if (changes.some((change) => has(Object.values(change)))) found.push('/changes')
  for (const [name, value] of Object.entries(configuration.settings))
    if (address.isSpelled(value)) found.push(`setting ${name}`)
  return found
}

async function isListed(
  address: ErasedAddress,
  domain: string,
  version: string,
  { recipients }: Pick<Configuration, 'recipients'>,
): Promise<boolean> {
  for await (const localParts of recipients(domain, version))
    if (localParts.some((localPart) => address.isSpelled(`${localPart}@${domain}`))) return true
  return false
}
