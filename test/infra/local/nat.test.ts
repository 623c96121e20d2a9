import assert from 'node:assert/strict'
import { test } from 'node:test'
import { translate } from '../../../infra/local/lambda/nat.ts'

const rules = {
  '127.0.0.11': 2511,
  '127.0.0.12': '127.0.0.1:2512',
  '127.0.0.12:443': 8443,
  '[::1]:443': '127.0.0.1:8444',
  '::1': 2513,
}

const rows = [
  { host: '127.0.0.11', port: 25, expected: { host: '127.0.0.11', port: 2511 } },
  { host: '127.0.0.12', port: 25, expected: { host: '127.0.0.1', port: 2512 } },
  { host: '127.0.0.12', port: 443, expected: { host: '127.0.0.12', port: 8443 } },
  { host: '127.0.0.11', port: 443, expected: { host: '127.0.0.11', port: 443 } },
  { host: '::1', port: 443, expected: { host: '127.0.0.1', port: 8444 } },
  { host: '::1', port: 25, expected: { host: '::1', port: 2513 } },
  { host: '127.0.0.11', port: 587, expected: { host: '127.0.0.11', port: 587 } },
  { host: '127.0.0.13', port: 25, expected: { host: '127.0.0.13', port: 25 } },
]
for (const { host, port, expected } of rows)
  test(`a connection to ${host}:${port} goes to ${expected.host}:${expected.port}`, () => {
    assert.deepEqual(translate(rules, host, port), expected)
  })
