/** Sends one message at one level to one misbehaving server, with the code under test. */
import assert from 'node:assert/strict'
import tls from 'node:tls'
import {
  deliverToHops,
  type OutboundMessage,
  type Outcome,
  type SmtpDeliveryOptions,
} from '../../../../shared/net/smtp-delivery.ts'
import { noMtaSts } from '../../../../shared/policy/hop-facts.ts'
import { message, recipient } from '../../../support/fixtures.ts'
import { createHostileCertificates, host } from '../../../support/hostile-certificates.ts'
import { type HostileServer, startHostileServer } from '../../../support/hostile-server.ts'
import { smtpOptions } from '../../../support/smtp-options.ts'
import { certificatesFor, type Level } from './levels.ts'
import type { Misbehaviour } from './misbehaviours.ts'

const setup = await createHostileCertificates()
// Affects the whole process; each test file has its own process.
tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...setup.publicRoots])

const address = 'b@partner.example'

export const contentAt = ({ header = '' }: Level): Buffer =>
  Buffer.from(`${header}From: a@elsewhere.example\r\nSubject: hello\r\n\r\n.The secret is 4711.\r\n`)

/** Starts a server with this misbehaviour, and certificates of the CA that the level trusts. */
export function serve(level: Level, misbehaviour: Misbehaviour): Promise<HostileServer> {
  const { conduct = () => ({}), certificate = 'good', tls: settings } = misbehaviour
  const identity = certificatesFor(level, setup)[certificate]
  return startHostileServer((number) => ({ tls: { ...identity, ...settings }, ...conduct(number) }))
}

export type AttemptOverrides = Pick<SmtpDeliveryOptions, 'open' | 'recordSession'> &
  Partial<Pick<SmtpDeliveryOptions, 'signal' | 'timeouts'>>

export async function send(
  level: Level,
  misbehaviour: Misbehaviour,
  { port }: Pick<HostileServer, 'port'>,
  circumstances: AttemptOverrides = {},
): Promise<Outcome> {
  const { certificate = 'good', stalls = false } = misbehaviour
  const hop = {
    host,
    ip: '127.0.0.1',
    port,
    foundBy: 'Mx' as const,
    authentic: level.authentic ?? false,
    dane: level.dane?.(setup, certificate) ?? { kind: 'None' as const },
  }
  const outcomes = await deliverToHops([hop], mailAt(level), { ...options(level, stalls), ...circumstances })
  return outcomes.get(address) ?? assert.fail('no outcome')
}

function mailAt(level: Level): OutboundMessage {
  const original = message()
  return {
    message: { envelope: { ...original.envelope, requireTls: level.requireTls ?? false } },
    recipients: [recipient({ address })],
    content: contentAt(level),
    tls: {
      level: 'Opportunistic',
      mode: 'Enforce',
      tlsDomain: null,
      certificateAuthorities: [],
      minimumTlsVersion: 'TLSv1.2',
      revocationCheck: 'SoftFail',
      smtpDaneMode: 'Opportunistic',
      mtaStsMode: 'Opportunistic',
      clientCertificate: null,
      ...level.tls?.(setup),
    },
  }
}

/** Milliseconds. The timeouts are short for a server that stalls. */
const timeouts = (stalls: boolean) => {
  const wait = stalls ? 2000 : 20_000
  return { connect: 20_000, greeting: wait, command: wait, data: 20_000 }
}

function options(level: Level, stalls: boolean): SmtpDeliveryOptions {
  return smtpOptions({
    timeouts: timeouts(stalls),
    mtaSts: async () => level.mtaSts ?? noMtaSts,
    signal: AbortSignal.timeout(60_000),
  })
}
