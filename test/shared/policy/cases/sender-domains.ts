import { acceptedAndDelivered, type Case, type Chapter, mustStartTls, partner } from './notation.ts'

const matched = (pattern: string) =>
  ({ expected: mustStartTls, inbound: { [`From ${pattern}`]: 'Decides' } }) as const
const notMatched = { expected: acceptedAndDelivered } as const
const requiresTls = (pattern: string) => ({ connectors: [partner(pattern)] })

const rows: Case[] = [
  { name: 'mail in the clear is accepted without a connector', ...notMatched },
  {
    name: 'a connector matches its exact domain',
    ...requiresTls('contoso.example'),
    from: 'a@contoso.example',
    ...matched('contoso.example'),
  },
  {
    name: 'a domain does not match its subdomains',
    ...requiresTls('contoso.example'),
    from: 'a@mail.contoso.example',
    ...notMatched,
  },
  {
    name: 'a domain does not match its parent domain',
    ...requiresTls('mail.contoso.example'),
    from: 'a@contoso.example',
    ...notMatched,
  },
  {
    name: 'a wildcard also matches the domain itself',
    ...requiresTls('*.contoso.example'),
    from: 'a@contoso.example',
    ...matched('*.contoso.example'),
  },
  {
    name: 'a wildcard matches subdomains',
    ...requiresTls('*.contoso.example'),
    from: 'a@mail.contoso.example',
    ...matched('*.contoso.example'),
  },
  {
    name: 'a wildcard matches deep subdomains',
    ...requiresTls('*.contoso.example'),
    from: 'a@x.y.z.contoso.example',
    ...matched('*.contoso.example'),
  },
  {
    name: 'a wildcard matches only whole labels',
    ...requiresTls('*.contoso.example'),
    from: 'a@notcontoso.example',
    ...notMatched,
  },
  {
    name: 'a wildcard does not match a longer domain',
    ...requiresTls('*.contoso.example'),
    from: 'a@contoso.example.evil.example',
    ...notMatched,
  },
  {
    name: 'a wildcard may be for a whole top-level domain',
    ...requiresTls('*.example'),
    from: 'a@contoso.example',
    ...matched('*.example'),
  },
  { name: '`*` matches every domain', ...requiresTls('*'), ...matched('*') },
  { name: '`*` matches the null reverse path too', ...requiresTls('*'), from: '', ...matched('*') },
  {
    name: "the null reverse path belongs to no domain, so no domain's connector matches",
    ...requiresTls('contoso.example'),
    from: '',
    ...notMatched,
  },
  {
    name: "a connector's domain in a quoted local part does not match",
    ...requiresTls('contoso.example'),
    from: '"x@contoso.example"@elsewhere.example',
    ...notMatched,
  },
  {
    name: 'the domain of a sender with several @ begins after the last @',
    ...requiresTls('contoso.example'),
    from: '"x@elsewhere.example"@contoso.example',
    ...matched('contoso.example'),
  },
  {
    name: 'a connector matches by the second of its domains',
    connectors: [partner(['contoso.example', 'fabrikam.example'])],
    from: 'a@fabrikam.example',
    ...matched('contoso.example'),
  },
  {
    name: 'a connector with three matching patterns is considered once',
    connectors: [partner(['contoso.example', '*.contoso.example', '*'])],
    from: 'a@contoso.example',
    ...matched('contoso.example'),
  },
  // Case, dots, and the two forms of international names (RFC 5890 §2.3.2.4).
  {
    name: 'letter case makes no difference in the sender',
    ...requiresTls('contoso.example'),
    from: 'a@CONTOSO.Example',
    ...matched('contoso.example'),
  },
  {
    name: 'letter case makes no difference in the connector',
    connectors: [partner('CONTOSO.Example')],
    from: 'a@contoso.example',
    ...matched('CONTOSO.Example'),
  },
  {
    name: 'letter case makes no difference in a wildcard',
    connectors: [partner('*.CONTOSO.Example')],
    from: 'a@Mail.Contoso.EXAMPLE',
    ...matched('*.CONTOSO.Example'),
  },
  {
    name: 'a final dot of the sender makes no difference',
    ...requiresTls('contoso.example'),
    from: 'a@contoso.example.',
    ...matched('contoso.example'),
  },
  {
    name: "a final dot of the connector's domain makes no difference",
    ...requiresTls('contoso.example.'),
    from: 'a@contoso.example',
    ...matched('contoso.example.'),
  },
  {
    name: 'a final ideographic full stop of the sender makes no difference',
    ...requiresTls('contoso.example'),
    from: 'a@contoso.example\u3002',
    ...matched('contoso.example'),
  },
  {
    name: "an ideographic full stop within the sender's domain is read as a dot",
    ...requiresTls('contoso.example'),
    from: 'a@contoso\u3002example',
    ...matched('contoso.example'),
  },
  {
    name: "full-width letters in the sender's domain are read as ASCII letters",
    ...requiresTls('contoso.example'),
    from: 'a@ｃｏｎｔｏｓｏ.example',
    ...matched('contoso.example'),
  },
  {
    name: 'a connector with a U-label matches a sender with the A-label',
    ...requiresTls('bücher.example'),
    from: 'a@xn--bcher-kva.example',
    ...matched('bücher.example'),
  },
  {
    name: 'a connector with an A-label matches a sender with the U-label',
    ...requiresTls('xn--bcher-kva.example'),
    from: 'a@bücher.example',
    ...matched('xn--bcher-kva.example'),
  },
  {
    name: 'a connector with a U-label matches a sender with the U-label in capitals',
    ...requiresTls('bücher.example'),
    from: 'a@BÜCHER.example',
    ...matched('bücher.example'),
  },
  {
    name: 'a connector with a U-label matches a sender with a combining diaeresis in the U-label',
    ...requiresTls('bücher.example'),
    from: 'a@bu\u0308cher.example',
    ...matched('bücher.example'),
  },
  {
    name: 'a wildcard above a U-label matches a subdomain of the A-label',
    ...requiresTls('*.bücher.example'),
    from: 'a@post.xn--bcher-kva.example',
    ...matched('*.bücher.example'),
  },
  {
    name: "a domain that only looks like the connector's domain does not match",
    ...requiresTls('contoso.example'),
    from: 'a@c\u043entoso.example',
    ...notMatched,
  },
]

export const senderDomains: Chapter = {
  title: 'Sender domains: the senders that a connector matches',
  cases: [
    ...rows,
    // RFC 5321 §4.1.3
    ...['a@[192.0.2.1]', 'a@[IPv6:2001:db8::1]'].flatMap((from): Case[] => [
      {
        name: `the sender ${from}, an address literal, matches neither a domain nor a wildcard of a domain`,
        connectors: [partner(['contoso.example', '*.example'])],
        from,
        expected: acceptedAndDelivered,
      },
      {
        name: `the sender ${from}, an address literal, matches \`*\``,
        connectors: [partner('*')],
        from,
        expected: mustStartTls,
        inbound: { 'From *': 'Decides' },
      },
    ]),
  ],
}
