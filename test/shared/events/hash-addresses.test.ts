import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createEvent } from '../../../shared/events/create-event.ts'
import { EventAddresses } from '../../../shared/events/hash-addresses.ts'
import { createAddressHash, mailboxOf } from '../../../shared/mail/address-hash.ts'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'

const key = 'k'.repeat(64)
const hash = createAddressHash(key)
const addresses = new EventAddresses(key, ['Reports@ours.example', 'it@ours.example'])
const hashOf = (address: string) => hash(mailboxOf(address))

/** Each `{address}` stands for the hash of the address. */
const filled = (text: string): string => text.replace(/\{(.*?)\}/g, (_, address: string) => hashOf(address))

describe('the column of an address', () => {
  const rows: [address: string, result: string][] = [
    ['ann@ours.example', '{ann@ours.example}@ours.example'],
    ['"Ann"@Ours.Example', '{ann@ours.example}@Ours.Example'],
    ['"a@b c"@ours.example', '{"a@b c"@ours.example}@ours.example'],
    ['hashed-0123456789abcdef0123@ours.example', '{hashed-0123456789abcdef0123@ours.example}@ours.example'],
    ['bounce+ann=ours.example@list.example', '{bounce+ann=ours.example@list.example}@list.example'],
    ['ann@[192.0.2.1]', '{ann@[192.0.2.1]}@[192.0.2.1]'],
    ['ann', '{ann}'],
    // Roles.
    ['', ''],
    ['postmaster', 'postmaster'],
    ['"PostMaster"@any.example', '"PostMaster"@any.example'],
    ['reports@OURS.example', 'reports@OURS.example'],
    ['it@ours.example', 'it@ours.example'],
    ['it@theirs.example', '{it@theirs.example}@theirs.example'],
  ]
  for (const [address, result] of rows)
    test(`"${address}"`, () => {
      for (const name of ['sender', 'recipient', 'mailFrom'])
        assert.deepEqual(addresses.hashIn({ [name]: address }), { [name]: filled(result) })
    })
})

describe('a text', () => {
  const rows: [text: string, result: string][] = [
    ['550 5.1.1 <Ann@ours.example>: unknown', '550 5.1.1 <{ann@ours.example}@ours.example>: unknown'],
    ['<bob@theirs.example> unknown', '<{bob@theirs.example}@theirs.example> unknown'],
    ['to ann@ours.example, bob@x.', 'to {ann@ours.example}@ours.example, {bob@x}@x.'],
    ['<"ann"@ours.example>', '<{ann@ours.example}@ours.example>'],
    ['<"a@b"@ours.example>', '<{"a@b"@ours.example}@ours.example>'],
    ['<"a\\"@b"@ours.example>', '<{"a\\"@b"@ours.example}@ours.example>'],
    ["'ann@ours.example'", "'{ann@ours.example}@ours.example'"],
    ["o'ann@ours.example", "{o'ann@ours.example}@ours.example"],
    // Before the address stands what may be a part of it.
    ['smtp.mailfrom=ann@ours.example;', '{ann@ours.example}@ours.example;'],
    ['/x?to=ann%40ours.example&y', '/{ann@ours.example}%40ours.example&y'],
    ['%3Cann%2Btag%40ours.example%3E', '{ann+tag@ours.example}%40ours.example%3E'],
    ['return bounce=ann=ours.example@list.example', 'return {ours.example@list.example}@list.example'],
    // Sender and recipient are known, however they are written.
    ['<VERP+ann=ours.example@list.example>', '<{verp+ann=ours.example@list.example}@list.example>'],
    ['/G=Ann/S=Lee/@gw.example', '/{Lee/@gw.example}@gw.example'],
    ['jürgen@bücher.example', '{jürgen@bücher.example}@bücher.example'],
    ['j%C3%BCrgen%40ours.example', '{jürgen@ours.example}%40ours.example'],
    ['100%@ours.example', '{100%@ours.example}@ours.example'],
    ['ann@[192.0.2.1]', '{ann@[192.0.2.1]}@[192.0.2.1]'],
    ['ann@', '{ann@}@'],
    ['a@b@c', '{a@b}@{b@c}@c'],
    ['x"@ours.example', '{x"@ours.example}@ours.example'],
    ['\ud83d\ude00@ours.example', '{\ud83d\ude00@ours.example}@ours.example'],
    // Roles, and what is no address.
    ['<postmaster@ours.example> <POSTMASTER@x>', '<postmaster@ours.example> <POSTMASTER@x>'],
    ['for reports@ours.example', 'for reports@ours.example'],
    ...['a @ b', '@', '""@x', '250 2.0.0 Ok', ''].map((text): [string, string] => [text, text]),
  ]
  for (const [text, result] of rows)
    test(`"${text}"`, () => {
      const event = { recipient: 'verp+ann=ours.example@list.example' }
      const { reply } = addresses.hashIn({ ...event, reply: text })
      assert.equal(reply, filled(result))
    })

  // A quadratic time would be minutes.
  for (const sign of ['@', '"@', '%40', 'a', '"', '\\"', '\\"@', '"a@', 'é@', "'", '=', '[', '.@'])
    test(`with many ${sign} is read in little time`, { timeout: 10_000 }, () => {
      const many = sign.repeat(30_000)
      addresses.hashIn({ reply: `${many}@x`, comment: `@${many}` })
    })
})

describe('of an event', () => {
  test('ids, Message-ID and names of administrators stay, and nested texts do not', () => {
    const event = {
      id: 'a@b',
      messageId: 'a@b',
      headerMessageId: '<123@ours.example>',
      sender: 'ann@ours.example',
      actor: 'ann@ours.example',
      by: 'ann@ours.example',
      count: 3,
      requireTls: true,
      later: { by: 'ann@ours.example', texts: ['ann@ours.example', 1, null], recipient: 'ann' },
    }
    const hashed = `${hashOf('ann@ours.example')}@ours.example`
    assert.deepEqual(addresses.hashIn(event), {
      ...event,
      sender: hashed,
      later: { by: 'ann@ours.example', texts: [hashed, 1, null], recipient: hashOf('ann') },
    })
    assert.equal(event.sender, 'ann@ours.example')
  })

  test('with a recipient the id is hashed too, because it is a digest of the address', () => {
    const event = createEvent('Delivered', ['m1', 'ann@ours.example', 1], {
      at: '2026-11-30T20:00:00.000Z',
      messageId: 'm1',
      recipient: 'ann@ours.example',
    })
    const { id } = addresses.hashIn(event)
    assert.match(id, /^[\w-]{22}$/)
    assert.notEqual(id, event.id)
    assert.deepEqual(addresses.storedIds(event.id), [event.id, id])
    assert.notEqual(new EventAddresses('l'.repeat(64), []).hashIn(event).id, id)
    // Without a recipient the id has no address; that of a rejection is random, and leads to the trace.
    const { recipient: _, ...accepted } = event
    assert.equal(addresses.hashIn({ ...accepted, kind: 'Accepted' }).id, event.id)
    assert.equal(addresses.hashIn({ ...event, kind: 'Rejected' }).id, event.id)
  })

  test('a Message-ID that is the address of the sender is hashed', () => {
    const event = { sender: 'ann@ours.example', headerMessageId: '<Ann@ours.example>' }
    assert.equal(addresses.hashIn(event).headerMessageId, `<${hashOf('ann@ours.example')}@ours.example>`)
  })

  test('an erasure of the hashed address finds it in columns and texts', () => {
    const event = { sender: 'Ann@ours.example', reply: '550 <"ann"@ours.example> mailfrom=ann@ours.example' }
    const erased = new ErasedAddress(
      { localPart: hashOf('ann@ours.example'), domain: 'ours.example' },
      'erased-1',
    )
    assert.deepEqual(erased.replaceInValue(addresses.hashIn(event)), {
      sender: 'erased-1@ours.example',
      reply: '550 <erased-1@ours.example> erased-1@ours.example',
    })
  })
})
