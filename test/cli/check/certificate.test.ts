/**
 * Tests `check` with good and bad certificates. A server presents them, and their authority serves CRLs and OCSP
 * responses.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type CheckResult, runCheck, runCheckWith } from '../../support/cli/check.ts'
import { firstOf, withUnknownKey } from '../../support/hostile-certificates.ts'
import {
  createPki,
  daysFromNow,
  type Identity,
  type LeafOptions,
  selfSigned,
  withoutDates,
} from '../../support/pki.ts'
import { type RevocationAuthority, startRevocationAuthority } from '../../support/revocation-authority.ts'
import { startPartner } from '../../support/smtp-partner.ts'

const host = 'mx.partner.example'
const names = [host]
const issuing = 'Revocation Issuing'
const folder = mkdtempSync(join(tmpdir(), 'mailflow-check-'))
const rootFile = join(folder, 'root.pem')
let authority: RevocationAuthority
let good: Identity

before(async () => {
  authority = await startRevocationAuthority({ publish: { issuer: true } })
  writeFileSync(rootFile, authority.root.ca)
  good = await issue({ names, notAfter: daysFromNow(100.5) })
})
beforeEach(() => authority.setBehaviour({ crl: 'Honest', ocsp: 'Honest' }))
after(async () => {
  await authority.stop()
  rmSync(folder, { recursive: true })
})

const issue = (options: LeafOptions) => authority.issue(options)

/** Runs the command against a server with this certificate. */
async function serving(identity: Identity, ...args: string[]): Promise<CheckResult> {
  // Without SECLEVEL=0, the server would not load weak certificates.
  const partner = await startPartner({ tls: { ...identity, ciphers: 'DEFAULT:@SECLEVEL=0' } })
  try {
    return await runCheck(`127.0.0.1:${partner.port}`, ...args)
  } finally {
    await partner.stop()
  }
}

const trusting = (identity: Identity, ...args: string[]): Promise<CheckResult> =>
  serving(identity, '--ca', rootFile, '--servername', host, ...args)

/** Returns the lines that fail, each as `check` and the certificate. */
const failures = ({ out }: CheckResult): string[] =>
  [...out.matchAll(/^FAIL +(\S+) +(?:([^:\n]+): )?/gm)].map(([, check = '', subject]) =>
    [check, subject && [host, issuing].includes(subject) ? subject : ''].join(' ').trim(),
  )

const resultOf = ({ source }: RegExp) => /[A-Z]+/.exec(source)?.[0]

describe('a good certificate', () => {
  let output: CheckResult
  before(async () => {
    output = await trusting(good)
  })

  test('gets no FAIL, and the process exits with 0', () => {
    assert.deepEqual([failures(output), output.status, output.err], [[], 0, ''])
    assert.match(output.out, /\n\n\d+ OK, 1 WARN, 0 FAIL\n$/, "the intermediate's dates")
  })

  const rows: [string, string, RegExp][] = [
    [
      'certificate',
      host,
      /^OK .*CN=mx\.partner\.example; issued by CN=Revocation Issuing; serial [0-9A-F]+; SHA-256 [0-9a-f]{64}$/,
    ],
    ['dates', host, /^OK .*from \d{4}-\S+ \S+Z until \d{4}-\S+ \S+Z, 100 days left$/],
    ['key', host, /^OK .*EC, curve P-256$/],
    ['signature', host, /^OK .*ecdsa-with-SHA256$/],
    ['certificate', issuing, /^OK .*issued by CN=Revocation Root; /],
    ['dates', issuing, /^WARN .*, 29 days left → .*newer certificate of this authority/],
    ['purpose', host, /^OK .*for servers and for clients$/],
    [
      'crl',
      host,
      /^OK .*http:\S+\/issuing\.crl: fetched, signature valid, fresh until \S+ \S+Z, not on the CRL$/,
    ],
    [
      'ocsp',
      host,
      /^OK .*http:\S+\/issuing\/ocsp: fetched, signature valid, fresh until \S+ \S+Z, not revoked$/,
    ],
    ['crl', issuing, /^OK .*http:\S+\/root\.crl: fetched, /],
    ['ocsp', issuing, /^OK .*http:\S+\/root\/ocsp: fetched, /],
    ['issuer', host, /^OK .*http:\S+\/issuing\.cer: fetched; the issuer is "Revocation Issuing"$/],
    ['issuer', issuing, /^OK .*http:\S+\/root\.cer: fetched; the issuer is "Revocation Root"$/],
  ]
  for (const [check, subject, expected] of rows)
    test(`gets ${resultOf(expected)} in the line "${check}" for ${subject}`, () =>
      assert.match(output.line(check, subject), expected))

  const alone: [string, RegExp][] = [
    ['chain', /^OK .*2 certificates, complete and in order$/],
    ['root', /^OK .*"Revocation Root" is in the trust store \(\S+root\.pem\)$/],
    ['trust', /^OK .*OpenSSL trusts the chain; so does a delivery that trusts this root$/],
    ['name', /^OK .*for mx\.partner\.example$/],
    ['revocation', /^OK .*no certificate that names a CRL or OCSP responder is revoked$/],
  ]
  for (const [check, expected] of alone)
    test(`gets ${resultOf(expected)} in the line "${check}"`, () =>
      assert.match(output.line(check), expected))

  test('gets the same results with --json', async () => {
    const { out, status } = await trusting(good, '--json')
    const findings = JSON.parse(out)
    assert.equal(status, 0)
    assert.deepEqual(
      findings.find((each: { check: string }) => each.check === 'chain'),
      { check: 'chain', result: 'OK', seen: '2 certificates, complete and in order', advice: null },
    )
    const crl = findings.filter((each: { check: string }) => each.check === 'crl')
    assert.deepEqual(
      crl.map(({ subject, result }: { subject: string; result: string }) => [subject, result]),
      [
        [host, 'OK'],
        [issuing, 'OK'],
      ],
    )
  })

  test('passes with an RSA key and a wildcard name', async () => {
    const output = await trusting(
      await issue({ names: ['*.partner.example'], rsa: true, purposes: ['serverAuth'] }),
    )
    assert.deepEqual(failures(output), [])
    assert.match(output.line('key', '*.partner.example'), /^OK .*RSA, 2048 bits$/)
    assert.match(output.line('purpose'), /^OK .*for servers only; mailflow also accepts it from clients$/)
    assert.match(output.line('name'), /^OK .*for mx\.partner\.example \(\*\.partner\.example\)$/)
  })
})

describe('the check of revocation', () => {
  test('fails when CRL and OCSP report that the certificate is revoked', async () => {
    const identity = await issue({ names })
    authority.revoke(identity.cert, { reason: 1 })
    const output = await trusting(identity)
    assert.deepEqual([failures(output), output.status], [[`ocsp ${host}`, `crl ${host}`, 'revocation'], 1])
    for (const check of ['crl', 'ocsp'])
      assert.match(
        output.line(check, host),
        /^FAIL .*http:\S+: revoked on \d{4}-\S+Z: keyCompromise → Get a new certificate for a new key/,
      )
    assert.match(output.line('trust'), /^OK/, 'OpenSSL does not check revocation')
    assert.match(
      output.line('revocation'),
      /^FAIL .*revoked on \S+Z: keyCompromise; a connector with revocationCheck SoftFail or HardFail defers mail with 4\.7\.320 → /,
    )
  })

  test('fails when CRL or OCSP reports that the certificate is revoked and the other source is stale or unreachable', async () => {
    const identity = await issue({ names })
    authority.revoke(identity.cert)
    authority.setBehaviour({ ocsp: 'Unreachable' })
    const byCrl = await trusting(identity)
    assert.match(byCrl.line('crl', host), /^FAIL .*revoked on/)
    assert.match(byCrl.line('ocsp', host), /^FAIL .*this access\. No other source is available$/)
    authority.setBehaviour({ ocsp: 'Honest', crl: 'Stale' })
    const byOcsp = await trusting(identity)
    assert.match(byOcsp.line('ocsp', host), /^FAIL .*revoked on/)
  })

  test('fails for the intermediate certificate when that certificate is revoked', async () => {
    const other = await startRevocationAuthority()
    const file = join(folder, 'other-root.pem')
    writeFileSync(file, other.root.ca)
    const identity = await other.issue({ names })
    other.revoke(other.intermediate.ca)
    const output = await serving(identity, '--ca', file, '--servername', host)
    await other.stop()
    assert.deepEqual(failures(output), [`ocsp ${issuing}`, `crl ${issuing}`, 'revocation'])
  })

  const fix = /→ The authority must fix this, unless a proxy sent the response\. /
  const rows: [string, Parameters<RevocationAuthority['setBehaviour']>[0], 'crl' | 'ocsp', RegExp, RegExp][] =
    [
      ['a stale CRL', { crl: 'Stale' }, 'crl', /The CRL expired at \d{4}-\S+Z /, fix],
      ['a stale OCSP response', { ocsp: 'Stale' }, 'ocsp', /The OCSP response expired at \d{4}-\S+Z /, fix],
      [
        'a CRL with a wrong signature',
        { crl: 'WrongSignature' },
        'crl',
        /is not signed by the certificate's issuer/,
        fix,
      ],
      [
        'an OCSP response with a wrong signature',
        { ocsp: 'WrongSignature' },
        'ocsp',
        /is not signed by the issuer or its delegate/,
        fix,
      ],
      ['an unreadable CRL', { crl: 'Garbage' }, 'crl', /The CRL cannot be read/, fix],
      ['an unreadable OCSP response', { ocsp: 'Garbage' }, 'ocsp', /The OCSP response cannot be read/, fix],
      ['an HTTP error of the server with the CRL', { crl: 'Busy' }, 'crl', /The server answered 503/, fix],
      ['an OCSP responder that is busy', { ocsp: 'Busy' }, 'ocsp', /The responder answered tryLater/, fix],
      [
        'an OCSP responder that cannot be reached',
        { ocsp: 'Unreachable' },
        'ocsp',
        /127\.0\.0\.1 \(127\.0\.0\.1\): \S+/,
        /→ Allow this machine to reach 127\.0\.0\.1:\d+ \(DNS, firewall\)\. /,
      ],
      [
        'a server that does not send the CRL in time',
        { crl: 'Silent' },
        'crl',
        /no answer within 1 s|not done within 1 s/,
        /→ Allow this machine to reach 127\.0\.0\.1:\d+ \(DNS, firewall\)\. /,
      ],
    ]
  for (const [title, behaviour, check, cause, advice] of rows)
    test(`warns with advice about ${title} while the other source works`, async () => {
      authority.setBehaviour(behaviour)
      // Only the silent server needs a short timeout.
      const output = await trusting(good, '--timeout', behaviour.crl === 'Silent' ? '1' : '30')
      const line = output.line(check, host)
      assert.match(line, cause)
      assert.match(line, advice)
      assert.match(line, /^WARN .*Until then clients can use http:\S+$/)
      assert.deepEqual([failures(output), output.status], [[], 0])
    })

  test('fails in the lines "crl" and "ocsp", and warns in "revocation", when no source works', async () => {
    authority.setBehaviour({ crl: 'Stale', ocsp: 'Unreachable' })
    const output = await trusting(good)
    for (const check of ['crl', 'ocsp'])
      assert.match(output.line(check, host), /^FAIL .*\. No other source is available$/)
    assert.match(
      output.line('revocation'),
      /^WARN .*revocation undetermined: .*; a connector with revocationCheck HardFail defers mail with 4\.7\.320 → /,
    )
    assert.equal(output.status, 1)
  })

  test('warns when the certificate names no CRL and no OCSP responder', async () => {
    const pki = await createPki()
    const file = join(folder, 'silent.pem')
    writeFileSync(file, pki.ca)
    const output = await serving(await pki.issue({ names }), '--ca', file, '--servername', host)
    assert.match(
      output.line('revocation', host),
      /^WARN .*the certificate has no HTTP URL of a CRL or OCSP responder → /,
    )
    assert.equal(output.status, 0)
  })

  test('fails when DNS does not know the name of the only OCSP responder', async () => {
    const { AuthorityInfoAccessExtension } = await import('@peculiar/x509')
    const extensions = [new AuthorityInfoAccessExtension({ ocsp: 'http://ocsp.nowhere.invalid/' })]
    const identity = await authority.intermediate.issue({ names, extensions })
    const output = await trusting(identity, '--timeout', '2')
    assert.match(
      output.line('ocsp', host),
      /^FAIL .*ocsp\.nowhere\.invalid.* → Allow this machine to reach ocsp\.nowhere\.invalid, port 80 \(DNS, firewall\)/,
    )
  })
})

describe('the check of a chain', () => {
  test('fails with an unknown root, and advises how to trust that root', async () => {
    const output = await serving(good, '--servername', host)
    assert.deepEqual(failures(output), ['root', 'trust'])
    assert.match(output.line('chain'), /^WARN|^OK/)
    assert.match(
      output.line('root'),
      /^FAIL .*"Revocation Root" is not in the trust store → .*\(--ca in this command, certificateAuthorities in the connector\)/,
    )
    assert.match(
      output.line('trust'),
      /^FAIL .*\(UNABLE_TO_GET_ISSUER_CERT_LOCALLY\); a connector with CertificateValidation defers mail with 4\.7\.320 → /,
    )
  })

  test('fails with an unknown root that the chain includes', async () => {
    const output = await serving(
      { ...good, cert: `${good.cert}\n${authority.root.ca}` },
      '--servername',
      host,
    )
    assert.deepEqual(failures(output), ['root', 'trust'])
    assert.match(output.line('chain'), /^OK .*3 certificates, complete and in order$/)
    assert.match(output.line('root'), /^FAIL .*"Revocation Root" is not in the trust store/)
    assert.match(output.line('trust'), /^FAIL .*\(SELF_SIGNED_CERT_IN_CHAIN\)/)
  })

  test('fails without the intermediate certificate, and names that certificate and its URL', async () => {
    const output = await trusting({ ...good, cert: firstOf(good.cert) })
    assert.deepEqual(failures(output), ['chain', 'trust'])
    assert.match(
      output.line('chain'),
      /^FAIL .*1 certificate; "Revocation Issuing" missing; available at http:\S+\/issuing\.cer → Append the missing certificates/,
    )
    assert.match(output.line('root'), /^OK .*"Revocation Root" is in the trust store/)
    assert.match(output.line('trust'), /^FAIL .*\(UNABLE_TO_\w+\)/)
    assert.match(output.line('crl', host), /^OK/, 'by the issuer that was fetched')
  })

  test('fails without the intermediate certificate and without its URL, and names the missing issuer', async () => {
    const pki = await createPki()
    const file = join(folder, 'bare.pem')
    writeFileSync(file, pki.ca)
    const { cert, key } = await (await pki.subordinate('Bare Issuing')).issue({ names })
    const output = await serving({ cert: firstOf(cert), key }, '--ca', file, '--servername', host)
    assert.match(
      output.line('chain'),
      /^FAIL .*"Bare Issuing", the issuer of "mx\.partner\.example", is neither included nor in the trust store → If the issuer is an intermediate authority, append/,
    )
  })

  test('passes with certificates out of order, and warns about an unnecessary certificate', async () => {
    const [leaf = '', middle = ''] = good.cert.match(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----/g) ?? []
    const shuffled = [leaf, authority.root.ca, middle].join('\n')
    const disordered = await trusting({ ...good, cert: shuffled })
    assert.deepEqual(failures(disordered), [])
    const unrelated = await createPki('Stranger')
    const idle = await trusting({ ...good, cert: [leaf, middle, unrelated.ca].join('\n') })
    assert.match(idle.line('chain'), /^WARN .*3 certificates, complete; not needed: "Stranger" → /)
  })

  test('fails when a certificate of the chain did not sign the previous one, or is no certificate authority', async () => {
    const other = await createPki()
    const [otherIssuer, alike] = await Promise.all([other.subordinate('Alike'), other.subordinate('Alike')])
    const { cert, key } = await otherIssuer.issue({ names })
    const strange = await trusting({ cert: `${firstOf(cert)}\n${firstOf(alike.ca)}`, key })
    assert.match(
      strange.line('chain'),
      /^FAIL .*"Alike" is included, but did not sign "mx\.partner\.example" → .*install the chain/,
    )
    const poser = await authority.root.subordinate('Poser', { isAuthority: false })
    const posing = await trusting(await poser.issue({ names }))
    assert.match(posing.line('chain'), /^FAIL .*"Poser" is included, but is not a certificate authority → /)
    assert.match(posing.line('root'), /^FAIL .*no root was reached/)
    assert.match(posing.line('trust'), /^FAIL /)
  })

  test('passes with a cross-certificate for older clients', async () => {
    const output = await trusting({ ...good, cert: `${good.cert}\n${await authority.root.twin()}` })
    assert.match(output.line('chain'), /^OK .*3 certificates, complete and in order$/)
    assert.match(output.line('root'), /^OK .*root\.pem/)
  })

  test('fails when the authority of --ca has expired, and names that cause', async () => {
    const expired = { notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) }
    const middle = await authority.root.subordinate('Old Anchor', expired)
    const file = join(folder, 'old-anchor.pem')
    writeFileSync(file, firstOf(middle.ca))
    const { cert, key } = await middle.issue({ names })
    const output = await serving({ cert: firstOf(cert), key }, '--ca', file, '--servername', host)
    assert.match(
      output.line('root'),
      /^FAIL .*"Old Anchor" is in the trust store \(\S+\), but expired on \S+ \S+Z → /,
    )
    assert.match(output.line('trust'), /^FAIL .*\(CERT_HAS_EXPIRED\)/)
  })

  test('warns, but does not fail, when an unnecessary certificate has expired', async () => {
    const old = await selfSigned({
      names: ['old.example'],
      notBefore: daysFromNow(-9),
      notAfter: daysFromNow(-2),
    })
    const output = await trusting({ ...good, cert: `${good.cert}\n${old.cert}` })
    assert.deepEqual([failures(output), output.status], [[], 0])
    assert.match(output.line('chain'), /^WARN .*not needed: "old\.example"/)
  })

  test('fails when the intermediate certificate has expired, from a server and from a file', async () => {
    const expired = { notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) }
    const identity = await (await authority.root.subordinate('Expired', expired)).issue({ names })
    const file = join(folder, 'expired.pem')
    writeFileSync(file, identity.cert)
    for (const output of [
      await trusting(identity),
      await runCheck('--certificate', file, '--ca', rootFile),
    ]) {
      assert.match(
        output.line('dates', 'Expired'),
        /^FAIL .*expired 2 days ago: .*newer certificate of this authority$/,
      )
      assert.match(output.line('trust'), /^FAIL .*\(CERT_HAS_EXPIRED\)/)
    }
  })

  test('fails with a self-signed certificate, and names that cause', async () => {
    const output = await serving(await selfSigned({ names }), '--servername', host)
    assert.match(output.line('root'), /^FAIL .*the certificate is self-signed → /)
    assert.match(output.line('trust'), /^FAIL .*\(DEPTH_ZERO_SELF_SIGNED_CERT\)/)
  })

  test('passes with a self-signed certificate that --ca names', async () => {
    const identity = await selfSigned({ names })
    const file = join(folder, 'own.pem')
    writeFileSync(file, identity.cert)
    const output = await serving(identity, '--ca', file, '--servername', host)
    assert.deepEqual(failures(output), [])
  })
})

describe('the check of a certificate', () => {
  test('fails with a SHA-1 signature', async () => {
    const output = await trusting(await issue({ names, hash: 'SHA-1' }))
    assert.match(
      output.line('signature', host),
      /^FAIL .*ecdsa-with-SHA1: such signatures can be forged → .*SHA-256/,
    )
    assert.match(output.line('trust'), /^FAIL .*not trusted \(the certificate is signed with SHA-1/)
  })

  test('fails with an RSA key of 1024 bits', async () => {
    const output = await trusting(await issue({ names, rsa: 1024 }))
    assert.match(output.line('key', host), /^FAIL .*RSA, 1024 bits → .*RSA key of 2048 bits or more/)
    assert.match(output.line('trust'), /^FAIL .*not trusted \(the certificate has an RSA key of 1024 bits/)
  })

  test('fails when the certificate has expired', async () => {
    const output = await trusting(
      await issue({ names, notBefore: daysFromNow(-9), notAfter: daysFromNow(-2.5) }),
    )
    assert.deepEqual(failures(output), [`dates ${host}`, 'trust'])
    assert.match(
      output.line('dates', host),
      /^FAIL .*expired 2 days ago: from \S+ \S+ until \S+ \S+ → Renew the certificate/,
    )
    assert.match(
      output.line('trust'),
      /^FAIL .*\(CERT_HAS_EXPIRED\); a connector with CertificateValidation defers mail with 4\.7\.322/,
    )
  })

  test('fails when the certificate is not valid yet', async () => {
    const output = await trusting(
      await issue({ names, notBefore: daysFromNow(2.5), notAfter: daysFromNow(90) }),
    )
    assert.deepEqual(failures(output), [`dates ${host}`, 'trust'])
    assert.match(
      output.line('dates', host),
      /^FAIL .*not valid yet, valid in 2 days: .*clocks of both machines/,
    )
    assert.match(output.line('trust'), /^FAIL .*\(CERT_NOT_YET_VALID\)/)
  })

  for (const [daysLeft, urgency] of [
    [29.5, 'within two weeks'],
    [13.5, 'now'],
    [2.5, 'today'],
  ] as const)
    test(`warns ${daysLeft} days before expiry, and advises to renew ${urgency}`, async () => {
      const output = await trusting(await issue({ names, notAfter: daysFromNow(daysLeft) }))
      const line = output.line('dates', host)
      assert.ok(line.startsWith('WARN'), line)
      assert.ok(
        line.includes(
          `, ${Math.floor(daysLeft)} days left → Renew the certificate and reload the server ${urgency}`,
        ),
        line,
      )
      assert.equal(output.status, 0)
    })

  test('fails when the certificate is for clients only', async () => {
    const output = await trusting(await issue({ names, purposes: ['clientAuth'] }))
    assert.match(output.line('purpose', host), /^FAIL .*for clients only → .*serverAuth$/)
    assert.match(output.line('trust'), /^FAIL .*\(INVALID_PURPOSE\)/)
  })
})

describe('the check of the name in a certificate', () => {
  test('fails when the certificate is for another name', async () => {
    const output = await trusting(await issue({ names: ['mx.elsewhere.example'] }))
    assert.deepEqual(failures(output), ['name'])
    assert.match(
      output.line('name'),
      /^FAIL .*for mx\.elsewhere\.example, not for mx\.partner\.example; a connector with DomainValidation defers mail with 4\.7\.325 → Get a certificate with the DNS name mx\.partner\.example/,
    )
  })

  test('compares with HOST when HOST is a name', async () => {
    const partner = await startPartner({ tls: good })
    const output = await runCheck(`localhost:${partner.port}`, '--ca', rootFile)
    await partner.stop()
    assert.match(output.line('name'), /^FAIL .*for mx\.partner\.example, not for localhost/)
  })

  test('warns that it compared nothing when HOST is an IP address and --servername is not given', async () => {
    const output = await serving(good, '--ca', rootFile)
    assert.match(output.line('name'), /^WARN .*for mx\.partner\.example; not compared.* → .*--servername/)
    assert.equal(output.status, 0)
  })

  test('warns when the certificate has the name only as its common name', async () => {
    const output = await trusting(await issue({ names: [], commonName: host }))
    assert.match(output.line('name'), /^WARN .*only as the common name → /)
  })
})

describe('the check of a certificate in a file', () => {
  const written = (name: string, pem: string): string => {
    const file = join(folder, name)
    writeFileSync(file, pem)
    return file
  }

  test('works without a server', async () => {
    const file = written('good.pem', good.cert)
    const output = await runCheck('--certificate', file, '--ca', rootFile, '--servername', host)
    assert.deepEqual([failures(output), output.status], [[], 0])
    assert.deepEqual(output.lines('connection'), [])
    assert.match(output.line('trust'), /^OK .*the chain is trusted$/)
    assert.match(output.line('name'), /^OK .*for mx\.partner\.example$/)
    assert.match(output.line('crl', host), /^OK /)
  })

  test('accepts a file that also contains the private key, and does not print that key', async () => {
    const file = written('both.pem', `${good.key}\n${good.cert}`)
    const { out, status } = await runCheck('--certificate', file, '--ca', rootFile, '--json')
    assert.equal(status, 0)
    assert.ok(!out.includes(good.key.split('\n')[1] ?? ''))
  })

  test('accepts DER, and PEM on standard input', async () => {
    const der = join(folder, 'leaf.der')
    writeFileSync(der, Buffer.from(firstOf(good.cert).replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'))
    const output = await runCheck('--certificate', der, '--ca', rootFile)
    assert.match(output.line('chain'), /^FAIL .*1 certificate; "Revocation Issuing" missing/)
    const piped = await runCheckWith({ input: good.cert }, '--certificate', '-', '--ca', rootFile)
    assert.match(piped.line('chain'), /^OK .*2 certificates/)
    assert.match(piped.line('name'), /^OK .*not compared because --servername was not given$/)
  })

  for (const [title, options, check, expected] of [
    [
      'expired',
      { notBefore: daysFromNow(-9), notAfter: daysFromNow(-2) },
      'trust',
      /^FAIL .*\(CERT_HAS_EXPIRED\)/,
    ],
    [
      'not yet valid',
      { notBefore: daysFromNow(2), notAfter: daysFromNow(9) },
      'trust',
      /^FAIL .*\(CERT_NOT_YET_VALID\)/,
    ],
    ['weak: its RSA key has 1024 bits', { rsa: 1024 }, 'key', /^FAIL .*RSA, 1024 bits/],
  ] as [string, Partial<LeafOptions>, string, RegExp][])
    test(`fails with a certificate that is ${title}`, async () => {
      const file = written('bad.pem', (await issue({ names, ...options })).cert)
      const output = await runCheck('--certificate', file, '--ca', rootFile)
      assert.match(output.line(check, check === 'key' ? host : undefined), expected)
      assert.equal(output.status, 1)
    })

  test('fails with an unknown key type, with unreadable dates, and with a wildcard in part of a label', async () => {
    const unknown = await runCheck('--certificate', written('key.pem', withUnknownKey(firstOf(good.cert))))
    assert.match(unknown.line('key', host), /^FAIL .*of a type that OpenSSL does not know → /)
    const undated = await runCheck('--certificate', written('undated.pem', withoutDates(firstOf(good.cert))))
    assert.match(undated.line('dates', host), /^FAIL .*the dates cannot be read → /)
    assert.match(undated.line('trust'), /^FAIL .*\(ERROR_IN_CERT_NOT_BEFORE_FIELD\)/)
    const odd = await issue({ names: ['m*.partner.example', 'x\u0000.example'] })
    const named = await runCheck('--certificate', written('odd.pem', odd.cert), '--servername', host)
    assert.match(
      named.line('name'),
      /^FAIL .*for m\*\.partner\.example, \S+, not for mx\.partner\.example → /,
    )
  })

  test('warns, but does not fail, when the certificate is for clients only', async () => {
    const client = await issue({ names, purposes: ['clientAuth'] })
    const output = await runCheck('--certificate', written('client.pem', client.cert), '--ca', rootFile)
    assert.match(output.line('purpose', host), /^WARN .*for clients only → /)
    assert.equal(output.status, 0)
  })

  test('rejects a file with more than 20 certificates', async () => {
    const file = written('bundle.pem', Array(21).fill(authority.root.ca).join('\n'))
    const { status, err } = await runCheck('--certificate', file)
    assert.deepEqual(
      [status, /contains 21 certificates; give one chain, leaf first, of at most 20/.test(err)],
      [1, true],
    )
  })

  test('ends with an error that names the file when it is missing or has no readable certificate', async () => {
    const file = written('none.pem', 'no certificate\n')
    const { status, out, err } = await runCheck('--certificate', file)
    assert.deepEqual([status, out, err], [1, '', `mailflow: ${file} contains no PEM or DER certificate\n`])
    const broken = written('broken.pem', good.cert.replace(/MII/, 'AAA'))
    assert.match((await runCheck('--certificate', broken)).err, /cannot read PEM certificate 1\n$/)
    assert.match(
      (await runCheck('127.0.0.1', '--ca', '/nowhere.pem')).err,
      /cannot read \/nowhere\.pem: no such file/,
    )
  })
})
