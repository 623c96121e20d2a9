import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookup, parseZone } from '../../../infra/local/dns/zone.ts'

const zone = parseZone({
  names: {
    'Partner.example.': { MX: [[10, 'mx.partner.example']], TXT: ['v=1'] },
    'mx.partner.example': { A: ['127.0.0.11'], secure: true },
    '_25._tcp.mx.partner.example': { TLSA: [[3, 1, 1, 'ab01']] },
    'alias.example': { CNAME: 'mx.partner.example' },
    'loop.example': { CNAME: 'loop.example' },
    'silent.example': { MX: [[0, '']] },
    'broken.example': { fail: 'SERVFAIL' },
  },
  ports: {
    '127.0.0.11': 2511,
    '127.0.0.12': '127.0.0.1:2512',
    '127.0.0.11:443': 8443,
    '[::1]:443': 8444,
    '::1': 25,
  },
})

const rows = [
  {
    name: 'partner.example',
    type: 'MX',
    rcode: 'NOERROR',
    answers: 1,
    why: 'a name matches in any case and with a final dot',
  },
  {
    name: 'partner.example',
    type: 'A',
    rcode: 'NOERROR',
    answers: 0,
    why: 'the name exists without this type',
  },
  { name: 'gone.example', type: 'A', rcode: 'NXDOMAIN', answers: 0, why: 'the name does not exist' },
  {
    name: 'example',
    type: 'MX',
    rcode: 'NOERROR',
    answers: 0,
    why: 'another name is below it (RFC 8020)',
  },
  {
    name: '_tcp.mx.partner.example',
    type: 'A',
    rcode: 'NOERROR',
    answers: 0,
    why: 'it is an empty non-terminal',
  },
  {
    name: 'alias.example',
    type: 'A',
    rcode: 'NOERROR',
    answers: 2,
    why: 'both the alias and its target are returned',
  },
  { name: 'loop.example', type: 'A', rcode: 'SERVFAIL', answers: 0, why: 'a chain of aliases is limited' },
  { name: 'silent.example', type: 'MX', rcode: 'NOERROR', answers: 1, why: 'a null MX is a record' },
  { name: 'broken.example', type: 'MX', rcode: 'SERVFAIL', answers: 0, why: 'the zone sets this failure' },
]
for (const { name, type, rcode, answers, why } of rows)
  test(`a lookup of ${type} for ${name} returns ${rcode} with answer count ${answers}, because ${why}`, () => {
    const result = lookup(zone, name, type)
    assert.equal(result.rcode, rcode)
    if (rcode === 'NOERROR') assert.equal(result.answers.length, answers)
  })

test('a response is secure only when every name of the alias chain is secure', () => {
  assert.equal(lookup(zone, 'mx.partner.example', 'A').secure, true)
  assert.equal(lookup(zone, 'alias.example', 'A').secure, false)
})

const faults = [
  { value: { names: { a: { B: [] } } }, message: /names\.a: Unrecognized key/ },
  { value: { names: { a: { A: ['::1'] } } }, message: /names\.a\.A\.0/ },
  ...[
    'localhost',
    '127.0.0.1:',
    '127.0.0.1:0',
    '127.0.0.1:70000',
    '[127.0.0.1]:443',
    '[::1]',
    '::1]:443',
  ].map((place) => ({
    value: { names: {}, ports: { [place]: 8443 } },
    message: /^Error: ports.*(neither|Invalid key)/,
  })),
  { value: { names: {}, ports: { '127.0.0.1': 'localhost:25' } }, message: /ports\.127\.0\.0\.1/ },
]
for (const { value, message } of faults)
  test(`a zone file is refused with the path of its fault: ${JSON.stringify(value)}`, () => {
    assert.throws(() => parseZone(value), message)
  })
