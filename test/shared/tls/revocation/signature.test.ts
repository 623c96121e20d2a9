/** CRLs signed by OpenSSL, with every type of key that authorities have. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { statusInCrl } from '../../../../shared/tls/revocation/crl.ts'

const pss = '-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:'
const rows: { what: string; key: string; digest?: string; options?: string; counts: boolean }[] = [
  { what: 'RSA and SHA-256', key: 'rsa:2048', digest: 'sha256', counts: true },
  { what: 'RSA and SHA-384', key: 'rsa:2048', digest: 'sha384', counts: true },
  { what: 'RSA and SHA-512', key: 'rsa:2048', digest: 'sha512', counts: true },
  { what: 'RSA and SHA-1', key: 'rsa:2048', digest: 'sha1', counts: false },
  { what: 'RSASSA-PSS and SHA-256', key: 'rsa:2048', digest: 'sha256', options: `${pss}32`, counts: true },
  {
    what: 'RSASSA-PSS and a salt shorter than the digest',
    key: 'rsa:2048',
    digest: 'sha384',
    options: `${pss}20`,
    counts: true,
  },
  { what: 'RSASSA-PSS and SHA-1', key: 'rsa:2048', digest: 'sha1', options: `${pss}20`, counts: false },
  { what: 'ECDSA on P-256', key: 'ec:P-256', digest: 'sha256', counts: true },
  { what: 'ECDSA on P-384', key: 'ec:P-384', digest: 'sha384', counts: true },
  { what: 'ECDSA and SHA-1', key: 'ec:P-256', digest: 'sha1', counts: false },
  { what: 'Ed25519', key: 'ed25519', counts: true },
  { what: 'Ed448', key: 'ed448', counts: true },
]

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'signatures-'))
  writeFileSync(join(folder, 'index.txt'), '')
  writeFileSync(join(folder, 'ca.cnf'), '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_crl_days=7\n')
})
after(() => rmSync(folder, { recursive: true }))

const run = (line: string) => execFileSync('openssl', line.split(' '), { cwd: folder, stdio: 'pipe' })
const keyOf: Record<string, string> = {
  'rsa:2048': '-newkey rsa:2048',
  'ec:P-256': '-newkey ec -pkeyopt ec_paramgen_curve:P-256',
  'ec:P-384': '-newkey ec -pkeyopt ec_paramgen_curve:P-384',
  ed25519: '-newkey ed25519',
  ed448: '-newkey ed448',
}

for (const { what, key, digest, options, counts } of rows)
  it(`a CRL that its issuer signed with ${what} is ${counts ? 'usable' : 'unusable'}`, () => {
    run(`req -x509 ${keyOf[key]} -nodes -keyout key.pem -out ca.pem -subj /CN=Signer`)
    const how = [digest && `-md ${digest}`, options].filter(Boolean).join(' ')
    run(`ca -config ca.cnf -gencrl -keyfile key.pem -cert ca.pem -out list.pem ${how}`.trim())
    const certificate = new X509Certificate(readFileSync(join(folder, 'ca.pem')))
    const results = statusInCrl(readFileSync(join(folder, 'list.pem')), {
      certificate,
      issuer: certificate,
      at: new Date(),
    })
    assert.equal(results.status, counts ? 'Good' : 'Unknown', results.detail)
    if (!counts) assert.match(results.detail, /is not signed by the certificate's issuer/)
  })
