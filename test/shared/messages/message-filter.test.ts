import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { type MessageFilter, messageCheck } from '../../../shared/messages/message-filter.ts'
import { messageFactsOf, messageItem } from '../../../shared/messages/message-item.ts'
import { type RejectedFilter, rejectedMatches } from '../../../shared/messages/rejected-list.ts'
import { message, overTls } from '../../support/fixtures.ts'

const every: MessageFilter = { direction: null, minSize: null, tlsVersion: null, messageId: null }

describe('the check of a message', () => {
  const inTheClear = message({ size: 1000, headerMessageId: '<a@contoso.example>' })
  const originating = message({
    direction: 'Originating',
    tls: { ...overTls, protocol: 'TLSv1.2' },
    size: 1001,
  })
  const created = message({ source: null, direction: 'Originating' })
  const long = 'x'.repeat(80)

  const rows: [name: string, filter: Partial<MessageFilter>, mail: typeof created, matches: boolean][] = [
    ['its direction', { direction: 'Incoming' }, inTheClear, true],
    ['another direction', { direction: 'Originating' }, inTheClear, false],
    ['exactly the least size', { minSize: 1000 }, inTheClear, true],
    ['an octet less', { minSize: 1001 }, inTheClear, false],
    ['a session in the clear', { tlsVersion: 'None' }, inTheClear, true],
    ['no session with TLS', { tlsVersion: 'TLSv1.2' }, inTheClear, false],
    ['its TLS version', { tlsVersion: 'TLSv1.2' }, originating, true],
    ['another TLS version', { tlsVersion: 'TLSv1.3' }, originating, false],
    ['TLS when it came in the clear', { tlsVersion: 'None' }, originating, false],
    ['no client, so no session in the clear', { tlsVersion: 'None' }, created, false],
    ['its Message-ID', { messageId: 'a@contoso.example' }, inTheClear, true],
    ['no Message-ID', { messageId: 'a@contoso.example' }, originating, false],
    [
      'a Message-ID of which the index has the same beginning',
      { messageId: `${long}2` },
      message({ headerMessageId: `<${long}1>` }),
      false,
    ],
    ['all of several filters', { direction: 'Incoming', minSize: 1, tlsVersion: 'None' }, inTheClear, true],
    [
      'all but one of several filters',
      { direction: 'Incoming', minSize: 1, tlsVersion: 'TLSv1.3' },
      inTheClear,
      false,
    ],
  ]
  for (const [name, filter, mail, matches] of rows)
    test(`${matches ? 'passes' : 'fails'}: ${name}`, () => {
      const facts = messageFactsOf(messageItem(mail, null))
      assert.equal(messageCheck({ ...every, ...filter })?.(facts), matches)
    })

  test('is null when there is no filter, so that no message is read', () => {
    assert.equal(messageCheck(every), null)
  })
})

describe('a filter of refusals', () => {
  type Filter = Omit<RejectedFilter, 'since' | 'until'>
  const everything: Filter = {
    ...{ sender: null, recipient: null, domain: null, connector: null, clientIp: null },
    ...{ direction: null, tlsVersion: null, messageId: null },
  }
  const refusal: Partial<MailEvent> = {
    sender: 'a@partner.example',
    recipient: 'b@ours.example',
    direction: 'Incoming',
    clientIp: '192.0.2.1',
    tlsVersion: 'TLSv1.2',
    headerMessageId: '<1@partner.example>',
  }
  const attack: Partial<MailEvent> = { clientIp: '203.0.113.0', count: 500 }
  const greeting: Partial<MailEvent> = { clientIp: '192.0.2.1' }

  const rows: [name: string, filter: Partial<Filter>, event: Partial<MailEvent>, matches: boolean][] = [
    ["the sender's domain", { domain: 'partner.example' }, refusal, true],
    ["the recipient's domain", { domain: 'ours.example' }, refusal, true],
    ['a domain above', { domain: 'example' }, refusal, false],
    ['a domain, of a session without addresses', { domain: 'ours.example' }, greeting, false],
    ['the direction', { direction: 'Incoming' }, refusal, true],
    ['a direction, of a session that has none', { direction: 'Incoming' }, greeting, false],
    ['the TLS version', { tlsVersion: 'TLSv1.2' }, refusal, true],
    ['None, of a session with TLS', { tlsVersion: 'None' }, refusal, false],
    ['None, of a session in the clear', { tlsVersion: 'None' }, greeting, true],
    ['None, of sessions that are counted together', { tlsVersion: 'None' }, attack, false],
    ['the Message-ID', { messageId: '<1@partner.example>' }, refusal, true],
    ['another Message-ID', { messageId: '2@partner.example' }, refusal, false],
    ['the client and the domain', { clientIp: '192.0.2.1', domain: 'ours.example' }, refusal, true],
    ['the client, but another domain', { clientIp: '192.0.2.1', domain: 'x.example' }, refusal, false],
  ]
  for (const [name, filter, event, matches] of rows)
    test(`${matches ? 'matches' : 'does not match'} by ${name}`, () => {
      assert.equal(rejectedMatches(event, { ...everything, ...filter }), matches)
    })
})
