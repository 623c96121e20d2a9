import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { protectionOf } from '../../../functions/deliver-message/observe.ts'
import type { DeliveryJob } from '../../../shared/contract/jobs.ts'
import type { Attempt } from '../../../shared/contract/message.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'

const byMx: DeliveryJob['route'] = { kind: 'Mx', domain: 'partner.example' }
const bySes: DeliveryJob['route'] = { kind: 'Ses' }
const forced = { ...opportunistic, level: 'EncryptionOnly' } as const
const session = (verified: boolean): Attempt['tls'] => ({
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: null,
  verified,
  notVerified: null,
  fingerprint256: null,
})

describe('a delivery counts as', () => {
  const rows: [string, DeliveryJob['route'], DeliveryJob['tls'], Attempt['tls']][] = [
    ['verified', byMx, forced, session(true)],
    ['encrypted', byMx, opportunistic, session(false)],
    ['plaintext', byMx, opportunistic, null],
    ['encrypted', bySes, forced, null],
    ['unknown', bySes, opportunistic, null],
    ['unknown', bySes, { ...forced, mode: 'ReportOnly' }, null],
  ]
  for (const [counted, route, tls, attempt] of rows)
    it(`${counted} by ${route.kind}, ${tls.level} ${tls.mode}, ${attempt ? 'over TLS' : 'no session shown'}`, () =>
      assert.equal(protectionOf({ tls: attempt }, { route, tls }), counted))
})
