import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { UnknownCertificateStore } from '../../shared/messages/unknown-certificate-store.ts'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import { type HttpApi, startApi } from '../support/cli/mailflow.ts'
import { certificateNotice } from '../support/fixtures.ts'

const now = new Date('2026-02-10T12:00:00.000Z')
let api: HttpApi
let id: string

before(async () => {
  api = await startApi(() => now.getTime())
  const { body } = await api.call('POST /inbound-connectors', {
    json: {
      name: 'From the bank',
      connectorType: 'Partner',
      senderDomains: ['contoso.example'],
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mail.contoso.example'],
    },
  })
  const store = new UnknownCertificateStore(api.database.documents, api.database.messagesTable)
  const at = '2026-02-10T11:00:00.000Z'
  await store.record(certificateNotice({ connector: body.id, at }), null, now)
  const other = { connector: body.id, fingerprint256: 'ef'.repeat(32), vouchedFor: false, remedies: [] }
  await store.record(certificateNotice({ ...other, at: '2026-02-10T11:30:00.000Z' }), null, now)
  id = `${body.id}-${Buffer.from('ef'.repeat(32), 'hex').toString('base64url')}`
})
after(() => api.stop())

const rowsOf = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/))

test('certificates that an attacker cannot create are listed first, with the safest addition', async () => {
  const { status, out } = await api.mailflow('certificates', 'unknown', '--wide')
  assert.equal(status, 0)
  const rows = rowsOf(out)
  assert.deepEqual(
    rows.map((row) => [row[0], row[1], row[3], row[7]]),
    [
      ['Open', 'From the bank', 'Refused', `certificateFingerprints+=${'cd'.repeat(32)}`],
      ['Open', 'From the bank', 'Refused', 'no addition'],
    ],
  )
})

test('the table fits the terminal, with whole ids', async () => {
  await assertFitsTerminal(['certificates', 'unknown'], { env: { MAILFLOW_API: api.url } }, [id])
})

test('--json prints the certificates of the API’s response', async () => {
  const { out } = await api.mailflow('certificates', 'unknown', '--json', '--connector', 'from the bank')
  assert.deepEqual(
    JSON.parse(out).map(({ trusted }: { trusted: boolean }) => trusted),
    [true, false],
  )
})

test('a dismissal needs a reason, and takes the certificate from the list', async () => {
  const missing = await api.mailflow('certificates', 'dismiss', id)
  assert.deepEqual(
    [missing.status, missing.err],
    [2, 'mailflow: certificates dismiss needs --because TEXT\n'],
  )
  const { status, out } = await api.mailflow('certificates', 'dismiss', id, '--because', 'a stranger')
  assert.equal(status, 0)
  assert.equal(out, 'Dismissed at connector "From the bank" until 2026-05-11 12:00:00Z.\n')
  const listed = await api.mailflow('certificates', 'unknown', '--json')
  assert.equal(JSON.parse(listed.out).length, 1)
  const all = await api.mailflow('certificates', 'unknown', '--json', '--all')
  assert.deepEqual(
    JSON.parse(all.out).map(({ state }: { state: string }) => state),
    ['Open', 'Dismissed'],
  )
})

test('the dismissal of a certificate that does not exist fails', async () => {
  const { status, err } = await api.mailflow('certificates', 'dismiss', 'abc', '--because', 'a stranger')
  assert.equal(status, 1)
  assert.match(err, /There is no such unknown certificate/)
})
