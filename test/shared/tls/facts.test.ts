import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { SMTPServer } from 'smtp-server'
import { TlsFacts } from '../../../shared/contract/message.ts'
import { chainFault } from '../../../shared/tls/chain.ts'
import {
  type HandshakeView,
  hasForwardSecrecy,
  predictCertificateFacts,
  readTlsFacts,
} from '../../../shared/tls/facts.ts'
import { dnsNames } from '../../../shared/tls/names.ts'
import { mailPurposes } from '../../../shared/tls/purpose.ts'
import { serverTlsOptions } from '../../../shared/tls/server-options.ts'
import { Wire } from '../../support/ingress/ingress.ts'
import {
  type AuthorityOptions,
  createPki,
  daysFromNow,
  type Identity,
  type LeafOptions,
  type Purpose,
  selfSigned,
} from '../../support/pki.ts'
import { within } from '../../support/within.ts'

const pki = await createPki()
const trust = { publicRoots: [pki.ca], at: new Date() }
const { key, cert } = await selfSigned({ names: ['mx.ours.example'] })

/** Serves STARTTLS like the ingress, with the test's authority as public root, to read the facts. */
const handshakes = new EventEmitter<{ facts: [TlsFacts] }>()
const server = new SMTPServer({
  ...serverTlsOptions(key, cert),
  ca: pki.ca,
  onSecure: (socket, _session, answer) => {
    handshakes.emit('facts', readTlsFacts(socket as TLSSocket, trust))
    answer()
  },
})
server.on('error', () => {})
server.listen(0, '127.0.0.1')
await once(server.server, 'listening')
after(() => server.server.close())

async function factsFor(client: Partial<Identity>): Promise<TlsFacts> {
  const { port } = server.server.address() as AddressInfo
  const nextFacts = once(handshakes, 'facts')
  const wire = await Wire.greet(port)
  await wire.command('STARTTLS')
  await wire.secure({ servername: 'mx.ours.example', ...client })
  const [facts] = await within(10_000, nextFacts, 'the facts')
  wire.destroy()
  return TlsFacts.parse(facts)
}

test('the facts of a session whose client presents no certificate have clientCertificate null', async () => {
  assert.deepEqual(await factsFor({}), {
    negotiated: true,
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    group: null,
    forwardSecrecy: true,
    serverName: 'mx.ours.example',
    clientCertificate: null,
  })
})

test("the facts of a session have the client certificate's fields and its chain", async () => {
  const leaf = await pki.issue({
    names: ['mail.contoso.example', '*.contoso.example'],
    commonName: 'contoso',
  })
  const x509 = new X509Certificate(leaf.cert)
  const { clientCertificate } = await factsFor({ ...leaf, cert: `${leaf.cert}\n${pki.ca}` })
  assert.deepEqual(clientCertificate, {
    subject: 'CN=contoso',
    commonName: 'contoso',
    subjectAltNames: ['mail.contoso.example', '*.contoso.example'],
    issuer: 'CN=Test CA',
    serial: x509.serialNumber,
    fingerprint256: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: x509.validFromDate.toISOString(),
    notAfter: x509.validToDate.toISOString(),
    trusted: true,
    trustError: null,
    clientAuth: true,
    chain: [x509.raw.toString('base64'), new X509Certificate(pki.ca).raw.toString('base64')],
  })
})

test("if OpenSSL reports another fault first, the facts have the leaf's own purpose as clientAuth", async () => {
  const ownAuthority = await createPki('Own CA')
  const forServers = await ownAuthority.subordinate('Server CA', { purposes: ['serverAuth'] })
  const { cert, key } = await forServers.issue({
    names: ['a.example'],
    purposes: ['clientAuth', 'serverAuth'],
  })
  const { ca: lookAlike } = await createPki('Own CA')
  const { clientCertificate } = await factsFor({ key, cert: `${cert}\n${lookAlike}` })
  assert.deepEqual(
    [clientCertificate?.trusted, clientCertificate?.trustError, clientCertificate?.clientAuth],
    [false, 'CERT_SIGNATURE_FAILURE', true],
  )
  const chain = clientCertificate?.chain ?? []
  assert.equal(chainFault(mailPurposes, chain, [ownAuthority.ca], new Date()), null)
  assert.notEqual(chainFault(['Client'], chain, [ownAuthority.ca], new Date()), null)
})

const commonNames: [name: string, options: LeafOptions, commonName: string | null][] = [
  ['has no alternative names', { names: [], commonName: 'mail.contoso.example' }, 'mail.contoso.example'],
  [
    'has another name as alternative name',
    { names: ['a.example'], commonName: 'mail.contoso.example' },
    'mail.contoso.example',
  ],
  [
    'is for signed mail, with a host name as common name,',
    { names: [], email: 'eve@fabrikam.example', commonName: 'mail.contoso.example' },
    null,
  ],
]

for (const [name, options, commonName] of commonNames)
  test(`the facts of a client certificate that ${name} have the common name ${commonName}`, async () => {
    const { clientCertificate } = await factsFor(await pki.issue(options))
    assert.deepEqual([clientCertificate?.trusted, clientCertificate?.commonName], [true, commonName])
  })

const untrustedClients: [name: string, client: () => Promise<Identity>, fault: string][] = [
  ['self-signed', () => selfSigned({ names: ['a.example'] }), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['expired', () => pki.issue({ names: ['a.example'], notAfter: daysFromNow(-0.5) }), 'CERT_HAS_EXPIRED'],
  [
    'not yet valid',
    () => pki.issue({ names: ['a.example'], notBefore: daysFromNow(1) }),
    'CERT_NOT_YET_VALID',
  ],
  [
    'of another authority',
    async () => (await createPki('Another CA')).issue({ names: ['a.example'] }),
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
  [
    'of another authority, with an intermediate',
    async () => (await (await createPki('Another CA')).subordinate('Below')).issue({ names: ['a.example'] }),
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  ],
  [
    'of another authority, with its root',
    async () => {
      const another = await createPki('Another CA')
      const { cert, key } = await another.issue({ names: ['a.example'] })
      return { cert: `${cert}\n${another.ca}`, key }
    },
    'SELF_SIGNED_CERT_IN_CHAIN',
  ],
  [
    'of another authority, with an unrelated certificate',
    async () => {
      const { cert, key } = await (await createPki('Another CA')).issue({ names: ['a.example'] })
      return { cert: `${cert}\n${(await createPki('A third CA')).ca}`, key }
    },
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
]

for (const [name, client, fault] of untrustedClients)
  test(`a client certificate that is ${name} has trustError ${fault}, as predictCertificateFacts says`, async () => {
    const identity = await client()
    const { clientCertificate } = await factsFor(identity)
    assert.deepEqual([clientCertificate?.trusted, clientCertificate?.trustError], [false, fault])
    const { trusted, trustError } = predictCertificateFacts(chainOf(identity), trust)
    assert.deepEqual([trusted, trustError], [false, fault])
  })

function chainOf({ cert }: Identity): [X509Certificate, ...X509Certificate[]] {
  const [leaf = '', ...others] = cert.split(/(?=-----BEGIN)/)
  return [new X509Certificate(leaf), ...others.map((pem) => new X509Certificate(pem))]
}

interface PurposeCase {
  name: string
  client: () => Promise<Identity>
  trusted: boolean
  clientAuth: boolean
}

const names = ['mail.contoso.example']
const belowAuthority = async (options: AuthorityOptions, leaf: Purpose[] = ['serverAuth']) =>
  (await pki.subordinate('Intermediate', options)).issue({ names, purposes: leaf })

const purposes: PurposeCase[] = [
  {
    name: 'for clients only',
    client: () => pki.issue({ names, purposes: ['clientAuth'] }),
    trusted: true,
    clientAuth: true,
  },
  {
    name: 'for servers and clients',
    client: () => pki.issue({ names, purposes: ['serverAuth', 'clientAuth'] }),
    trusted: true,
    clientAuth: true,
  },
  {
    name: 'for servers only',
    client: () => pki.issue({ names, purposes: ['serverAuth'] }),
    trusted: true,
    clientAuth: false,
  },
  {
    name: 'for signed mail only',
    client: () => pki.issue({ names, purposes: ['emailProtection'] }),
    trusted: false,
    clientAuth: false,
  },
  {
    name: 'for servers, of an intermediate for servers',
    client: () => belowAuthority({ purposes: ['serverAuth'] }),
    trusted: true,
    clientAuth: false,
  },
  {
    name: 'for anything, of an intermediate for servers',
    client: async () =>
      (await pki.subordinate('Intermediate', { purposes: ['serverAuth'] })).issue({ names }),
    trusted: true,
    clientAuth: false,
  },
  {
    name: 'for servers, of an intermediate for signed mail',
    client: () => belowAuthority({ purposes: ['emailProtection'] }),
    trusted: false,
    clientAuth: false,
  },
  {
    name: 'for servers, of an intermediate for clients',
    client: () => belowAuthority({ purposes: ['clientAuth'] }),
    trusted: false,
    clientAuth: false,
  },
  {
    name: 'for servers, of an unknown authority',
    client: async () => (await createPki('Another CA')).issue({ names, purposes: ['serverAuth'] }),
    trusted: false,
    clientAuth: false,
  },
  {
    name: 'for servers, self-signed',
    client: () => selfSigned({ names, purposes: ['serverAuth'] }),
    trusted: false,
    clientAuth: false,
  },
  {
    name: 'for servers, expired',
    client: () => pki.issue({ names, purposes: ['serverAuth'], notAfter: daysFromNow(-0.5) }),
    trusted: false,
    clientAuth: false,
  },
  {
    name: "for servers, issued by another server's certificate",
    client: () => belowAuthority({ isAuthority: false }),
    trusted: false,
    clientAuth: false,
  },
  {
    name: "for servers, of an authority that may not issue for the certificate's name",
    client: async () =>
      (await pki.subordinate('Constrained', { permitted: 'fabrikam.example' })).issue({
        names,
        purposes: ['serverAuth'],
      }),
    trusted: false,
    clientAuth: false,
  },
  {
    name: "for servers, of an authority that may issue for the certificate's name",
    client: async () =>
      (await pki.subordinate('Constrained', { permitted: 'contoso.example' })).issue({
        names,
        purposes: ['serverAuth'],
      }),
    trusted: true,
    clientAuth: false,
  },
  {
    name: "for servers, of an authority that may not issue for the certificate's name, presented with an unconstrained twin",
    client: async () => {
      const constrained = await pki.subordinate('Constrained', { permitted: 'fabrikam.example' })
      const { cert, key } = await constrained.issue({ names, purposes: ['serverAuth'] })
      const [leaf, ...others] = cert.split(/(?=-----BEGIN)/)
      return { key, cert: [leaf, await constrained.twin(), ...others].join('\n') }
    },
    trusted: false,
    clientAuth: false,
  },
  {
    name: 'for servers, presented with its authority twice',
    client: async () => {
      const { cert, key } = await (await pki.subordinate('Twice')).issue({ names, purposes: ['serverAuth'] })
      const [, authority] = cert.split(/(?=-----BEGIN)/)
      return { key, cert: `${cert}\n${authority}` }
    },
    trusted: true,
    clientAuth: false,
  },
  {
    name: 'for servers, below an authority for servers whose path length it exceeds,',
    client: async () => {
      const forServers = { purposes: ['serverAuth'] } satisfies AuthorityOptions
      const upper = await pki.subordinate('Upper', forServers)
      const last = await upper.subordinate('Last', { ...forServers, pathLength: 0 })
      return (await last.subordinate('One too many')).issue({ names, purposes: ['serverAuth'] })
    },
    trusted: false,
    clientAuth: false,
  },
  {
    name: 'for servers, below an authority whose path length it exceeds,',
    client: async () =>
      (await (await pki.subordinate('Last', { pathLength: 0 })).subordinate('One too many')).issue({
        names,
        purposes: ['serverAuth'],
      }),
    trusted: false,
    clientAuth: false,
  },
]

for (const { name, client, trusted, clientAuth } of purposes)
  test(`a client certificate ${name} is ${trusted ? '' : 'not '}trusted, as predictCertificateFacts says`, async () => {
    const identity = await client()
    const { clientCertificate } = await factsFor(identity)
    assert.deepEqual([clientCertificate?.trusted, clientCertificate?.trustError === null], [trusted, trusted])
    if (trusted) assert.equal(clientCertificate?.clientAuth, clientAuth)
    const predicted = predictCertificateFacts(chainOf(identity), trust)
    assert.deepEqual([predicted.trusted, predicted.trustError === null], [trusted, trusted])
    assert.equal(predicted.clientAuth, clientCertificate?.clientAuth)
  })

test('the facts have only the first hundred names of a client certificate', async () => {
  const names = Array.from(
    { length: 150 },
    (_, index) => `${'x'.repeat(60)}.${'y'.repeat(60)}.n${index}.example`,
  )
  const { clientCertificate } = await factsFor(await pki.issue({ names }))
  assert.deepEqual(clientCertificate?.subjectAltNames, names.slice(0, 100))
})

/** A socket with a certificate that a real handshake would hardly produce. */
function socketWith(certificate: Partial<X509Certificate>): HandshakeView {
  return {
    getProtocol: () => 'TLSv1.3',
    getCipher: () => ({ name: 'x', standardName: 'TLS_AES_128_GCM_SHA256', version: 'TLSv1.3' }),
    getPeerX509Certificate: () => certificate as X509Certificate,
    authorized: false,
    authorizationError: new Error('UNABLE_TO_VERIFY'),
  }
}

const readableCertificate = new X509Certificate(cert)
const readableFields = {
  subject: readableCertificate.subject,
  issuer: readableCertificate.issuer,
  serialNumber: readableCertificate.serialNumber,
  fingerprint256: readableCertificate.fingerprint256,
  validFrom: readableCertificate.validFrom,
  validFromDate: readableCertificate.validFromDate,
  validTo: readableCertificate.validTo,
  validToDate: readableCertificate.validToDate,
}

const chains: [name: string, length: number, octets: number, kept: number][] = [
  ['the facts have a chain of six certificates completely', 6, 1000, 6],
  ['the facts have the first six certificates of a longer chain', 9, 1000, 6],
  ['the facts have no chain when it is larger than 24 KiB', 3, 10_000, 0],
]

for (const [name, length, octets, expectedLength] of chains)
  test(name, () => {
    let certificate: Partial<X509Certificate> | undefined
    for (let each = 0; each < length; each++)
      certificate = {
        ...readableFields,
        raw: Buffer.alloc(octets),
        ...(certificate ? { issuerCertificate: certificate as X509Certificate } : {}),
      }
    assert.equal(
      readTlsFacts(socketWith(certificate ?? {}), trust).clientCertificate?.chain.length,
      expectedLength,
    )
  })

const unreadable: [name: string, fields: Partial<X509Certificate>][] = [
  ['a client certificate with an unreadable date', { validToDate: new Date(Number.NaN) }],
  [
    'a client certificate with an invalid date, for which Node returns any date,',
    { validTo: 'Bad time value', validToDate: new Date() },
  ],
]

for (const [name, fields] of unreadable)
  test(`${name} is treated as no certificate`, () => {
    const unreadableCertificate = { ...readableFields, raw: Buffer.alloc(1), ...fields }
    const { negotiated, clientCertificate } = readTlsFacts(socketWith(unreadableCertificate), trust)
    assert.deepEqual([negotiated, clientCertificate], [true, null])
  })

const alternatives: [rendered: string, names: string[]][] = [
  ['DNS:a.example, DNS:*.b.example', ['a.example', '*.b.example']],
  ['IP Address:192.0.2.1, DNS:a.example, URI:https://b.example/', ['a.example']],
  ['DNS:"a.example, DNS:victim.example"', ['"a.example, DNS:victim.example"']],
  ['URI:"https://a.example/, DNS:victim.example", DNS:b.example', ['b.example']],
  ['DNS:"a\\", DNS:victim.example", DNS:b.example', ['"a\\", DNS:victim.example"', 'b.example']],
  ['', []],
]

for (const [rendered, names] of alternatives)
  test(`dnsNames reads from «${rendered}» the names ${JSON.stringify(names)}`, () =>
    assert.deepEqual(dnsNames(rendered), names))

const suites: [suite: string, forwardSecrecy: boolean][] = [
  ['TLS_AES_256_GCM_SHA384', true],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', true],
  ['TLS_DHE_RSA_WITH_AES_256_GCM_SHA384', true],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', false],
  ['TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256', false],
]

for (const [suite, forwardSecrecy] of suites)
  test(`the cipher suite ${suite} has ${forwardSecrecy ? '' : 'no '}forward secrecy`, () =>
    assert.equal(hasForwardSecrecy(suite), forwardSecrecy))
