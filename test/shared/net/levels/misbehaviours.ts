/** The hostile server's conduct for each misbehaviour in expected.ts. A reaction of null is silence. */
import type { SecureContextOptions } from 'node:tls'
import type { CertificateName } from '../../../support/hostile-certificates.ts'
import { ehloReply, type Peer, readyForTls, type ServerScript } from '../../../support/hostile-server.ts'
import type { MisbehaviourName } from './expected.ts'

export interface Misbehaviour {
  /** Returns the script of a connection, by its number from 1. */
  conduct?: (connection: number) => ServerScript
  certificate?: CertificateName
  tls?: Omit<SecureContextOptions, 'cert' | 'key'>
  /** The client waits until its timeout. */
  stalls?: boolean
}

const always = (conduct: ServerScript): Misbehaviour => ({ conduct: () => conduct })
/** Misbehaves on the first connection and serves later connections correctly. */
const onFirstConnection = (conduct: ServerScript): Misbehaviour => ({
  conduct: (number) => (number === 1 ? conduct : {}),
})
const refusing = (startTls: string): Misbehaviour => always({ startTls })
const presenting = (certificate: CertificateName): Misbehaviour => ({ certificate })

/** An alert record (21) of TLS 1.2 with two octets: level fatal (2) and the description (RFC 8446 §6). */
const alert = (description: number) => Buffer.from([21, 3, 3, 0, 2, 2, description])
const alerting = (description: number): Misbehaviour =>
  always({
    startTls: async (peer) => {
      await peer.acceptStartTls()
      peer.writeInTheClear(alert(description))
      peer.close()
    },
  })

/** Replies 220 to STARTTLS, then misbehaves. */
const afterReady =
  (act: (peer: Peer) => void | Promise<void>) =>
  async (peer: Peer): Promise<void> => {
    await peer.acceptStartTls()
    await act(peer)
  }

const injecting = (octets: string): Misbehaviour =>
  always({ startTls: (peer) => peer.startTls(`${readyForTls}${octets}`) })

/** Lets the server use what OpenSSL's default security level refuses: TLS 1.1, 1024-bit keys. */
const withoutSecurityLevel = { ciphers: 'DEFAULT:@SECLEVEL=0' } as const
const old = { ...withoutSecurityLevel, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const
const tls12 = { maxVersion: 'TLSv1.2' } as const

export const misbehaviours: Record<MisbehaviourName, Misbehaviour> = {
  'does nothing wrong': {},

  'offers no STARTTLS': always({ keywords: ['8BITMIME'], startTls: '502 5.5.1 Not implemented' }),
  'has STARTTLS overwritten on the way': always({
    keywords: ['8BITMIME', 'XXXXXXXA'],
    startTls: '500 5.5.2 Syntax error',
  }),
  'supports STARTTLS without offering it': always({ keywords: ['8BITMIME'] }),
  'does not support EHLO': always({
    ehlo: '502 5.5.1 Not implemented',
    startTls: '502 5.5.1 Not implemented',
  }),
  'answers STARTTLS with 250': always({
    startTls: async (peer) => {
      await peer.acceptStartTls('250 2.0.0 OK\r\n')
      peer.reply('500 5.5.2 Syntax error')
    },
  }),
  'answers STARTTLS with 354': refusing('354 go on'),
  'answers STARTTLS with 421': always({
    startTls: (peer) => {
      peer.reply('421 4.3.2 Closing')
      peer.close()
    },
  }),
  'answers STARTTLS with 454': refusing('454 4.7.0 TLS not available'),
  'answers STARTTLS with 500': refusing('500 5.5.2 Syntax error'),
  'answers STARTTLS with 501': refusing('501 5.5.4 No parameters'),
  'answers STARTTLS with 502': refusing('502 5.5.1 Not implemented'),
  'answers STARTTLS with 503': refusing('503 5.5.1 Bad sequence'),
  'answers STARTTLS with 554': refusing('554 5.7.0 No'),
  'answers STARTTLS with garbage': refusing('\0\xff\x16\x03\x01 TLS?'),
  'answers STARTTLS with a flood': onFirstConnection({ startTls: (peer) => peer.flood('220-Ready\r\n') }),
  'stalls at STARTTLS': { ...onFirstConnection({ startTls: null }), stalls: true },
  'closes at STARTTLS': onFirstConnection({ startTls: (peer) => peer.close() }),
  'resets at STARTTLS': onFirstConnection({ startTls: (peer) => peer.reset() }),
  'answers STARTTLS before the command': onFirstConnection({
    ehlo: (peer) => peer.reply(`${ehloReply(['STARTTLS'])}\r\n220 2.0.0 Ready to start TLS`),
  }),
  'writes starttls in lower case': always({ keywords: ['8bitmime', 'starttls'] }),
  'sends 220 in pieces': always({
    startTls: async (peer) => {
      await peer.writeApart('2', '20-Rea', 'dy\r', '\n220', ' to start TLS\r')
      peer.startTls('\n')
    },
  }),
  'injects a reply to EHLO after 220': injecting(`${ehloReply(['SIZE 1', 'STARTTLS'])}\r\n`),
  'injects acceptances after 220': injecting('250 2.1.0 OK\r\n'.repeat(6)),
  'injects a refusal after 220': injecting('554 5.7.1 Go away\r\n'),
  'injects half a line after 220': injecting('250-SIZE 1'),

  'closes in the handshake': always({ startTls: afterReady((peer) => peer.close()) }),
  'resets in the handshake': always({ startTls: afterReady((peer) => peer.reset()) }),
  'stalls in the handshake': { ...always({ startTls: afterReady(() => {}) }), stalls: true },
  'trickles in the handshake': {
    ...always({
      // A handshake record (22) of TLS 1.2 that announces 65535 octets, with the start of a ServerHello (2).
      startTls: afterReady((peer) => peer.trickle(Buffer.from([22, 3, 3, 0xff, 0xff, 2, 0, 0xff]))),
    }),
    stalls: true,
  },
  'answers the handshake in the clear': always({
    startTls: afterReady((peer) => {
      peer.reply('500 5.5.2 Syntax error')
      peer.close()
    }),
  }),
  'alerts handshake_failure': alerting(40),
  'alerts bad_certificate': alerting(42),
  'alerts protocol_version': alerting(70),
  'has TLS 1.1 at most': { tls: old },
  'has TLS 1.2 at most': { tls: tls12 },
  'shares no cipher suite': { tls: { ...tls12, ciphers: 'ECDHE-ECDSA-AES128-SHA256' } },
  'requires a client certificate': always({ requiresClientCertificate: true }),
  'requires a client certificate in TLS 1.2': { ...always({ requiresClientCertificate: true }), tls: tls12 },
  'breaks TLS at first, then offers none': {
    conduct: (number) =>
      number === 1
        ? { startTls: afterReady((peer) => peer.reset()) }
        : { keywords: ['8BITMIME'], startTls: '502 5.5.1 Not implemented' },
  },
  'breaks TLS at first, then requires it': {
    conduct: (number) =>
      number === 1
        ? { startTls: afterReady((peer) => peer.reset()) }
        : { mail: '530 5.7.0 Must issue a STARTTLS command first' },
  },

  'is self-signed': presenting('selfSigned'),
  'is of an unknown CA': presenting('unrelated'),
  'is expired': presenting('expired'),
  'is not valid yet': presenting('notYetValid'),
  'is for another name': presenting('otherName'),
  'is for another name, with the right one in the CN': presenting('otherNameBesideCommonName'),
  'has its name in the CN only': presenting('commonNameOnly'),
  'is for *.partner.example': presenting('wildcard'),
  'is for *.example': presenting('wildcardAbove'),
  'is for *.mx.partner.example': presenting('wildcardBelow'),
  'is for m*.partner.example': presenting('wildcardWithin'),
  'has a NUL in its name': presenting('nameWithNul'),
  'has the name after a comma in another': presenting('nameWithComma'),
  'is followed by sixty unrelated certificates': presenting('longChain'),
  'is followed by more than fit the handshake': presenting('endlessChain'),
  'lacks its intermediate': presenting('withoutIntermediate'),
  'has no dates': { certificate: 'undated', tls: withoutSecurityLevel },
  'has an intermediate without dates': { certificate: 'undatedIntermediate', tls: withoutSecurityLevel },
  'has an expired intermediate': presenting('expiredIntermediate'),
  'is issued by a certificate that is no CA': presenting('leafAsAuthority'),
  'is for clients only': presenting('clientOnly'),
  'has a key of 1024 bits': { certificate: 'weakKey', tls: withoutSecurityLevel },
  'is of another public CA and has another key': presenting('otherPublic'),
  "is of the partner's own CA": presenting('own'),

  'closes after the handshake': always({ secured: (peer) => peer.close() }),
  'cuts the connection after the handshake': always({ secured: (peer) => peer.cut() }),
  'resets after the handshake': always({ secured: (peer) => peer.reset() }),
  'sends 421 after the handshake': always({
    secured: (peer) => {
      peer.reply('421 4.7.1 No client certificate presented')
      peer.close()
    },
  }),
  'negotiates again after the handshake': {
    ...always({ secured: (peer) => peer.renegotiate() }),
    tls: tls12,
  },
  'continues in the clear after the handshake': always({
    ehloOverTls: (peer) => peer.writeInTheClear('250 mx.partner.example\r\n'),
  }),
  'stalls at EHLO over TLS': { ...always({ ehloOverTls: null }), stalls: true },
  'refuses EHLO over TLS temporarily': always({
    ehloOverTls: (peer) => {
      peer.reply('421 4.3.2 Closing')
      peer.close()
    },
  }),
  'refuses EHLO over TLS permanently': always({
    ehloOverTls: '550 5.7.1 Go away',
    helo: '550 5.7.1 Go away',
  }),
  'does not support EHLO over TLS': always({ ehloOverTls: '502 5.5.1 Not implemented' }),
  'floods EHLO over TLS': always({ ehloOverTls: (peer) => peer.flood('250-A\r\n') }),
  'sends an unexpected reply over TLS': always({
    ehloOverTls: (peer) => peer.reply(`${ehloReply(['8BITMIME', 'REQUIRETLS'])}\r\n250 2.1.0 OK`),
  }),
  'replies 250 to DATA': always({ data: '250 2.1.0 OK' }),
  'replies to the message before receiving it': always({ data: '354 go on\r\n250 2.0.0 taken' }),
  'announces nothing over TLS': always({ keywordsOverTls: [] }),
  'announces REQUIRETLS in the clear only': always({
    keywords: ['8BITMIME', 'REQUIRETLS', 'STARTTLS'],
    keywordsOverTls: ['SIZE 1000000', '8BITMIME'],
  }),
  'announces STARTTLS again over TLS': always({ keywordsOverTls: ['8BITMIME', 'REQUIRETLS', 'STARTTLS'] }),

  'stalls at the greeting': { ...always({ greeting: null }), stalls: true },
  'greets with 554': always({ greeting: '554 5.3.2 No mail here' }),
  'resets before the greeting': always({ greeting: (peer) => peer.reset() }),
  'stalls at EHLO': { ...always({ ehlo: null }), stalls: true },
  'floods EHLO': always({ ehlo: (peer) => peer.flood('250-A\r\n') }),
  'floods the greeting': always({ greeting: (peer) => peer.flood('220-A\r\n') }),
  'floods EHLO with one line': always({ ehlo: (peer) => peer.flood('250-AAAAAAAAAAAAAAAA') }),
}
