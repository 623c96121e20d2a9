/**
 * Collects observed certificates during a batch and writes them at the batch's end. No delivery depends on these
 * records. They contain the certificates of servers under a connector, and the client certificates that mailflow uses.
 * For a server without a connector, they contain only certificates that DANE or MTA-STS verified. A certificate that
 * failed a requirement may be an impostor's, so only the trace contains it.
 */
import { clientCertificateSecret } from '../../shared/contract/secrets.ts'
import type { EventQueue } from '../../shared/events/event-queue.ts'
import { certificateSeenEvent } from '../../shared/events/mail-events.ts'
import { stackName } from '../../shared/lambda/stack-name.ts'
import type { SessionRecord, SmtpDeliveryOptions } from '../../shared/net/smtp-delivery.ts'
import type { ClientCredentials } from '../../shared/net/tls-client.ts'
import { recordOfPem, recordOfServer } from '../../shared/tls/observed/certificate-record.ts'
import type { NewObservation } from '../../shared/tls/observed/observation.ts'
import { requiresVerification } from '../../shared/tls/requirement.ts'
import {
  type LogAndMetrics,
  type ObservationSinks,
  recordObservedCertificate,
} from '../../shared/transport/record-observed-certificate.ts'

/** Maximum number of different certificates in memory; a batch has fewer sessions. */
const maxObservations = 200

/** The function has this much time left after its last attempt. */
const writeTimeoutMs = 10_000

export class ObservedCertificates {
  readonly #observations = new Map<string, NewObservation>()

  add(observation: NewObservation | null): void {
    if (observation === null || this.#observations.size >= maxObservations) return
    const { endpoint, certificate } = observation
    this.#observations.set(
      [endpoint.connector?.id, endpoint.host, certificate.fingerprint256].join(' '),
      observation,
    )
  }

  /** Removes and returns all certificates. */
  take(): NewObservation[] {
    const all = [...this.#observations.values()]
    this.#observations.clear()
    return all
  }
}

/**
 * Observes the server certificates in the sessions of a job, and the client certificate that mailflow reads for them.
 */
export function certificateWatch(
  observations: ObservedCertificates,
  { connector = null }: { connector?: Connector | undefined },
  now: () => Date,
) {
  return {
    session: (session: SessionRecord): void => observations.add(observeServer(session, connector, now())),
    credentials:
      (read: SmtpDeliveryOptions['readCredentials']): SmtpDeliveryOptions['readCredentials'] =>
      async (name) => {
        const credentials = await read(name)
        observations.add(observeOwn(name, credentials, connector, now()))
        return credentials
      },
  }
}

type Connector = NewObservation['endpoint']['connector']

function observeServer(
  { tls, result, enforced, hop, domain }: SessionRecord,
  connector: Connector,
  at: Date,
): NewObservation | null {
  const verifiedBy = requiresVerification(enforced) ? enforced.source : null
  if (tls?.kind !== 'Established' || result !== 'success') return null
  if (connector === null && verifiedBy !== 'Dane' && verifiedBy !== 'MtaSts') return null
  const certificate = recordOfServer(tls)
  const endpoint = { kind: 'PartnerServer' as const, connector, domain, host: hop.host }
  return certificate && { endpoint, certificate, verifiedBy, at }
}

function observeOwn(
  name: string,
  { certificate: pem }: ClientCredentials,
  connector: Connector,
  at: Date,
): NewObservation | null {
  const certificate = recordOfPem(pem)
  const endpoint = {
    kind: 'Own' as const,
    connector,
    domain: null,
    host: clientCertificateSecret(name, stackName),
  }
  return certificate && { endpoint, certificate, verifiedBy: null, at }
}

/**
 * Never rejects. The event of a new certificate is lost if it cannot be sent, as the record itself is: mail does not
 * depend on either.
 */
export async function writeObservedCertificates(
  observations: ObservedCertificates,
  { events, ...recording }: ObservationSinks & { events: Pick<EventQueue, 'send'> },
  now: Date,
  tools: LogAndMetrics,
): Promise<void> {
  const signal = AbortSignal.timeout(writeTimeoutMs)
  const seen = await Promise.all(
    observations.take().map(async (observation) => {
      const isNew = await recordObservedCertificate(observation, now, recording, tools, signal)
      // The client certificate of mailflow itself is no partner's.
      return isNew && observation.endpoint.kind !== 'Own' ? [certificateSeenEvent(observation)] : []
    }),
  )
  await events
    .send(seen.flat())
    .catch((error: Error) => tools.logger.warn('The events of new certificates could not be sent', error))
}
