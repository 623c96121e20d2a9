/**
 * A root and an authority below it. Both serve a CRL and an OCSP responder over HTTP on a port of the loopback
 * interface, and can be made to misbehave.
 */
import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { OCSPRequest, OCSPResponseStatus } from '@peculiar/asn1-ocsp'
import { AsnConvert } from '@peculiar/asn1-schema'
import { AuthorityInfoAccessExtension, CRLDistributionPointsExtension, type Extension } from '@peculiar/x509'
import { readCertificateParts } from '../../shared/tls/certificate-parts.ts'
import { listen } from './listen.ts'
import { createPki, daysFromNow, type Identity, type LeafOptions, type Pki } from './pki.ts'
import {
  createCrl,
  createOcspResponse,
  ocspResponse,
  type RevokedCertificateInput,
} from './revocation-documents.ts'
import { within } from './within.ts'

export type Behaviour =
  | 'Honest'
  /** OCSP only: the response is signed with a certificate that the authority issued for this purpose. */
  | 'Delegated'
  /** The document expired yesterday. */
  | 'Stale'
  /** The document is signed by another authority with the same name. */
  | 'WrongSignature'
  | 'Garbage'
  /** Sends no response until `release` is called. */
  | 'Silent'
  /** Ends each connection. */
  | 'Unreachable'
  /** Responds with HTTP 503 or OCSP's tryLater. */
  | 'Busy'

export interface RevocationAuthority {
  root: Pki
  /** The intermediate authority, which issues the certificates of `issue`. */
  intermediate: Pki
  /**
   * The certificate contains the addresses of this authority's CRL and OCSP responder. `cert` has leaf and
   * intermediate.
   */
  issue(options: LeafOptions): Promise<Identity>
  /** @param pem its first certificate is revoked */
  revoke(pem: string, how?: Omit<RevokedCertificateInput, 'certificate'>): void
  /** Removes the revocation. */
  unrevoke(pem: string): void
  /** `crl` sets the behaviour of both authorities' CRLs, `ocsp` that of both OCSP responders. */
  setBehaviour(how: { crl?: Behaviour; ocsp?: Behaviour }): void
  /** Sends the correct response to every request that waits. */
  release(): void
  /** Requests, such as `GET /issuing.crl` and `POST /issuing/ocsp`. */
  requests: string[]
  /** `http://127.0.0.1:port` */
  origin: string
  /** The servers' network, for code that otherwise connects only to public addresses. */
  networks: string[]
  /** Resolves when this number of requests has arrived. Fails when none arrives for four seconds. */
  requested(count: number): Promise<void>
  stop(): Promise<void>
}

export interface RevocationAuthorityOptions {
  /** The addresses in certificates; by default `crl` and `ocsp`. `issuer`: the address of the issuer's certificate. */
  publish?: { crl?: boolean; ocsp?: boolean; issuer?: boolean }
}

interface Issuer {
  pki: Pki
  /** An authority of the same name with another key. */
  impostor: Pki
  /** The certificates that the authority issued. */
  issued: string[]
}

export async function startRevocationAuthority({
  publish = {},
}: RevocationAuthorityOptions = {}): Promise<RevocationAuthority> {
  const requests: string[] = []
  const revoked: RevokedCertificateInput[] = []
  const behaviour: { crl: Behaviour; ocsp: Behaviour } = { crl: 'Honest', ocsp: 'Honest' }
  const issuers = new Map<string, Issuer>()
  let released = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    serve(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  const { url: origin, stop } = await listen(server)

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, name = '', what] = /^\/(\w+)(\.crl|\.cer|\/ocsp)$/.exec(request.url ?? '') ?? []
    const issuer = issuers.get(name)
    if (!issuer) return void response.writeHead(404).end()
    if (what === '.cer') return void response.end(new X509Certificate(issuer.pki.ca).raw)
    const how = await waitIfSilent(what === '.crl' ? behaviour.crl : behaviour.ocsp)
    if (how === 'Unreachable') return void request.socket.destroy()
    if (how === 'Garbage') return void response.end('<html>It works!</html>')
    if (what === '.crl' && how === 'Busy') return void response.writeHead(503).end()
    response.end(await (what === '.crl' ? listOf(issuer, how) : answerOf(issuer, how, request)))
  }

  const waitIfSilent = async (how: Behaviour): Promise<Behaviour> => {
    if (how === 'Silent') await released.promise
    return how === 'Silent' ? 'Honest' : how
  }

  const listOf = ({ pki, impostor }: Issuer, how: Behaviour): Promise<Buffer> =>
    createCrl(pki, {
      revoked,
      ...datesOf(how),
      ...(how === 'WrongSignature' ? { signedBy: impostor } : {}),
    })

  async function answerOf({ pki, impostor, issued }: Issuer, how: Behaviour, request: IncomingMessage) {
    if (how === 'Busy') return ocspResponse(OCSPResponseStatus.tryLater)
    const serial = serialIn(Buffer.concat(await request.toArray()))
    const certificate = issued.find((pem) => serialOf(pem) === serial)
    if (certificate === undefined) return ocspResponse(OCSPResponseStatus.unauthorized)
    const entry = revoked.find((each) => serialOf(each.certificate) === serial)
    const signedBy =
      how === 'WrongSignature' ? impostor : how === 'Delegated' ? await delegateOf(pki) : undefined
    return createOcspResponse(pki, {
      certificate,
      status: entry ? 'revoked' : 'good',
      ...(entry?.at ? { revokedAt: entry.at } : {}),
      ...(entry?.reason === undefined ? {} : { reason: entry.reason }),
      ...datesOf(how),
      ...(signedBy ? { signedBy: { sign: signedBy.sign, certificate: signedBy.ca } } : {}),
    })
  }

  const root = await createPki('Revocation Root')
  issuers.set('root', { pki: root, impostor: await createPki('Revocation Root'), issued: [] })
  const intermediate = await root.subordinate('Revocation Issuing', {
    extensions: extensionsOf(`${origin}/root`, publish),
  })
  issuers.get('root')?.issued.push(intermediate.ca)
  const issuing: Issuer = {
    pki: intermediate,
    impostor: await root.subordinate('Revocation Issuing'),
    issued: [],
  }
  issuers.set('issuing', issuing)

  return {
    root,
    intermediate,
    requests,
    origin,
    networks: ['127.0.0.0/8'],
    async issue(options) {
      const identity = await intermediate.issue({
        ...options,
        extensions: [...extensionsOf(`${origin}/issuing`, publish), ...(options.extensions ?? [])],
      })
      issuing.issued.push(identity.cert)
      return identity
    },
    revoke(certificate, how = {}) {
      revoked.push({ certificate, ...how })
    },
    unrevoke(certificate) {
      revoked.splice(0, Infinity, ...revoked.filter((each) => each.certificate !== certificate))
    },
    setBehaviour(how) {
      Object.assign(behaviour, how)
    },
    release() {
      released.resolve()
      released = Promise.withResolvers<void>()
    },
    async requested(count) {
      while (requests.length < count)
        await within(4_000, once(server, 'request'), `request ${requests.length + 1}`)
    },
    stop,
  }
}

function extensionsOf(
  at: string,
  { crl = true, ocsp = true, issuer = false }: NonNullable<RevocationAuthorityOptions['publish']>,
): Extension[] {
  const access = { ...(ocsp && { ocsp: `${at}/ocsp` }), ...(issuer && { caIssuers: `${at}.cer` }) }
  return [
    ...(crl ? [new CRLDistributionPointsExtension([`${at}.crl`])] : []),
    ...(ocsp || issuer ? [new AuthorityInfoAccessExtension(access)] : []),
  ]
}

const datesOf = (how: Behaviour) =>
  how === 'Stale' ? { thisUpdate: daysFromNow(-8), nextUpdate: daysFromNow(-1) } : {}

const delegateOf = (pki: Pki): Promise<Pki> =>
  pki.subordinate('OCSP responder', { isAuthority: false, purposes: ['ocspSigning'] })

function serialIn(request: Buffer): string {
  const { requestList } = AsnConvert.parse(request, OCSPRequest).tbsRequest
  return Buffer.from(requestList[0]?.reqCert.serialNumber ?? new ArrayBuffer(0)).toString('hex')
}

const serialOf = (pem: string): string =>
  readCertificateParts(new X509Certificate(pem)).serial.toString('hex')
