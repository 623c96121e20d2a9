/** TLS reports read and signed by other programs: dkimpy, and Python's MIME and gzip. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readReportMail } from '../../shared/tls-reports/read-mail.ts'
import { buildReport } from '../../shared/tls-reports/report.ts'
import { buildReportMessage } from '../../shared/tls-reports/report-mail.ts'
import { verifySigner } from '../../shared/tls-reports/verify-signer.ts'
import { fakeResolver } from '../support/dns.ts'

/** Debian's own interpreter, which has python3-dkim. */
const python = '/usr/bin/python3'
const script = join(import.meta.dirname, 'tls-report.py')
const isInstalled = spawnSync(python, ['-c', 'import dkim']).status === 0
const skip = isInstalled || process.env.CI ? false : 'dkimpy is missing: apt-get install python3-dkim'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-report-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const reporter = {
  organisation: 'Ours',
  address: 'postmaster@mx.sender.example',
  domain: 'mx.sender.example',
}
const report = buildReport(
  {
    domain: 'partner.example',
    policies: [
      {
        policy: { type: 'no-policy-found', domain: 'partner.example', strings: [], mxHosts: [] },
        successes: 41,
        failures: 1,
        details: [
          {
            failure: {
              result: 'validation-failure',
              host: 'mx.partner.example',
              ip: '2001:db8::1',
              reason: 'ECONNRESET',
            },
            sessions: 1,
          },
        ],
      },
    ],
  },
  '2026-02-03',
  reporter,
)
const at = new Date('2026-02-04T01:20:00.000Z')
const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()
const der = (key: KeyObject) => key.export({ type: 'spki', format: 'der' })
const run = (args: string[], input: Buffer): Buffer => execFileSync(python, [script, ...args], { input })

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed25519 = generateKeyPairSync('ed25519')
const keys = [
  ['RSA', rsa.privateKey, `v=DKIM1; k=rsa; p=${der(rsa.publicKey).toString('base64')}`],
  [
    'Ed25519',
    ed25519.privateKey,
    `v=DKIM1; k=ed25519; p=${der(ed25519.publicKey).subarray(-32).toString('base64')}`,
  ],
] as const

for (const [algorithm, privateKey, record] of keys)
  test(`dkimpy and Python read a TLS report that mailflow signed with ${algorithm}, and verify its signature`, {
    skip,
  }, async () => {
    const key = { domain: 'sender.example', selector: 'reports', privateKey: pem(privateKey) }
    const mail = await buildReportMessage(report, { id, to: 'tls@partner.example', at }, reporter, key)
    assert.deepEqual(JSON.parse(run(['verify', record], mail).toString()), {
      signature: true,
      type: 'multipart/report',
      reportType: 'tlsrpt',
      subject: `Report Domain: partner.example Submitter: mx.sender.example Report-ID: <${report.id}>`,
      domain: 'partner.example',
      filenames: [report.filename],
      reports: [JSON.parse(report.json)],
    })
    const forged = Buffer.from(mail.toString('latin1').replace('for programs', 'for everyone'), 'latin1')
    assert.equal(JSON.parse(run(['verify', record], forged).toString()).signature, false)
  })

test('mailflow reads a TLS report that dkimpy signed, and verifies its signature', { skip }, async () => {
  const keyFile = join(folder, 'key.pem')
  writeFileSync(keyFile, rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }))
  const unsigned = await buildReportMessage(report, { id, to: 'tls@ours.example', at }, reporter, null)
  const mail = run(['sign', keyFile], unsigned)
  const resolver = fakeResolver({ txt: { 'reports._domainkey.sender.example': [keys[0][2]] } })
  const signal = new AbortController().signal
  assert.deepEqual(await verifySigner(mail, resolver, signal), {
    kind: 'Known',
    authenticated: 'pass',
    signedBy: 'sender.example',
  })
  const reading = await readReportMail(mail)
  assert.equal(reading.kind === 'Report' && reading.content.successfulSessions, 41)
})
