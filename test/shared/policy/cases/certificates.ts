import { createPki, daysFromNow } from '../../../support/pki.ts'
import {
  acceptedAndDelivered,
  type Case,
  type Chapter,
  certificate,
  contosoCa,
  contosoMail,
  partner,
  publicCa,
  requiringCertificate,
  requiringPinned,
  selfSignedCertificate,
  tls13,
  tlsWithCertificate,
  untrustedCa,
  wrongCertificate,
} from './notation.ts'

const from = 'a@contoso.example'
const contoso = { 'From contoso.example': 'Decides' } as const
const mail = 'mail.contoso.example'
const expired = { notBefore: daysFromNow(-20), notAfter: daysFromNow(-1) }
const notYetValid = { notBefore: daysFromNow(1), notAfter: daysFromNow(20) }
const ownAuthority = { certificateAuthorities: [contosoCa.ca] }

const renewed = await certificate(publicCa, mail)
const old = await certificate(publicCa, mail, expired)
const early = await certificate(publicCa, mail, notYetValid)
const untrustedCertificate = await certificate(untrustedCa, mail)
const contosoCertificate = await certificate(contosoCa, mail)
const selfSigned = await selfSignedCertificate(mail)
const subordinate = await contosoCa.subordinate('Contoso Issuing CA')
const byContosoSubordinate = await certificate(subordinate, mail)
const forServers = await certificate(publicCa, mail, { purposes: ['serverAuth'] })
const forClients = await certificate(publicCa, mail, { purposes: ['clientAuth'] })
const ownExpired = await certificate(contosoCa, mail, expired)
const forBoth = await certificate(publicCa, mail, { purposes: ['serverAuth', 'clientAuth'] })
const forAnything = await certificate(publicCa, mail, { purposes: ['any'] })
const forMailSigning = await certificate(publicCa, mail, { purposes: ['emailProtection'] })
const belowForServers = await certificate(
  await contosoCa.subordinate('Contoso Server CA', { purposes: ['serverAuth'] }),
  mail,
)
const ownForServers = await certificate(contosoCa, mail, { purposes: ['serverAuth'] })

/** Names in the certificate, names in the connector, and whether one matches. */
const names: [presented: string[], expected: string[], fits: boolean][] = [
  [['mail.contoso.example'], ['mail.contoso.example'], true],
  [['MAIL.Contoso.example'], ['mail.contoso.example'], true],
  [['mail.contoso.example'], ['MAIL.Contoso.example'], true],
  [['mail2.contoso.example'], ['mail.contoso.example'], false],
  [['contoso.example'], ['mail.contoso.example'], false],
  [['mail.contoso.example'], ['contoso.example'], false],
  [['mail.contoso.example.evil.example'], ['mail.contoso.example'], false],
  [['evilmail.contoso.example'], ['mail.contoso.example'], false],
  // Several names in the certificate or the connector.
  [['other.example', 'mail.contoso.example'], ['mail.contoso.example'], true],
  [['mail2.contoso.example'], ['mail.contoso.example', 'mail2.contoso.example'], true],
  // RFC 9525 §6.3: a wildcard stands for one label.
  [['mail.contoso.example'], ['*.contoso.example'], true],
  [['a.mail.contoso.example'], ['*.contoso.example'], false],
  [['contoso.example'], ['*.contoso.example'], false],
  [['*.contoso.example'], ['mail.contoso.example'], true],
  [['*.contoso.example'], ['a.mail.contoso.example'], false],
  [['*.contoso.example'], ['contoso.example'], false],
  [['*.contoso.example'], ['*.contoso.example'], true],
  [['*.example'], ['*.contoso.example'], false],
  [['*.mail.contoso.example'], ['*.contoso.example'], false],
  // Certificates hold international names as A-labels (RFC 5280 §4.2.1.6).
  [['xn--bcher-kva.example'], ['bücher.example'], true],
  [['*.xn--bcher-kva.example'], ['post.bücher.example'], true],
]

const byNames = await Promise.all(
  names.map(
    async ([presented, expected, fits]): Promise<Case> => ({
      name: `a certificate for ${presented.join(' and ')} ${fits ? 'matches' : 'does not match'} a connector for ${expected.join(' or ')}`,
      connectors: [partner('contoso.example', requiringCertificate(...expected))],
      from,
      tls: tlsWithCertificate(await certificate(publicCa, presented)),
      expected: fits ? acceptedAndDelivered : wrongCertificate,
      inbound: contoso,
    }),
  ),
)

/** Names that a public authority would hardly certify, and that Node passes on unchanged. */
const odd = [
  'mail.contoso.example\\00.evil.example',
  'mail.contoso.example/x.evil.example',
  'mail.contoso.example#.evil.example',
  'mail%2econtoso%2eexample',
  // RFC 5280 §4.2.1.6: a name consists of A-labels; a U-label is ignored.
  'ｍail.contoso.example',
  'mail\u3002contoso.example',
  'm*.contoso.example',
  '*',
  'Contoso Mail Server',
]

const withName = {
  connectors: [partner('contoso.example', requiringCertificate(mail))],
  from,
  inbound: contoso,
}
const withOwnAuthority = {
  connectors: [partner('contoso.example', { ...requiringCertificate(mail), ...ownAuthority })],
  from,
  inbound: contoso,
}
const pinned = (...certificates: Parameters<typeof requiringPinned>) => ({
  connectors: [partner('contoso.example', requiringPinned(...certificates))],
  from,
  inbound: contoso,
})
const forClientsOnly = {
  connectors: [partner('contoso.example', { ...requiringCertificate(mail), requireClientAuthEku: true })],
  from,
  inbound: contoso,
}

const rows: Case[] = [
  {
    name: 'a session without the required certificate is refused',
    ...withName,
    tls: tls13,
    expected: wrongCertificate,
    why: 'accepts only a certificate for [mail.contoso.example]; none was presented',
  },
  {
    name: 'a connector with a certificate name but without restrictDomainsToCertificate requires no certificate',
    connectors: [partner('contoso.example', { tlsSenderCertificateNames: [mail] })],
    from,
    tls: tls13,
    expected: acceptedAndDelivered,
    inbound: contoso,
  },
  {
    name: 'the explanation of a refused certificate states its names and the expected names',
    ...withName,
    tls: tlsWithCertificate(await certificate(publicCa, 'mail.fabrikam.example')),
    expected: wrongCertificate,
    why: 'presented names [mail.fabrikam.example], expected [mail.contoso.example]',
  },
  // The common name is used only if there is no alternative name.
  {
    name: 'a common name beside an alternative name is ignored',
    ...withName,
    tls: tlsWithCertificate(await certificate(publicCa, 'other.example', { commonName: mail })),
    expected: wrongCertificate,
  },
  {
    name: 'a common name is used if there is no alternative name',
    ...withName,
    tls: tlsWithCertificate(await certificate(publicCa, [], { commonName: mail })),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a wildcard as common name matches one label',
    ...withName,
    tls: tlsWithCertificate(await certificate(publicCa, [], { commonName: '*.contoso.example' })),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a certificate without any name matches no connector',
    ...withName,
    tls: tlsWithCertificate({ ...contosoMail, commonName: null, subjectAltNames: [] }),
    expected: wrongCertificate,
  },
  ...odd.map(
    (commonName): Case => ({
      name: `a certificate with only the common name "${commonName}" matches no connector`,
      connectors: [partner('contoso.example', requiringCertificate(mail, '*.contoso.example'))],
      from,
      tls: tlsWithCertificate({ ...contosoMail, commonName, subjectAltNames: [] }),
      expected: wrongCertificate,
      inbound: contoso,
    }),
  ),
  // Dates
  {
    name: 'an expired certificate is refused',
    ...withName,
    tls: tlsWithCertificate(old),
    expected: wrongCertificate,
    why: `expired on ${old.notAfter}`,
  },
  {
    name: 'a certificate that is not valid yet is refused',
    ...withName,
    tls: tlsWithCertificate(early),
    expected: wrongCertificate,
    why: `not valid before ${early.notBefore}`,
  },
  {
    name: 'an expired certificate is refused even if the handshake accepted it',
    ...withName,
    tls: tlsWithCertificate({ ...old, trusted: true, trustError: null }),
    expected: wrongCertificate,
  },
  {
    name: 'any valid certificate with the expected name is accepted, such as a renewed one',
    ...withName,
    tls: tlsWithCertificate(renewed),
    expected: acceptedAndDelivered,
  },
  // Issuers
  {
    name: 'a certificate of an untrusted authority is refused',
    ...withName,
    tls: tlsWithCertificate(untrustedCertificate),
    expected: wrongCertificate,
    why: 'issued by CN=Strange CA, which is not trusted',
  },
  {
    name: 'a self-signed certificate is refused',
    ...withName,
    tls: tlsWithCertificate(selfSigned),
    expected: wrongCertificate,
  },
  {
    name: "a certificate of the partner's own authority is refused if the connector does not list the authority",
    ...withName,
    tls: tlsWithCertificate(contosoCertificate),
    expected: wrongCertificate,
  },
  {
    name: "a certificate of the partner's own authority is accepted if the connector lists the authority",
    ...withOwnAuthority,
    tls: tlsWithCertificate(contosoCertificate),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a certificate of an intermediate authority below a listed authority is accepted',
    ...withOwnAuthority,
    tls: tlsWithCertificate(byContosoSubordinate),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a certificate below a listed authority is refused if its intermediate certificate is missing',
    ...withOwnAuthority,
    tls: tlsWithCertificate({ ...byContosoSubordinate, chain: byContosoSubordinate.chain.slice(0, 1) }),
    expected: wrongCertificate,
  },
  {
    name: 'a certificate of a public authority is refused if the connector lists an authority',
    ...withOwnAuthority,
    tls: tlsWithCertificate(contosoMail),
    expected: wrongCertificate,
    why: "which is not trusted (it does not lead to the connector's own authority)",
  },
  {
    name: 'a certificate of a listed authority for another name is refused',
    ...withOwnAuthority,
    tls: tlsWithCertificate(await certificate(contosoCa, 'www.contoso.example')),
    expected: wrongCertificate,
  },
  {
    name: 'an expired certificate of a listed authority is refused',
    ...withOwnAuthority,
    tls: tlsWithCertificate(ownExpired),
    expected: wrongCertificate,
    why: `: expired on ${ownExpired.notAfter}.`,
  },
  {
    name: 'a certificate of another authority with the name of a listed authority is refused',
    ...withOwnAuthority,
    tls: tlsWithCertificate(await certificate(await createPki('Contoso CA'), mail)),
    expected: wrongCertificate,
  },
  // Pinned
  {
    name: 'a pinned certificate is accepted',
    ...pinned(contosoMail),
    tls: tlsWithCertificate(contosoMail),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a pinned certificate may be self-signed',
    ...pinned(selfSigned),
    tls: tlsWithCertificate(selfSigned),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a certificate that is not pinned is refused, although it has the name of the pinned one',
    ...pinned(contosoMail),
    tls: tlsWithCertificate(renewed),
    expected: wrongCertificate,
    why: `fingerprint ${renewed.fingerprint256} is not among the 1 pinned`,
  },
  {
    name: 'the second of two pinned certificates is accepted',
    ...pinned(contosoMail, renewed),
    tls: tlsWithCertificate(renewed),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a pinned certificate that has expired is refused',
    ...pinned(old),
    tls: tlsWithCertificate(old),
    expected: wrongCertificate,
  },
  {
    name: 'a pinned certificate that is not valid yet is refused',
    ...pinned(early),
    tls: tlsWithCertificate(early),
    expected: wrongCertificate,
  },
  {
    name: 'a certificate is accepted if its fingerprint is pinned in capitals with colons',
    connectors: [
      partner('contoso.example', {
        restrictDomainsToCertificate: true,
        certificateFingerprints: [(contosoMail.fingerprint256.toUpperCase().match(/../g) ?? []).join(':')],
      }),
    ],
    from,
    inbound: contoso,
    tls: tlsWithCertificate(contosoMail),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a connector with name and fingerprint accepts a certificate with the name',
    connectors: [
      partner('contoso.example', { ...requiringPinned(selfSigned), ...requiringCertificate(mail) }),
    ],
    from,
    inbound: contoso,
    tls: tlsWithCertificate(contosoMail),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a connector with name and fingerprint accepts a certificate with the fingerprint',
    connectors: [
      partner('contoso.example', { ...requiringPinned(selfSigned), ...requiringCertificate(mail) }),
    ],
    from,
    inbound: contoso,
    tls: tlsWithCertificate(selfSigned),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a connector with name and fingerprint refuses a certificate that matches neither',
    connectors: [
      partner('contoso.example', { ...requiringPinned(selfSigned), ...requiringCertificate(mail) }),
    ],
    from,
    inbound: contoso,
    tls: tlsWithCertificate(untrustedCertificate),
    expected: wrongCertificate,
  },
  // Purposes (RFC 5280 §4.2.1.12)
  {
    name: 'a certificate for servers only is accepted',
    ...withName,
    tls: tlsWithCertificate(forServers),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a certificate for clients only is accepted',
    ...withName,
    tls: tlsWithCertificate(forClients),
    expected: acceptedAndDelivered,
  },
  {
    name: 'a certificate for signed mail only is refused',
    ...withName,
    tls: tlsWithCertificate(forMailSigning),
    expected: wrongCertificate,
  },
  {
    name: 'with requireClientAuthEku a certificate for servers only is refused',
    ...forClientsOnly,
    tls: tlsWithCertificate(forServers),
    expected: wrongCertificate,
    why: 'not issued for client authentication',
  },
  {
    name: 'with requireClientAuthEku a certificate for servers and clients is accepted',
    ...forClientsOnly,
    tls: tlsWithCertificate(forBoth),
    expected: acceptedAndDelivered,
  },
  {
    name: 'with requireClientAuthEku a certificate for any purpose is accepted',
    ...forClientsOnly,
    tls: tlsWithCertificate(forAnything),
    expected: acceptedAndDelivered,
  },
  {
    name: 'with requireClientAuthEku a certificate that names no purpose is accepted',
    ...forClientsOnly,
    tls: tlsWithCertificate(contosoMail),
    expected: acceptedAndDelivered,
  },
  {
    name: 'with requireClientAuthEku a certificate of a listed authority for servers only is refused',
    connectors: [
      partner('contoso.example', {
        ...requiringCertificate(mail),
        ...ownAuthority,
        requireClientAuthEku: true,
      }),
    ],
    from,
    inbound: contoso,
    tls: tlsWithCertificate(ownForServers),
    expected: wrongCertificate,
  },
  {
    name: 'with requireClientAuthEku a certificate of an intermediate authority for servers only is refused, even if the handshake accepted it',
    connectors: [
      partner('contoso.example', {
        ...requiringCertificate(mail),
        ...ownAuthority,
        requireClientAuthEku: true,
      }),
    ],
    from,
    inbound: contoso,
    tls: tlsWithCertificate({ ...belowForServers, clientAuth: true }),
    expected: wrongCertificate,
    why: 'not issued for client authentication',
  },
  {
    name: 'with requireClientAuthEku a pinned certificate for servers only is accepted',
    connectors: [partner('contoso.example', { ...requiringPinned(forServers), requireClientAuthEku: true })],
    from,
    inbound: contoso,
    tls: tlsWithCertificate(forServers),
    expected: acceptedAndDelivered,
  },
]

export const certificates: Chapter = {
  title: "Certificates: the identification of a partner's server",
  cases: [...byNames, ...rows],
}
