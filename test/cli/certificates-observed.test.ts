import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ObservedTable } from '../../shared/transport/observed-table.ts'
import { assertFitsTerminal } from '../support/cli/fits-terminal.ts'
import { type HttpApi, startApi } from '../support/cli/mailflow.ts'
import { certificateFactsWith } from '../support/fixtures.ts'
import { daysAfter, newObservation, observedCertificate } from '../support/observed.ts'

const now = new Date('2026-02-10T12:00:00.000Z')
let api: HttpApi

before(async () => {
  api = await startApi(() => now.getTime())
  const { body } = await api.call('POST /outbound-connectors', {
    json: { name: 'To the bank', connectorType: 'Partner', recipientDomains: ['bank.example'] },
  })
  const bank = { id: body.id, name: 'To the bank' }
  const table = new ObservedTable(api.database.documents, api.database.transportTable)
  const expiring = (letter: string, days: number, issuer = 'CN=Issuer One') =>
    observedCertificate(letter, { notAfter: daysAfter(days, now).toISOString(), issuer })
  for (const one of [
    newObservation(expiring('a', 2), daysAfter(-9, now), { connector: bank }),
    newObservation(expiring('b', 80, 'CN=Two\u202e'), daysAfter(-1, now), { connector: bank }),
    newObservation(expiring('c', 10), now, {
      kind: 'Own',
      connector: null,
      domain: null,
      host: 'mx.ours.example',
    }),
    newObservation(expiring('d', 99), now, {
      connector: null,
      domain: 'unknown.example',
      host: 'mx.unknown.example',
    }),
    {
      ...newObservation(expiring('e', 99), now, {
        kind: 'PartnerClient',
        connector: { id: 'c2', name: 'From the bank' },
        host: 'mail.bank.example',
      }),
      facts: certificateFactsWith({
        pinned: true,
        issuedByConnectorAuthority: true,
        issuedByPublicRoot: false,
      }),
    },
  ])
    await table.record(one, one.at, AbortSignal.timeout(5_000))
})
after(() => api.stop())

const columns = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll(/ {2,}/g, '|'))

const own = `gateway|mx.ours.example|10|2026-02-20|2026-02-10|CN=Issuer One|${'c'.repeat(64)}`
const bank = `server|To the bank|mx.bank.example|80|2026-05-01|2026-02-09|2026-02-09 Issuer, Key|CN=Two?|${'b'.repeat(64)}`

test('certificates in use are listed, the gateway’s own first', async () => {
  const { status, out } = await api.mailflow('certificates', 'observed')
  assert.equal(status, 0)
  const [heading, ...rows] = columns(out)
  assert.equal(
    heading,
    'Presented by|Connector|Host|Days left|Expires|Observed|Changed on|Issuer|SHA-256|At the connector',
  )
  assert.deepEqual(rows, [
    own,
    bank,
    `server|none (unknown.example)|mx.unknown.example|99|2026-05-20|2026-02-10|CN=Issuer One|${'d'.repeat(64)}`,
    `client|From the bank|mail.bank.example|99|2026-05-20|2026-02-10|CN=Issuer One|${'e'.repeat(64)}|issued by the connector's authority, under another name in the sender domains, pinned`,
  ])
})

test('the table fits the terminal, with whole digests', async () => {
  const digests = ['b', 'c', 'd'].map((letter) => letter.repeat(64))
  await assertFitsTerminal(['certificates', 'observed'], { env: { MAILFLOW_API: api.url } }, digests)
})

test('--all also lists superseded certificates', async () => {
  const { out } = await api.mailflow('certificates', 'observed', '--connector', 'to the BANK', '--all')
  assert.deepEqual(columns(out).slice(1), [
    bank,
    `server|To the bank|mx.bank.example|2|2026-02-12|2026-02-01 (superseded)|CN=Issuer One|${'a'.repeat(64)}`,
  ])
})

test('--expiring-within lists only certificates that expire soon', async () => {
  const { out } = await api.mailflow('certificates', 'observed', '--expiring-within', '30')
  assert.deepEqual(columns(out).slice(1), [own])
  const none = await api.mailflow('certificates', 'observed', '--expiring-within', '5')
  assert.equal(none.out, 'No certificates found.\n')
})

test('--json prints the certificates of the API’s response', async () => {
  const { out } = await api.mailflow('certificates', 'observed', '--json', '--expiring-within', '30')
  assert.deepEqual(
    JSON.parse(out).map(({ host }: { host: string }) => host),
    ['mx.ours.example'],
  )
})

test('--expiring-within rejects a value that is not a number of days', async () => {
  const { status, err } = await api.mailflow('certificates', 'observed', '--expiring-within', 'soon')
  assert.deepEqual(
    [status, err],
    [2, 'mailflow: --expiring-within soon: not a number of days from 0 to 9999\n'],
  )
})

test('--connector with an unknown connector causes an error that names the connector', async () => {
  const { status, err } = await api.mailflow('certificates', 'observed', '--connector', 'unknown')
  assert.equal(status, 1)
  assert.match(err, /no connector "unknown"/)
})
