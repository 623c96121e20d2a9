/**
 * Certificates are gathered while a batch runs and written down at its end; no delivery depends on either. Kept is what
 * is somebody's we have to do with: the certificate of a server that took part under a connector, and as no stranger's
 * server is anybody's but its own, of strangers that alone which DANE or MTA-STS verified. A certificate that did not
 * satisfy what was demanded may be an impostor's, and is in the trace, not here.
 */
import { clientCertificateSecret } from '../../shared/contract/secrets.ts'
import type { SessionRecord, SmtpOptions } from '../../shared/net/smtp-delivery.ts'
import type { ClientCredentials } from '../../shared/net/tls-client.ts'
import type { Sighting } from '../../shared/tls/observed/observation.ts'
import { seenOfPem, seenOfServer } from '../../shared/tls/observed/sighting.ts'
import { asksForVerification } from '../../shared/tls/requirement.ts'
import { type Noting, noteCertificate, type Tools } from '../../shared/transport/note-certificate.ts'

/** Different ones held at a time, more than a batch has sessions for. */
const mostSightings = 200

/** Milliseconds; the function has that much left when the last attempt must have ended. */
const patience = 10_000

export class Sightings {
  readonly #seen = new Map<string, Sighting>()

  add(sighting: Sighting | null): void {
    if (sighting === null || this.#seen.size >= mostSightings) return
    const { place, certificate } = sighting
    this.#seen.set([place.connector?.id, place.host, certificate.fingerprint256].join(' '), sighting)
  }

  /** What was seen since the last call. */
  take(): Sighting[] {
    const all = [...this.#seen.values()]
    this.#seen.clear()
    return all
  }
}

/** Watches the sessions of a job, and the certificate that we show in them. */
export function certificateWatch(
  sightings: Sightings,
  { connector = null }: { connector?: Connector | undefined },
  now: () => Date,
) {
  return {
    session: (session: SessionRecord): void => sightings.add(ofServer(session, connector, now())),
    credentials:
      (read: SmtpOptions['credentials']): SmtpOptions['credentials'] =>
      async (name) => {
        const credentials = await read(name)
        sightings.add(ofOurs(name, credentials, connector, now()))
        return credentials
      },
  }
}

type Connector = Sighting['place']['connector']

function ofServer(
  { tls, result, enforced, hop, domain }: SessionRecord,
  connector: Connector,
  at: Date,
): Sighting | null {
  const verifiedBy = asksForVerification(enforced) ? enforced.source : null
  if (tls?.kind !== 'Established' || result !== 'success') return null
  if (connector === null && verifiedBy !== 'Dane' && verifiedBy !== 'MtaSts') return null
  const certificate = seenOfServer(tls)
  const place = { kind: 'PartnerServer' as const, connector, domain, host: hop.host }
  return certificate && { place, certificate, verifiedBy, at }
}

function ofOurs(
  name: string,
  { certificate: pem }: ClientCredentials,
  connector: Connector,
  at: Date,
): Sighting | null {
  const certificate = seenOfPem(pem)
  const place = { kind: 'Own' as const, connector, domain: null, host: clientCertificateSecret(name) }
  return certificate && { place, certificate, verifiedBy: null, at }
}

/** Never rejects. */
export async function writeSightings(
  sightings: Sightings,
  noting: Noting,
  now: Date,
  tools: Tools,
): Promise<void> {
  const signal = AbortSignal.timeout(patience)
  await Promise.all(sightings.take().map((one) => noteCertificate(one, now, noting, tools, signal)))
}
