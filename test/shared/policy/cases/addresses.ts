import {
  acceptedAndDelivered,
  type Case,
  type Chapter,
  contosoMail,
  partner,
  requiringAddresses,
  tls13,
  tlsWithCertificate,
  wrongAddress,
} from './notation.ts'

/** Ranges of a connector, an address, and whether the ranges contain it. */
const rows: [name: string, ranges: string[], ip: string, isIn: boolean][] = [
  ['a single IPv4 address', ['198.51.100.7'], '198.51.100.7', true],
  ['the address after a single IPv4 address', ['198.51.100.7'], '198.51.100.8', false],
  ['the first address of a range', ['198.51.100.0/24'], '198.51.100.0', true],
  ['the last address of a range', ['198.51.100.0/24'], '198.51.100.255', true],
  ['the address before a range', ['198.51.100.0/24'], '198.51.99.255', false],
  ['the address after a range', ['198.51.100.0/24'], '198.51.101.0', false],
  ['a range that does not end at an octet', ['198.51.100.128/26'], '198.51.100.191', true],
  ['the address after a range that does not end at an octet', ['198.51.100.128/26'], '198.51.100.192', false],
  ['a range that is written with an address from its middle', ['198.51.100.77/24'], '198.51.100.1', true],
  ['a /32', ['198.51.100.7/32'], '198.51.100.7', true],
  ['a range wider than Exchange accepts', ['198.48.0.0/12'], '198.51.100.7', true],
  ['all of IPv4', ['0.0.0.0/0'], '203.0.113.1', true],
  ['all of IPv4 contains no IPv6', ['0.0.0.0/0'], '2001:db8::1', false],
  ['the second of several ranges', ['203.0.113.0/24', '198.51.100.0/24'], '198.51.100.7', true],
  ['a range within another', ['198.51.100.0/24', '198.51.100.64/26'], '198.51.100.7', true],
  ['a single IPv6 address', ['2001:db8::7'], '2001:db8::7', true],
  ['a single IPv6 address in another notation', ['2001:DB8:0:0:0:0:0:7'], '2001:db8::7', true],
  ['the last address of an IPv6 range', ['2001:db8:1::/48'], '2001:db8:1:ffff:ffff:ffff:ffff:ffff', true],
  ['the address after an IPv6 range', ['2001:db8:1::/48'], '2001:db8:2::', false],
  ['an IPv6 range that does not end at an octet', ['2001:db8::/33'], '2001:db8:8000::', false],
  ['all of IPv6 contains no IPv4', ['::/0'], '198.51.100.7', false],
  ['an IPv4 address mapped into IPv6 is the IPv4 address', ['198.51.100.0/24'], '::ffff:198.51.100.7', true],
  ['a mapped IPv4 address in hexadecimal is the IPv4 address', ['198.51.100.0/24'], '::ffff:c633:6407', true],
  ['a mapped IPv4 address outside the range', ['198.51.100.0/24'], '::ffff:198.51.101.7', false],
  ['an IPv6 address that only ends like an IPv4 address', ['198.51.100.0/24'], '::198.51.100.7', false],
  ['an IPv6 address in dotted notation in an IPv6 range', ['::198.51.100.0/120'], '::198.51.100.7', true],
  ['an IPv6 range in dotted notation contains no IPv4', ['::198.51.100.0/120'], '198.51.100.7', false],
  ['a range of mapped addresses is the IPv4 range', ['::ffff:198.51.100.0/120'], '198.51.100.7', true],
  ['the address after a range of mapped addresses', ['::ffff:198.51.100.0/120'], '198.51.101.0', false],
  ['a client without a valid address', ['0.0.0.0/0', '::/0'], 'unknown', false],
]

const from = 'a@contoso.example'
const contoso = { 'From contoso.example': 'Decides' } as const

export const addresses: Chapter = {
  title: 'Addresses: the addresses from which a partner may send',
  cases: [
    ...rows.map(
      ([name, ranges, ip, isIn]): Case => ({
        name: `${ip} is ${isIn ? '' : 'not '}in ${ranges.join(' and ')}: ${name}`,
        connectors: [partner('contoso.example', requiringAddresses(...ranges))],
        from,
        ip,
        tls: tls13,
        expected: isIn ? acceptedAndDelivered : wrongAddress,
        inbound: contoso,
      }),
    ),
    {
      name: 'a list without the restriction restricts nothing',
      connectors: [partner('contoso.example', { senderIpAddresses: ['198.51.100.0/24'] })],
      from,
      tls: tls13,
      expected: acceptedAndDelivered,
      inbound: contoso,
    },
    {
      name: 'a certificate does not replace the address',
      connectors: [
        partner('contoso.example', {
          ...requiringAddresses('198.51.100.0/24'),
          tlsSenderCertificateNames: ['mail.contoso.example'],
        }),
      ],
      from,
      tls: tlsWithCertificate(contosoMail),
      expected: wrongAddress,
      inbound: contoso,
    },
    {
      name: "the explanation of a refused address contains the client's address",
      connectors: [partner('contoso.example', requiringAddresses('198.51.100.0/24'))],
      from,
      ip: '203.0.113.9',
      tls: tls13,
      expected: wrongAddress,
      inbound: contoso,
      why: 'accepts only its listed addresses; this session comes from 203.0.113.9',
    },
    {
      name: 'a session in the clear from a listed address is accepted if TLS is not required',
      connectors: [partner('contoso.example', { ...requiringAddresses('192.0.2.0/24'), requireTls: false })],
      from,
      expected: acceptedAndDelivered,
      inbound: contoso,
    },
    {
      name: 'a connector for `*` also restricts the addresses for the null reverse path',
      connectors: [partner('*', requiringAddresses('198.51.100.0/24'))],
      from: '',
      tls: tls13,
      expected: wrongAddress,
      inbound: { 'From *': 'Decides' },
    },
  ],
}
