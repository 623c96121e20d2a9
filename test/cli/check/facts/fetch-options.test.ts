import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fetchOptions } from '../../../../cli/check/facts/fetch-options.ts'
import { fetchUntrustedUrl } from '../../../../shared/net/untrusted-http.ts'

const hosts = [
  '169.254.169.254',
  '[fe80::1]',
  '0.0.0.0',
  '[::ffff:169.254.169.254]',
  '0xa9fea9fe',
  '[fd00:ec2::254]',
  '100.100.100.200',
]
for (const host of hosts)
  test(`check fetches nothing from ${host}, even if a certificate names this host`, async () => {
    const answer = await fetchUntrustedUrl(fetchOptions(2_000, 1_000), `http://${host}/latest/meta-data/`, {
      method: 'GET',
    })
    assert.equal(answer.kind, 'Failed')
    assert.match(answer.kind === 'Failed' ? answer.detail : '', /has no address that may be used/)
  })
