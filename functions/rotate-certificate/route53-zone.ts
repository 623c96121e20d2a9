/**
 * TLSA records of one name in a hosted zone of Route 53 (API version 2013-04-01), without the SDK's client. The values
 * of a record set are read and written as they are in the XML, so values of other programs stay unchanged.
 */
import { hash } from 'node:crypto'
import type { CredentialsCache } from '../../shared/aws/credentials-cache.ts'
import { ServiceClient } from '../../shared/aws/service-client.ts'
import { percentEncode } from '../../shared/aws/signer.ts'
import type { Target } from '../../shared/aws/target.ts'

export interface TlsaRecordSet {
  ttlSeconds: number
  /** Such as `3 1 1 0c72ac…`. */
  values: readonly string[]
}

/**
 * The endpoint of all Regions except those in China and GovCloud
 * (https://docs.aws.amazon.com/general/latest/gr/r53.html).
 */
const route53: Target = {
  isSecure: true,
  hostname: 'route53.amazonaws.com',
  port: null,
  path: '',
  region: 'us-east-1',
  service: 'route53',
}

const namespace = 'https://route53.amazonaws.com/doc/2013-04-01/'
const timeouts = { connectMs: 3_000, totalMs: 8_000 }

export class Route53Zone {
  readonly id: string
  readonly #client: ServiceClient

  constructor(id: string, credentials: CredentialsCache, target = route53) {
    this.id = id
    this.#client = new ServiceClient(target, credentials, timeouts)
  }

  /** @returns the status `ServeSignature` of GetDNSSEC; `SIGNING` when Route 53 signs the zone */
  async signingStatus(): Promise<string> {
    return elementsOf('ServeSignature', await this.#send('GET', 'dnssec'))[0] ?? 'unknown'
  }

  /**
   * ListResourceRecordSets begins with the given name and type, and returns the next set when there is none.
   * @param name without a dot at its end
   */
  async read(name: string): Promise<TlsaRecordSet | null> {
    const query = `maxitems=1&name=${percentEncode(name)}&type=TLSA`
    const [set = ''] = elementsOf('ResourceRecordSet', await this.#send('GET', 'rrset', { query }))
    const [setName, type, ttl] = ['Name', 'Type', 'TTL'].map((element) => elementsOf(element, set)[0])
    if (setName !== `${name}.` || type !== 'TLSA') return null
    return { ttlSeconds: Number(ttl), values: elementsOf('Value', set) }
  }

  /** Creates or replaces the set. @throws ServiceError, for example when the name is not in the zone */
  async write(name: string, { ttlSeconds, values }: TlsaRecordSet): Promise<void> {
    const records = values.map((value) => `<ResourceRecord><Value>${value}</Value></ResourceRecord>`).join('')
    const set = `<Name>${name}</Name><Type>TLSA</Type><TTL>${ttlSeconds}</TTL><ResourceRecords>${records}</ResourceRecords>`
    const change = `<Change><Action>UPSERT</Action><ResourceRecordSet>${set}</ResourceRecordSet></Change>`
    const body = `<ChangeResourceRecordSetsRequest xmlns="${namespace}"><ChangeBatch><Changes>${change}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`
    await this.#send('POST', 'rrset', { body })
  }

  async #send(method: string, resource: string, { query = '', body = '' } = {}): Promise<string> {
    const octets = Buffer.from(body)
    const response = await this.#client.send({
      method,
      path: `/2013-04-01/hostedzone/${this.id}/${resource}`,
      query,
      headers: { 'content-length': String(octets.length), 'content-type': 'application/xml' },
      body: [octets],
      payloadHash: hash('sha256', octets),
    })
    return response.body
  }
}

/** Returns the contents of the elements that have this name and no attributes, without CDATA marks around them. */
const elementsOf = (name: string, xml: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}>(?:<!\\[CDATA\\[)?(.*?)(?:\\]\\]>)?</${name}>`, 'gs'))].map(
    ([, content = '']) => content,
  )
