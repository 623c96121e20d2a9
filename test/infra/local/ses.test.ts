import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { startSes } from '../../../infra/local/aws/ses.ts'
import { SesApi } from '../../../shared/net/ses-api.ts'
import { testAccount } from '../../support/lambda.ts'

describe('the SES of the local runner', () => {
  it('takes a message of each API, the largest of the ingress included, and has a quota', async (context) => {
    const server = await startSes()
    context.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const api = new SesApi({ endpoint: url, ...testAccount, maxAttempts: 1 })
    const signal = AbortSignal.timeout(60_000)
    for (const octets of [100, 7_864_320, 36_700_160]) {
      const content = Buffer.alloc(octets, 'x'.repeat(76).concat('\r\n'))
      content.write('From: a@ours.example\r\nTo: b@partner.example\r\n\r\n')
      const mail = { mailFrom: 'a@ours.example', recipients: ['b@partner.example'], configurationSet: 'x' }
      assert.match(await api.send({ ...mail, content }, signal), /^ses-\d+$/)
    }
    const { emails } = (await (await fetch(`${url}/store`)).json()) as { emails: unknown[] }
    assert.equal(emails.length, 3)
    assert.equal((await api.readQuota(signal)).max24HourSend, -1)
  })
})
