import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMailbox } from '../../../shared/mail/mailbox.ts'

const mailboxes: [text: string, localPart: string, domain: string][] = [
  ['ann@ours.example', 'ann', 'ours.example'],
  ['Ann.Lee+x@OURS.example', 'ann.lee+x', 'ours.example'],
  ['"ann"@ours.example', 'ann', 'ours.example'],
  ['"a b"@ours.example', '"a b"', 'ours.example'],
  ['"a@b"@ours.example', '"a@b"', 'ours.example'],
  ['jürgen@bücher.example', 'jürgen', 'xn--bcher-kva.example'],
  ['ann@[192.0.2.1]', 'ann', '[192.0.2.1]'],
  ['ann@[IPv6:2001:db8::1]', 'ann', '[ipv6:2001:db8::1]'],
]
for (const [text, localPart, domain] of mailboxes)
  test(`${text} is a mailbox`, () => assert.deepEqual(readMailbox(text), { localPart, domain }))

const faults: [text: string, fault: RegExp][] = [
  ['', /^has no @$/],
  ['ours.example', /^is a domain; give the address of one mailbox$/],
  ['ann lee', /^has no @$/],
  ['@ours.example', /^has no local part$/],
  ['ann@', /^has no valid domain after its @$/],
  ['ann@ours example', /^has no valid domain/],
  ['ann@127.0.0.1', /^has no valid domain/],
  ['ann@[127.0.0.300]', /^has no valid domain/],
  ['ann@[IPv6:fe80::1%eth0]', /^has no valid domain/],
  ['a b@ours.example', /^is not an address$/],
  ['<ann@ours.example>', /^is not an address$|^has no valid domain/],
  ['*@ours.example@', /^has no valid domain|^is not an address$/],
  ['ann..lee@ours.example', /^is not an address$/],
  [`${'a'.repeat(65)}@ours.example`, /^has a local part of more than 64 octets$/],
  ['an\u200bn@ours.example', /^has the invisible character U\+200B$/],
]
for (const [text, fault] of faults)
  test(`"${text}" is no mailbox`, () => {
    const result = readMailbox(text)
    assert.ok('fault' in result)
    assert.match(result.fault, fault)
    assert.ok(text === '' || !result.fault.includes(text))
  })
