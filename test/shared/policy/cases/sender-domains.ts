import { type Case, type Chapter, mustStartTls, partner, taken } from './notation.ts'

const matched = (pattern: string) =>
  ({ expected: mustStartTls, inbound: { [`From ${pattern}`]: 'Decides' } }) as const
const notMatched = { expected: taken } as const
const demandsTls = (pattern: string) => ({ connectors: [partner(pattern)] })

const rows: Case[] = [
  { name: 'no connector at all: mail in the clear is taken', ...notMatched },
  {
    name: 'the very domain',
    ...demandsTls('contoso.example'),
    from: 'a@contoso.example',
    ...matched('contoso.example'),
  },
  {
    name: 'a domain stands for itself only, not for its subdomains',
    ...demandsTls('contoso.example'),
    from: 'a@mail.contoso.example',
    ...notMatched,
  },
  {
    name: 'nor for the domain above it',
    ...demandsTls('mail.contoso.example'),
    from: 'a@contoso.example',
    ...notMatched,
  },
  {
    name: 'a wildcard stands for the domain itself too',
    ...demandsTls('*.contoso.example'),
    from: 'a@contoso.example',
    ...matched('*.contoso.example'),
  },
  {
    name: 'and for its subdomains',
    ...demandsTls('*.contoso.example'),
    from: 'a@mail.contoso.example',
    ...matched('*.contoso.example'),
  },
  {
    name: 'however deep',
    ...demandsTls('*.contoso.example'),
    from: 'a@x.y.z.contoso.example',
    ...matched('*.contoso.example'),
  },
  {
    name: 'but only for whole labels',
    ...demandsTls('*.contoso.example'),
    from: 'a@notcontoso.example',
    ...notMatched,
  },
  {
    name: 'and not where it is continued',
    ...demandsTls('*.contoso.example'),
    from: 'a@contoso.example.evil.example',
    ...notMatched,
  },
  {
    name: 'a wildcard for a whole top-level domain',
    ...demandsTls('*.example'),
    from: 'a@contoso.example',
    ...matched('*.example'),
  },
  { name: '`*` stands for everyone', ...demandsTls('*'), ...matched('*') },
  { name: 'also for the null reverse path', ...demandsTls('*'), from: '', ...matched('*') },
  {
    name: 'which belongs to no domain, so a domain’s connector is not asked',
    ...demandsTls('contoso.example'),
    from: '',
    ...notMatched,
  },
  {
    name: 'the local part may look like a domain',
    ...demandsTls('contoso.example'),
    from: '"x@contoso.example"@elsewhere.example',
    ...notMatched,
  },
  {
    name: 'the last @ counts',
    ...demandsTls('contoso.example'),
    from: '"x@elsewhere.example"@contoso.example',
    ...matched('contoso.example'),
  },
  {
    name: 'one connector for several domains, the second of them',
    connectors: [partner(['contoso.example', 'fabrikam.example'])],
    from: 'a@fabrikam.example',
    ...matched('contoso.example'),
  },
  {
    name: 'one connector whose patterns both match is considered once',
    connectors: [partner(['contoso.example', '*.contoso.example', '*'])],
    from: 'a@contoso.example',
    ...matched('contoso.example'),
  },
  // Case, dots, and the two forms of international names (RFC 5890 §2.3.2.4).
  {
    name: 'letter case makes no difference in the sender',
    ...demandsTls('contoso.example'),
    from: 'a@CONTOSO.Example',
    ...matched('contoso.example'),
  },
  {
    name: 'nor in the connector',
    connectors: [partner('CONTOSO.Example')],
    from: 'a@contoso.example',
    ...matched('CONTOSO.Example'),
  },
  {
    name: 'nor in a wildcard',
    connectors: [partner('*.CONTOSO.Example')],
    from: 'a@Mail.Contoso.EXAMPLE',
    ...matched('*.CONTOSO.Example'),
  },
  {
    name: 'nor a dot at the end of the sender',
    ...demandsTls('contoso.example'),
    from: 'a@contoso.example.',
    ...matched('contoso.example'),
  },
  {
    name: 'nor one at the end of the connector’s domain',
    ...demandsTls('contoso.example.'),
    from: 'a@contoso.example',
    ...matched('contoso.example.'),
  },
  {
    name: 'an ideographic full stop at the end is a dot',
    ...demandsTls('contoso.example'),
    from: 'a@contoso.example\u3002',
    ...matched('contoso.example'),
  },
  {
    name: 'and one in the middle as well',
    ...demandsTls('contoso.example'),
    from: 'a@contoso\u3002example',
    ...matched('contoso.example'),
  },
  {
    name: 'full-width letters are letters',
    ...demandsTls('contoso.example'),
    from: 'a@ｃｏｎｔｏｓｏ.example',
    ...matched('contoso.example'),
  },
  {
    name: 'a connector for a U-label, a sender with the A-label',
    ...demandsTls('bücher.example'),
    from: 'a@xn--bcher-kva.example',
    ...matched('bücher.example'),
  },
  {
    name: 'a connector for an A-label, a sender with the U-label',
    ...demandsTls('xn--bcher-kva.example'),
    from: 'a@bücher.example',
    ...matched('xn--bcher-kva.example'),
  },
  {
    name: 'a U-label in capitals',
    ...demandsTls('bücher.example'),
    from: 'a@BÜCHER.example',
    ...matched('bücher.example'),
  },
  {
    name: 'a U-label written with a combining diaeresis',
    ...demandsTls('bücher.example'),
    from: 'a@bu\u0308cher.example',
    ...matched('bücher.example'),
  },
  {
    name: 'a wildcard over a U-label',
    ...demandsTls('*.bücher.example'),
    from: 'a@post.xn--bcher-kva.example',
    ...matched('*.bücher.example'),
  },
  {
    name: 'letters that only look alike are another domain',
    ...demandsTls('contoso.example'),
    from: 'a@c\u043entoso.example',
    ...notMatched,
  },
]

export const senderDomains: Chapter = {
  title: 'Sender domains: whose mail a connector speaks for',
  cases: [
    ...rows,
    // RFC 5321 §4.1.3
    ...['a@[192.0.2.1]', 'a@[IPv6:2001:db8::1]'].flatMap((from): Case[] => [
      {
        name: `${from} is at an address and belongs to no domain`,
        connectors: [partner(['contoso.example', '*.example'])],
        from,
        expected: taken,
      },
      {
        name: `${from} belongs to everyone`,
        connectors: [partner('*')],
        from,
        expected: mustStartTls,
        inbound: { 'From *': 'Decides' },
      },
    ]),
  ],
}
