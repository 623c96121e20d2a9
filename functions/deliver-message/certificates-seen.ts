/**
 * Collects observed certificates during a batch and writes them at its end. No delivery depends on it. Recorded are
 * the certificates of servers under a connector; of other servers only those that DANE or MTA-STS verified, since
 * they belong to no partner. A certificate that failed a requirement may be an impostor's, so it is in the trace
 * only.
 */
import { clientCertificateSecret } from '../../shared/contract/secrets.ts'
import type { SessionRecord, SmtpDeliveryOptions } from '../../shared/net/smtp-delivery.ts'
import type { ClientCredentials } from '../../shared/net/tls-client.ts'
import type { NewObservation } from '../../shared/tls/observed/observation.ts'
import { recordOfPem, recordOfServer } from '../../shared/tls/observed/sighting.ts'
import { requiresVerification } from '../../shared/tls/requirement.ts'
import {
  type LogAndMetrics,
  type ObservationSinks,
  recordObservedCertificate,
} from '../../shared/transport/note-certificate.ts'

/** Different certificates held at a time, more than a batch has sessions. */
const maxObservations = 200

/** Milliseconds; the function has that much time left after its last attempt. */
const writeTimeoutMs = 10_000

export class Sightings {
  readonly #seen = new Map<string, NewObservation>()

  add(sighting: NewObservation | null): void {
    if (sighting === null || this.#seen.size >= maxObservations) return
    const { endpoint: place, certificate } = sighting
    this.#seen.set([place.connector?.id, place.host, certificate.fingerprint256].join(' '), sighting)
  }

  /** Returns the certificates since the last call. */
  take(): NewObservation[] {
    const all = [...this.#seen.values()]
    this.#seen.clear()
    return all
  }
}

/** Observes the sessions of a job, and the client certificate presented in them. */
export function certificateWatch(
  sightings: Sightings,
  { connector = null }: { connector?: Connector | undefined },
  now: () => Date,
) {
  return {
    session: (session: SessionRecord): void => sightings.add(ofServer(session, connector, now())),
    credentials:
      (read: SmtpDeliveryOptions['readCredentials']): SmtpDeliveryOptions['readCredentials'] =>
      async (name) => {
        const credentials = await read(name)
        sightings.add(ofOurs(name, credentials, connector, now()))
        return credentials
      },
  }
}

type Connector = NewObservation['endpoint']['connector']

function ofServer(
  { tls, result, enforced, hop, domain }: SessionRecord,
  connector: Connector,
  at: Date,
): NewObservation | null {
  const verifiedBy = requiresVerification(enforced) ? enforced.source : null
  if (tls?.kind !== 'Established' || result !== 'success') return null
  if (connector === null && verifiedBy !== 'Dane' && verifiedBy !== 'MtaSts') return null
  const certificate = recordOfServer(tls)
  const place = { kind: 'PartnerServer' as const, connector, domain, host: hop.host }
  return certificate && { endpoint: place, certificate, verifiedBy, at }
}

function ofOurs(
  name: string,
  { certificate: pem }: ClientCredentials,
  connector: Connector,
  at: Date,
): NewObservation | null {
  const certificate = recordOfPem(pem)
  const place = { kind: 'Own' as const, connector, domain: null, host: clientCertificateSecret(name) }
  return certificate && { endpoint: place, certificate, verifiedBy: null, at }
}

/** Never rejects. */
export async function writeSightings(
  sightings: Sightings,
  noting: ObservationSinks,
  now: Date,
  tools: LogAndMetrics,
): Promise<void> {
  const signal = AbortSignal.timeout(writeTimeoutMs)
  await Promise.all(sightings.take().map((one) => recordObservedCertificate(one, now, noting, tools, signal)))
}
