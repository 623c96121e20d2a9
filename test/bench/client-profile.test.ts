import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timesByOrigin } from './client-profile.ts'

/** Function, file, and the origin under which a sample of this function is counted. */
const functions = [
  ['send', 'file:///checkout/shared/net/smtp-session.ts', 'client'],
  ['_sendCommand', 'file:///checkout/node_modules/nodemailer/lib/smtp-connection/index.js', 'packages'],
  ['onread', 'node:internal/tls/wrap', 'tls'],
  ['verifySpkac', 'node:internal/crypto/certificate', 'tls'],
  ['onStreamRead', 'node:internal/stream_base_commons', 'sockets'],
  ['writeBuffer', '', 'native'],
  ['(program)', '', 'native'],
  ['(garbage collector)', '', 'collector'],
  ['sendUntil', 'file:///checkout/test/bench/client-load.ts', 'load'],
  ['(idle)', '', null],
  ['(root)', '', null],
] as const

test('the time of each sample counts for the origin of its function, and idle time does not count', () => {
  const expected = { client: 0, packages: 0, tls: 0, sockets: 0, native: 0, collector: 0, load: 0 }
  functions.forEach(([, , origin], index) => {
    if (origin) expected[origin] += 10 ** index
  })
  const times = timesByOrigin({
    nodes: functions.map(([functionName, url], id) => ({ id, callFrame: { functionName, url } })),
    samples: functions.map((_, id) => id),
    timeDeltas: [5, ...functions.map((_, index) => 10 ** index)],
  })
  assert.deepEqual(times, expected)
})
