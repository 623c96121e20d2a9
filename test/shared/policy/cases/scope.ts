import {
  acceptedAndDelivered,
  type Chapter,
  deliversBy,
  mustStartTls,
  organisationServer,
  partner,
  relayDenied,
  tls13,
} from './notation.ts'

const acceptedDomains = ['ours.example', 'bank.example']
const scoped = partner('contoso.example', {
  name: 'To the bank only',
  associatedAcceptedDomains: ['bank.example'],
})
const withoutTls = partner('contoso.example', { name: 'To all', requireTls: false })
const base = { from: 'a@contoso.example', acceptedDomains }
const toBank = { to: 'b@bank.example', outbound: { Mailboxes: 'Decides' } } as const
const server = organisationServer({
  senderIpAddresses: ['192.0.2.1'],
  associatedAcceptedDomains: ['bank.example'],
})

export const scope: Chapter = {
  title: 'associatedAcceptedDomains: a connector for some of the accepted domains',
  cases: [
    {
      ...base,
      name: 'the connector applies to a recipient in its scope',
      connectors: [scoped],
      ...toBank,
      expected: mustStartTls,
      inbound: { 'To the bank only': 'Decides' },
    },
    {
      ...base,
      name: 'the connector does not apply to a recipient outside its scope',
      connectors: [scoped],
      expected: acceptedAndDelivered,
      inbound: { 'To the bank only': 'NotApplicable' },
      why: 'It applies only to recipients in bank.example.',
    },
    {
      ...base,
      name: 'the stricter connector takes precedence within the scope',
      connectors: [scoped, withoutTls],
      ...toBank,
      expected: mustStartTls,
      inbound: { 'To the bank only': 'Decides', 'To all': 'Outranked' },
    },
    {
      ...base,
      name: 'outside the scope the other connector applies',
      connectors: [scoped, withoutTls],
      expected: acceptedAndDelivered,
      inbound: { 'To the bank only': 'NotApplicable', 'To all': 'Decides' },
    },
    {
      ...base,
      name: 'a subdomain is not in the scope',
      acceptedDomains: [...acceptedDomains, 'sub.bank.example'],
      connectors: [scoped],
      to: 'b@sub.bank.example',
      expected: acceptedAndDelivered,
      inbound: { 'To the bank only': 'NotApplicable' },
      outbound: { Mailboxes: 'Decides' },
    },
    {
      ...base,
      name: 'an OnPremises connector with a scope grants no relay to other organisations',
      connectors: [server],
      tls: tls13,
      to: 'b@foreign.example',
      expected: relayDenied,
      inbound: { 'Our server': 'NotApplicable' },
      outbound: {},
      decidedBy: null,
    },
    {
      ...base,
      name: 'an OnPremises connector identifies its servers within its scope',
      connectors: [server],
      tls: tls13,
      ...toBank,
      expected: acceptedAndDelivered,
      inbound: { 'Our server': 'Grants' },
    },
    {
      ...base,
      name: 'a recipient outside the accepted domains is in no scope',
      connectors: [scoped, organisationServer({ senderIpAddresses: ['192.0.2.1'], requireTls: false })],
      to: 'b@northwind.example',
      expected: deliversBy('DefaultRoute by MX of northwind.example with opportunistic TLS'),
      inbound: { 'To the bank only': 'NotApplicable', 'Our server': 'Grants' },
    },
  ],
}
