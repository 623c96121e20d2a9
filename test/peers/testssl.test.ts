/** testssl.sh and OpenSSL's own client examine the ingress's TLS over STARTTLS. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startTestIngress, type TestIngress } from '../support/ingress/ingress.ts'
import { missing } from '../support/peers/peers.ts'
import { createPki, daysFromNow } from '../support/pki.ts'

const skip =
  missing('testssl', 'apt-get install testssl.sh') || missing('socat', 'apt-get install socat') || false

const hostname = 'mx.ours.example'
const folder = mkdtempSync(join(tmpdir(), 'mailflow-testssl-'))
const authority = join(folder, 'ca.pem')
let ingress: TestIngress

before(async () => {
  if (skip) return
  const notAfter = daysFromNow(180)
  const pki = await createPki()
  const issuer = await pki.subordinate('Issuer', { notAfter })
  const [ec, rsa] = await Promise.all(
    [false, true].map((rsa) => issuer.issue({ names: [hostname], purposes: ['serverAuth'], notAfter, rsa })),
  )
  writeFileSync(authority, pki.ca)
  ingress = await startTestIngress({
    settings: {
      TLS_PRIVATE_KEY: `${ec?.key}\n${rsa?.key}`,
      TLS_CERTIFICATE: `${ec?.cert}\n${rsa?.cert}`,
      // testssl.sh opens several hundred connections per minute.
      MAX_CONNECTION_RATE_PER_ADDRESS: 0,
    },
  })
})

after(async () => {
  await ingress?.drain()
  rmSync(folder, { recursive: true, force: true })
})

interface Finding {
  id: string
  severity: string
  finding: string
}

/** Findings of testssl.sh that are accepted, each with its reason. */
const acceptedFindings: readonly { id: RegExp; reason: string; isIntermittent?: boolean }[] = [
  { id: /^engine_problem$/, reason: 'about the OpenSSL that testssl.sh itself uses: it has no GOST' },
  { id: /^cert_revocation /, reason: 'the authority of this test revokes nothing' },
  {
    id: /^sessionresumption_ticket$/,
    reason:
      'the client of testssl.sh often disconnects before the tickets arrive, and then has no session to resume',
    isIntermittent: true,
  },
]

describe('testssl.sh, run against the ingress,', { skip }, () => {
  let findings: Finding[]
  const findingOf = (id: string) => findings.find((finding) => finding.id === id)?.finding

  before(
    async () => {
      // -p, -P: protocols and cipher preferences. -s, -f, -S: categories of ciphers, forward secrecy, server's
      // defaults. -U: vulnerabilities.
      const runs = await Promise.all([testssl('-p', '-P'), testssl('-s', '-f', '-S'), testssl('-U')])
      findings = runs.flat()
    },
    { timeout: 540_000 },
  )

  it('has no finding above INFO except the accepted findings', () => {
    assert.ok(findings.length > 100, `${findings.length} findings`)
    const unacceptedFindings = findings.filter(
      ({ id, severity }) =>
        !['OK', 'INFO'].includes(severity) && !acceptedFindings.some((each) => each.id.test(id)),
    )
    assert.deepEqual(unacceptedFindings, [])
  })

  it('has each accepted finding that is not intermittent', () => {
    const absentFindings = acceptedFindings.filter(
      (each) =>
        !each.isIntermittent &&
        !findings.some(({ id, severity }) => each.id.test(id) && !['OK', 'INFO'].includes(severity)),
    )
    assert.deepEqual(absentFindings, [])
  })

  it('finds TLS 1.2 and 1.3 and no older version', () => {
    const versions = ['SSLv2', 'SSLv3', 'TLS1', 'TLS1_1', 'TLS1_2', 'TLS1_3']
    assert.deepEqual(versions.map(findingOf), [
      ...Array.from({ length: 4 }, () => 'not offered'),
      'offered',
      'offered with final',
    ])
  })

  it("finds only cipher suites with forward secrecy and authenticated encryption, in the ingress's order", () => {
    assert.deepEqual(
      [findingOf('cipher_order-tls1_2'), findingOf('cipher_order-tls1_3')],
      ['server', 'server'],
    )
    assert.equal(
      findingOf('cipherorder_TLSv1_2'),
      [
        'ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384',
        'ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256',
      ].join(' '),
    )
    assert.equal(findingOf('cipherorder_TLSv1_3'), 'TLS_AES_256_GCM_SHA384 TLS_AES_128_GCM_SHA256')
    assert.equal(findingOf('FS_KEMs'), 'X25519MLKEM768')
    assert.equal(findingOf('FS_ECDHE_curves'), 'prime256v1 secp384r1 X25519')
  })

  it('finds no signature with SHA-1 or SHA-224', () => {
    assert.match(findingOf('FS_TLS12_sig_algs') ?? '', /ECDSA\+SHA256/)
    assert.doesNotMatch(findingOf('FS_TLS12_sig_algs') ?? '', /SHA1\b|SHA224/)
  })

  it('trusts the EC and the RSA certificate, by name and chain', () => {
    const sizes = [1, 2].map((number) => findingOf(`cert_keySize <hostCert#${number}>`) ?? '')
    assert.match(sizes.sort().join('; '), /^EC 256 .*; RSA 2048 /)
    for (const number of [1, 2]) {
      assert.match(findingOf(`cert_trust <hostCert#${number}>`) ?? '', /^Ok via SAN/)
      assert.equal(findingOf(`cert_chain_of_trust <hostCert#${number}>`), 'passed.')
    }
  })

  it('finds neither renegotiation by the client, nor injection of commands before TLS, nor TLS compression', () => {
    assert.deepEqual(
      ['secure_client_renego', 'starttls_injection', 'CRIME_TLS'].map((id) =>
        findingOf(id)?.replace(/ \(.*/, ''),
      ),
      ['not vulnerable', 'not vulnerable', 'not vulnerable'],
    )
  })
})

async function testssl(...tests: string[]): Promise<Finding[]> {
  const json = join(folder, `findings${tests.join('')}.json`)
  const options = ['--starttls', 'smtp', '--ip', '127.0.0.1', '--add-ca', authority, '--jsonfile', json]
  const quietOptions = ['--nodns', 'none', '--quiet', '--color', '0', '--warnings', 'off']
  const output = await run('testssl', [
    ...options,
    ...quietOptions,
    ...tests,
    `${hostname}:${ingress.smtpPort}`,
  ])
  try {
    return JSON.parse(readFileSync(json, 'utf8'))
  } catch {
    throw new Error(`testssl.sh wrote no findings:\n${output}`)
  }
}

/**
 * Ignores the exit code, in which testssl.sh returns the number of its findings.
 * @returns the output
 */
function run(program: string, args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd: folder }, (_, stdout, stderr) => resolve(stdout + stderr))
    child.stdin?.end()
  })
}

describe("OpenSSL's client, connected to the ingress,", { skip, timeout: 30_000 }, () => {
  const session = join(folder, 'session.pem')

  it('resumes a TLS 1.3 session with a new key exchange, and cannot send early data', async () => {
    const first = await connectWith(['-tls1_3', '-sess_out', session])
    assert.match(first, /^New, TLSv1.3/m)
    assert.match(first, /Max Early Data: 0$/m)
    const earlyDataFile = join(folder, 'early.txt')
    writeFileSync(earlyDataFile, 'EHLO early.example\r\n')
    const second = await connectWith([
      '-tls1_3',
      '-sess_in',
      session,
      '-allow_no_dhe_kex',
      '-early_data',
      earlyDataFile,
    ])
    assert.match(second, /^Reused, TLSv1.3/m)
    assert.match(second, /^(Peer|Server) Temp Key: \S+|^Negotiated TLS1.3 group: \S+/m)
    assert.match(second, /^Early data was not sent$/m)
  })

  it('gets the extended master secret and no session ticket in TLS 1.2', async () => {
    const output = await connectWith(['-tls1_2', '-sess_out', session])
    assert.match(output, /^New, TLSv1.2/m)
    assert.match(output, /Extended master secret: yes$/m)
    assert.doesNotMatch(output, /TLS session ticket/)
  })

  for (const version of ['-tls1_2', '-tls1_3'])
    it(`causes the log line CertificateRefused when it does not trust the certificate (${version.slice(1)})`, async (t) => {
      const untrusted = await startTestIngress()
      t.after(() => untrusted.drain())
      const failed = untrusted.logged('TLS handshake failed')
      await connectWith([version, '-verify_return_error'], untrusted)
      assert.equal((await failed).reason, 'CertificateRefused')
    })
})

/**
 * Sends QUIT when it is connected, and resolves when the server has ended the connection.
 * @returns the output
 */
function connectWith(args: string[], { smtpPort }: TestIngress = ingress): Promise<string> {
  const connection = ['-starttls', 'smtp', '-connect', `127.0.0.1:${smtpPort}`, '-servername', hostname]
  const options = ['-CAfile', authority, '-nocommands', '-ign_eof']
  return new Promise((resolve, reject) => {
    const child = spawn('openssl', ['s_client', ...connection, ...options, ...args])
    let output = ''
    const append = (text: Buffer) => {
      output += text
    }
    child.stdout.on('data', append)
    child.stderr.on('data', append)
    child.on('error', reject)
    child.on('close', () => resolve(output))
    child.stdin.on('error', () => {})
    child.stdin.end('QUIT\r\n')
  })
}
