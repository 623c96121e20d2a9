import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MessageAuthentication } from '../../../shared/contract/authentication.ts'
import type { Message } from '../../../shared/contract/message.ts'
import { type AuthenticationNeed, authenticationNeed } from '../../../shared/policy/needs-authentication.ts'
import { authenticated, inbound, message, minutesLater, recipient, snapshot } from '../../support/fixtures.ts'

const accepted = 'b@ours.example'
const scoped = 'b@scoped.example'
const other = 'b@northwind.example'
const postmaster = { hostname: 'mail.ours.example', mailbox: 'postmaster@northwind.example' }
const canary = 'canary+01KF0CVZT0ABCDEFGHJKMNPQRS@ours.example'

const own = (fields: Parameters<typeof inbound>[0] = {}) =>
  inbound({
    name: 'Own',
    connectorType: 'OnPremises',
    senderDomains: ['*'],
    senderIpAddresses: ['192.0.2.0/24'],
    ...fields,
  })
const partner = (fields: Parameters<typeof inbound>[0] = {}) =>
  inbound({ name: 'Partner', senderDomains: ['elsewhere.example'], requireTls: false, ...fields })

const at = (minutes: number): string => minutesLater(minutes).toISOString()
const results = (result: 'pass' | 'temperror', minutes: number): MessageAuthentication => ({
  ...authenticated(result, 'elsewhere.example'),
  at: at(minutes),
})
const internal: MessageAuthentication = { ...authenticated('none', null), internal: 'Own', dmarc: null }

interface Row {
  what: string
  connectors?: ReturnType<typeof inbound>[]
  mail?: Partial<Message>
  to?: string[]
  notBefore?: string | null
  need: AuthenticationNeed['kind']
}

const rows: Row[] = [
  { what: 'mail from outside to an accepted domain', need: 'Authenticate' },
  {
    what: 'mail from outside to an accepted domain and another',
    to: [other, accepted],
    need: 'Authenticate',
  },
  { what: 'mail that will be refused as relay', to: [other], need: 'None' },
  {
    what: 'mail from outside to the postmaster’s mailbox in another domain',
    to: ['postmaster@northwind.example'],
    need: 'Authenticate',
  },
  { what: 'a DSN or report of this gateway', mail: { source: null }, need: 'None' },
  { what: 'a canary', mail: { canary }, to: [canary], need: 'None' },
  {
    what: 'a canary with a further recipient',
    mail: { canary },
    to: [canary, accepted],
    need: 'Authenticate',
  },
  { what: 'no recipient that needs a decision', to: [], need: 'None' },
  { what: 'mail of the own servers to others', connectors: [own()], to: [other], need: 'None' },
  { what: 'mail of the own servers to an accepted domain', connectors: [own()], need: 'Authenticate' },
  {
    what: 'internal mail to an accepted domain',
    connectors: [own({ treatMessagesAsInternal: true })],
    need: 'Internal',
  },
  {
    what: 'internal mail to others',
    connectors: [own({ treatMessagesAsInternal: true })],
    to: [other],
    need: 'None',
  },
  {
    what: 'internal mail whose result says so',
    connectors: [own({ treatMessagesAsInternal: true })],
    mail: { authentication: internal },
    need: 'None',
  },
  {
    what: 'mail that was authenticated before a connector treated it as internal',
    connectors: [own({ treatMessagesAsInternal: true })],
    mail: { authentication: results('pass', 0) },
    need: 'None',
  },
  {
    what: 'mail that was internal before its connector changed',
    connectors: [own()],
    mail: { authentication: internal },
    need: 'Authenticate',
  },
  {
    what: 'mail that is internal only for another recipient',
    connectors: [own({ treatMessagesAsInternal: true, associatedAcceptedDomains: ['scoped.example'] })],
    to: [scoped, accepted],
    need: 'Authenticate',
  },
  {
    what: 'internal mail to the domain of its connector',
    connectors: [own({ treatMessagesAsInternal: true, associatedAcceptedDomains: ['scoped.example'] })],
    to: [scoped],
    need: 'Internal',
  },
  {
    what: "a partner's mail through the own servers to others",
    connectors: [own(), partner({ requireDmarc: true })],
    to: [other],
    need: 'Authenticate',
  },
  {
    what: "a partner's mail to others, with the requirement in report-only mode",
    connectors: [own(), partner({ requireDmarc: true, mode: 'ReportOnly' })],
    to: [other],
    need: 'Authenticate',
  },
  {
    what: "a partner's mail to others, without the requirement",
    connectors: [own(), partner()],
    to: [other],
    need: 'None',
  },
  { what: 'mail with results', mail: { authentication: results('pass', 0) }, need: 'None' },
  {
    what: 'mail with results that waits for the time of its next decision',
    mail: { authentication: results('pass', 0) },
    notBefore: at(15),
    need: 'None',
  },
  {
    what: 'a temporary error in the first decision',
    mail: { authentication: results('temperror', 0) },
    need: 'None',
  },
  {
    what: "a temporary error from before the job's time",
    mail: { authentication: results('temperror', 0) },
    notBefore: at(15),
    need: 'Authenticate',
  },
  {
    what: "a temporary error from after the job's time",
    mail: { authentication: results('temperror', 16) },
    notBefore: at(15),
    need: 'None',
  },
  {
    what: 'a temporary error for which an administrator requests a retry',
    mail: { authentication: results('temperror', 0) },
    notBefore: at(3),
    need: 'Authenticate',
  },
  { what: 'a message of an earlier version that waits', notBefore: at(15), need: 'Authenticate' },
  { what: 'a message with an unreadable sender', mail: message({ mailFrom: 'a@' }), need: 'Authenticate' },
]

describe('the authentication that a message needs', () => {
  for (const { what, connectors = [], mail = {}, to = [accepted], notBefore = null, need } of rows)
    test(`is ${need} for ${what}`, () => {
      const rules = snapshot({ inbound: connectors, acceptedDomains: ['ours.example', 'scoped.example'] })
      const recipients = to.map((address) => recipient({ address }))
      const result = authenticationNeed(rules, message(mail), { recipients, notBefore }, postmaster)
      assert.equal(result.kind, need)
      if (result.kind === 'Internal') assert.equal(result.connector, 'Own')
    })
})
