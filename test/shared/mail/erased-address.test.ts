import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'
import { type Mailbox, readMailbox } from '../../../shared/mail/mailbox.ts'

const erased = (address: string): ErasedAddress =>
  new ErasedAddress(readMailbox(address) as Mailbox, 'erased-1a2b3c4d')
const ann = erased('ann@ours.example')

describe('a text', () => {
  /** `*` marks each place where the pseudonym stands afterwards, in place of the local part. */
  const rows: [address: string, text: string, result: string][] = [
    ['ann@ours.example', 'ann@ours.example', '*@ours.example'],
    ['ann@ours.example', 'ANN@Ours.Example', '*@Ours.Example'],
    ['Ann@OURS.example', 'ann@ours.example', '*@ours.example'],
    ['"ann"@ours.example', '550 5.1.1 <ann@ours.example>: unknown', '550 5.1.1 <*@ours.example>: unknown'],
    ['ann@ours.example', '550 5.1.1 <"ann"@ours.example>: unknown', '550 5.1.1 <*@ours.example>: unknown'],
    ['ann@ours.example', 'to ann@ours.example.', 'to *@ours.example.'],
    ['ann@ours.example', 'ann@ours.example, ann@ours.example', '*@ours.example, *@ours.example'],
    ['ann@ours.example', 'smtp.mailfrom=ann@ours.example;', 'smtp.mailfrom=*@ours.example;'],
    ['ann@ours.example', 'envelope-from="ann@ours.example"', 'envelope-from="*@ours.example"'],
    ['ann@ours.example', "'ann@ours.example'", "'*@ours.example'"],
    ['ann@ours.example', 'rfc822;ann@ours.example', 'rfc822;*@ours.example'],
    ['ann@ours.example', '/x?to=ann%40ours.example&y', '/x?to=*%40ours.example&y'],
    ['ann@ours.example', '%3Cann%40ours.example%3E', '%3C*%40ours.example%3E'],
    ['ann@ours.example', '"ann@ours.example"@relay.example', '"*@ours.example"@relay.example'],
    ['ann+tag@ours.example', '<ann+tag@ours.example>', '<*@ours.example>'],
    ['ann+tag@ours.example', 'ann%2Btag%40ours.example', '*%40ours.example'],
    ['ann@ours.example', '550 <"a\\n\\n"@ours.example>', '550 <*@ours.example>'],
    // ORCPT (RFC 3461 §4, RFC 6533 §3).
    ['ann+tag@ours.example', 'rfc822;ann+2Btag@ours.example', 'rfc822;*@ours.example'],
    ['"a b"@ours.example', 'rfc822;"a+20b"@ours.example', 'rfc822;*@ours.example'],
    ['jürgen@bücher.example', 'utf-8;j\\x{FC}rgen@b\\x{FC}cher.example', 'utf-8;*@b\\x{FC}cher.example'],
    ['ann@ours.example', '%22ann%22%40ours.example', '*%40ours.example'],
    ['"a b"@ours.example', '<"a\\ \\b"@ours.example>', '<*@ours.example>'],
    ['"a\\ b"@ours.example', '%22a%20b%22%40ours.example', '*%40ours.example'],
    ['"a\\"b"@ours.example', '<"a\\"b"@ours.example>', '<*@ours.example>'],
    ["o'ann@ours.example", "o'ann@ours.example", '*@ours.example'],
    ['"a b"@ours.example', 'to "a b"@ours.example', 'to *@ours.example'],
    [
      'ann@bücher.example',
      'ann@bücher.example ann@xn--bcher-kva.example',
      '*@bücher.example *@xn--bcher-kva.example',
    ],
    ['ann@xn--bcher-kva.example', 'ann@BÜCHER.example', '*@BÜCHER.example'],
    [
      'jürgen@ours.example',
      'JÜRGEN@ours.example j%C3%BCrgen%40ours.example',
      '*@ours.example *%40ours.example',
    ],
    ['ann@[192.0.2.1]', '<ann@[192.0.2.1]>', '<*@[192.0.2.1]>'],
    // Other mailboxes.
    ...[
      'joann@ours.example',
      'jo.ann@ours.example',
      'jo-ann@ours.example',
      'jo_ann@ours.example',
      'jo+ann@ours.example',
      "o'ann@ours.example",
      'x&ann@ours.example',
      'jürgann@ours.example',
      'éann@ours.example',
      '%C3%A9ann%40ours.example',
      'jo%2Eann%40ours.example',
      'ann@ours.example.org',
      'ann@ours.examples',
      'ann@ours.example-x.org',
      'ann@theirs.example',
      'ann@sub.ours.example',
      'ann@oursXexample',
      'ann+tag@ours.example',
      'ann+40ours.example@theirs.example',
      'ann.x@ours.example',
      'ann at ours.example',
      'ours.example',
      'ann',
      '',
    ].map((text): [string, string, string] => ['ann@ours.example', text, text]),
    ['a.n@ours.example', 'axn@ours.example', 'axn@ours.example'],
    ['kim@ours.example', '\u212aim@ours.example', '\u212aim@ours.example'],
  ]
  for (const [address, text, result] of rows)
    test(`"${text}" ${text === result ? 'does not have' : 'has'} ${address}`, () => {
      const address_ = erased(address)
      assert.equal(address_.replaceIn(text), result.replaceAll('*', address_.pseudonym))
      assert.equal(address_.replaceIn(address_.replaceIn(text)), address_.replaceIn(text))
      if (text !== result) assert.ok(address_.mayBeIn(Buffer.from(JSON.stringify({ text }))))
    })
})

describe('an address of an envelope', () => {
  const rows: [address: string, isSpelled: boolean][] = [
    ['ann@ours.example', true],
    ['Ann@OURS.EXAMPLE', true],
    ['"ann"@ours.example', true],
    ['"a\\nn"@ours.example', true],
    ['ann@ours.example.org', false],
    ['joann@ours.example', false],
    ['x=ann@ours.example', false],
    ['"x ann@ours.example"@relay.example', false],
    ['ann', false],
    ['', false],
  ]
  for (const [address, isSpelled] of rows)
    test(`${address} is ${isSpelled ? '' : 'not '}ann@ours.example`, () => {
      assert.equal(ann.isSpelled(address), isSpelled)
      assert.equal(ann.replaceAddress(address) !== address, isSpelled)
      if (isSpelled)
        assert.ok(ann.mayBeIn(Buffer.from(address)) && ann.mayBeIn(Buffer.from(JSON.stringify(address))))
    })
})

describe('a JSON value', () => {
  test('has the pseudonym in all its texts, and keeps the names of administrators', () => {
    const value = {
      sender: 'Ann@ours.example',
      recipient: 'x=ann@ours.example',
      reply: { text: ['<ann@ours.example>', 5, null, true] },
      actor: 'arn:aws:sts::1:assumed-role/admin/ann@ours.example',
      returned: { by: 'ann@ours.example', reason: 'ann@ours.example left' },
    }
    assert.deepEqual(ann.replaceInValue(value), {
      ...value,
      sender: 'erased-1a2b3c4d@ours.example',
      reply: { text: ['<erased-1a2b3c4d@ours.example>', 5, null, true] },
      returned: { by: 'ann@ours.example', reason: 'erased-1a2b3c4d@ours.example left' },
    })
  })
  test('without the address is the same value', () => {
    for (const value of [
      { a: [{ b: 'joann@ours.example' }], at: new Date(0), octets: Buffer.from('x') },
      [],
      'a',
      1,
      null,
    ])
      assert.equal(ann.replaceInValue(value), value)
  })
})

describe('octets', () => {
  test('without the local part before an @ cannot have the address', () => {
    for (const text of ['ann', 'bob@ours.example', 'annette@ours.example', '{"reply":"ours.example"}'])
      assert.equal(ann.mayBeIn(Buffer.from(text)), false, text)
  })
  test('may have an address whose letters JSON can escape', () => {
    assert.equal(erased('"a b"@ours.example').mayBeIn(Buffer.from('')), true)
    assert.equal(erased('jürgen@ours.example').mayBeIn(Buffer.from('')), true)
  })
})
