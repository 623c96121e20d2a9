import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loggedPath } from '../../../shared/http-api/request-log.ts'

const paths: [path: string, logged: string][] = [
  ['/addresses/ann@ours.example', '/addresses/{address}'],
  ['/addresses/ann%40ours.example/x', '/addresses/{address}'],
  ['/addresses/a\nb@ours.example', '/addresses/{address}'],
  ['/addresses', '/addresses'],
  ['/messages/01KF0CVZT0ABCDEFGHJKMNPQRS', '/messages/01KF0CVZT0ABCDEFGHJKMNPQRS'],
  [`/${'x'.repeat(400)}`, `/${'x'.repeat(299)}`],
]
for (const [path, logged] of paths)
  test(`${path.slice(0, 40)} is logged as ${logged.slice(0, 40)}`, () =>
    assert.equal(loggedPath(path), logged))
